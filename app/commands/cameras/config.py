"""The file that `mien watch --config` takes: the cameras of a service. Every key is explained in docs/service.md."""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, cast
from urllib.parse import quote

from mien.app.commands.cameras.keys import CAMERA, COMMON, OUTPUT_TABLE, Table, shown
from mien.engine.errors import MienError, SettingsError
from mien.engine.inference.priors import read_expectation
from mien.engine.language import tr
from mien.engine.measures import COLUMN_GROUPS, FACE_LAYERS, ColumnGroup, FaceLayer
from mien.engine.outputs.kinds import OUTPUTS, missing
from mien.engine.outputs.pictures import PictureLook
from mien.engine.outputs.secrets import secret_lines
from mien.engine.recording.plan import RecordingPlan
from mien.engine.settings import (
    BALANCED,
    DETECTOR_RANGES,
    EXPECTED,
    MAX_PIXELS,
    Expectation,
    Settings,
    require_between,
    require_one_of,
)
from mien.engine.sources.address import SourceAddress

_LARGEST: Final = 1_000_000  # bytes: thousands of cameras
_NAME: Final = "{source} {time}"
_PLACE: Final = "{camera}"
_PRIVACY: Final = ("none", "blur", "pixelate")
_TLS: Final = ("rtsps", "rtmps", "https")
_SHARED: Final = "json"  # each of its lines names the source
_QUOTED: Final = frozenset({"mqtt", "publish"})  # whose targets are addresses

Outputs = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, eq=False)
class CameraEntry:
    """One camera as the file describes it; nothing was opened yet.

    Attributes:
        address: with its login, and with the camera's name.
        settings, plan, outputs, look, neutral_first_s: as for `mien.engine.live.cameras.group.Camera`.
        model, labels, detector, landmarker: files; None: those that ship with Mien, or are downloaded.
    """

    address: SourceAddress
    settings: Settings
    plan: RecordingPlan | None
    outputs: Outputs
    look: PictureLook
    neutral_first_s: float
    model: Path | None
    labels: Path | None
    detector: Path | None
    landmarker: Path | None


@dataclass(frozen=True, slots=True, eq=False)
class CamerasFile:
    """What such a file says.

    Attributes:
        file: its path.
        cameras: at least one, with different names.
        shared: outputs that take the scenes of all cameras.
    """

    file: Path
    cameras: tuple[CameraEntry, ...]
    shared: Outputs

    def about(self, entry: CameraEntry) -> str:
        """Begins a message about one of its cameras."""
        return f'{self.file}: camera "{entry.address.name}": '


def read_file(file: Path) -> CamerasFile:
    """Read and check a file of cameras.

    Raises:
        SettingsError: it cannot be read, or something in it is wrong; the message names the camera and the key.
    """
    try:
        raw = file.read_bytes()
        data = tomllib.loads(raw[:_LARGEST].decode("utf-8"))
        private = sys.platform == "win32" or not file.stat().st_mode & 0o077
    except OSError as error:
        raise SettingsError(tr("{path}: cannot be read ({reason})", path=file, reason=error.strerror)) from None
    except (ValueError, RecursionError) as error:
        raise SettingsError(
            tr("{path}: not valid TOML ({error})", path=file, error=" ".join(str(error).split())[:200])
        ) from None
    if len(raw) > _LARGEST:
        raise SettingsError(
            tr("{path}: is larger than {largest} bytes; name fewer cameras", path=file, largest=_LARGEST)
        )
    return read_cameras(data, file, private=private)


def only(read: CamerasFile, names: Collection[str]) -> CamerasFile:
    """The file with these of its cameras alone; with no names, as it is.

    Raises:
        SettingsError: it has no such camera.
    """
    if not names:
        return read
    known = {entry.address.name for entry in read.cameras}
    for name in names:
        if name not in known:
            raise SettingsError(
                tr('--only: {file} has no camera "{name}"; there are: {known}', file=read.file, name=name,
                   known=", ".join(sorted(known)))
            )  # fmt: skip
    return replace(read, cameras=tuple(entry for entry in read.cameras if entry.address.name in names))


def read_cameras(data: Mapping[str, Any], file: Path, *, private: bool) -> CamerasFile:
    """Check what was read.

    Args:
        data: the parsed file.
        file: its path; relative paths in it begin in its folder.
        private: only its owner may read it, so it may hold logins.

    Raises:
        SettingsError: something is wrong; the message names the camera and the key.
    """
    top = Table(data, f"{file}: ")
    top.require_known({*COMMON, OUTPUT_TABLE, "camera"}, elsewhere=CAMERA)
    tables = data.get("camera")
    if not isinstance(tables, list) or not tables or not all(isinstance(item, dict) for item in tables):
        raise SettingsError(tr("{path}: names no camera; begin each with a line [[camera]]", path=file))
    shared = _outputs(top)
    defaults = {key: value for key, value in data.items() if key in COMMON}
    cameras: list[CameraEntry] = []
    sent: dict[tuple[str, str], str] = {}
    together: list[tuple[str, str]] = []
    for number, table in enumerate(tables, start=1):
        given = table.get("name")
        about = f'"{given}"' if isinstance(given, str) and given.isprintable() and given else f"{number}"
        entry = Table({**defaults, **table}, f"{file}: camera {about}: ")
        entry.require_known({*COMMON, *CAMERA, OUTPUT_TABLE})
        read = _camera(entry, file.parent, private=private)
        if any(other.address.name.casefold() == read.address.name.casefold() for other in cameras):
            raise entry.wrong(
                "name", tr('"{address}" is another camera; give each a name of its own', address=read.address.name)
            )
        expanded = [(kind, _expanded(kind, target, read.address.name)) for kind, target in (*shared, *read.outputs)]
        own = []
        for (kind, target), (_, written) in zip(expanded, (*shared, *read.outputs), strict=True):
            if kind == _SHARED and (kind, written) in shared and _PLACE not in written:
                together += [] if (kind, target) in together else [(kind, target)]
                continue
            if (kind, target) in sent:
                raise entry.wrong(
                    f"outputs.{kind}",
                    tr(
                        'camera "{sent}" sends there already; write {place} into it, or choose another',
                        sent=sent[kind, target],
                        place=_PLACE,
                    ),
                )
            sent[kind, target] = read.address.name
            own.append((kind, target))
        cameras.append(replace(read, outputs=tuple(own)))
    return CamerasFile(file, tuple(cameras), tuple(together))


def _expanded(kind: str, target: str, name: str) -> str:
    return target.replace(_PLACE, quote(name, safe="") if kind in _QUOTED else name)


def _outputs(table: Table) -> Outputs:
    """Kinds and targets of the table ``outputs``."""
    found: list[tuple[str, str]] = []
    for kind, given in table.table(OUTPUT_TABLE).items():
        key = f"{OUTPUT_TABLE}.{shown(kind)}"
        if kind not in OUTPUTS:
            raise table.wrong(key, tr("there is no such output; choose from {outputs}", outputs=", ".join(OUTPUTS)))
        if lacks := missing(kind):
            raise table.wrong(key, lacks)
        targets = given if isinstance(given, list) else [given]
        bare = OUTPUTS[kind].bare
        for target in targets:
            if target is True and bare is not None:
                found.append((kind, bare))
            elif isinstance(target, str) and target.isprintable():
                found.append((kind, target))
            else:
                if bare is not None:
                    raise table.wrong(key, tr("must be a text, true, or a list of texts"))
                raise table.wrong(key, tr("must be a text or a list of texts"))
    return tuple(found)


def _camera(table: Table, folder: Path, *, private: bool) -> CameraEntry:
    address = _address(table, folder, private=private)
    columns = table.words("columns", (*COLUMN_GROUPS, "all"))
    layers = table.words("face_layers", FACE_LAYERS)
    chosen = {"expressions", *columns, *(set(COLUMN_GROUPS) - {"landmarks"} if "all" in columns else ())}
    detector_range = table.text("range", "auto")
    privacy = table.text("privacy", "none")
    with table.named("range"):
        require_one_of("range", detector_range, DETECTOR_RANGES)
    with table.named("privacy"):
        require_one_of("privacy", privacy, _PRIVACY)
    with table.named():
        settings = Settings(
            detector_range=cast("Any", detector_range),
            min_score=table.number("min_score", 0.5),
            max_faces=table.whole("max_faces", 16),
            provider=cast("Any", table.text("provider", "auto")),
            crf=table.whole("crf", 20),
            encoder=cast("Any", table.text("encoder", "x264")),
            max_pixels=table.whole("max_pixels", MAX_PIXELS),
            expect=_expectation(table, folder),
            overlay=cast("Any", table.text("overlay", "compact")),
            font_scale=table.number("font_scale", 1.0),
            layers=cast("tuple[FaceLayer, ...]", tuple(name for name in FACE_LAYERS if name in layers)),
            columns=cast("tuple[ColumnGroup, ...]", tuple(name for name in COLUMN_GROUPS if name in chosen)),
            camera_angle=table.number("camera_angle", 0.0),
        )
        neutral_first_s = table.number("neutral_first", 0.0)
        if neutral_first_s:
            require_between("neutral_first", neutral_first_s, 0.5, 60.0)
    return CameraEntry(
        address,
        settings,
        _plan(table, settings, privacy, folder),
        _outputs(Table({OUTPUT_TABLE: table.data.get(OUTPUT_TABLE, {})}, table.where)),
        PictureLook(cast("Any", privacy), style=settings.overlay_style),
        neutral_first_s,
        table.path("model", folder),
        table.path("labels", folder),
        table.path("detector", folder),
        table.path("landmarker", folder),
    )


def _expectation(table: Table, folder: Path) -> Expectation:
    text = table.text("expect", "")
    if not text:
        return BALANCED
    with table.named("expect"):
        return read_expectation(text if text in EXPECTED else str(folder / Path(text).expanduser()))


def _plan(table: Table, settings: Settings, privacy: str, folder: Path) -> RecordingPlan | None:
    clean, audio = table.flag("clean", False), table.flag("audio", True)
    if table.data.get("record") is False:
        return None
    into = table.path("record", folder)
    if into is None:
        return None
    with table.named():
        return RecordingPlan(
            into, _NAME, annotated=True, clean=clean, audio=audio, privacy=cast("Any", privacy), crf=settings.crf,
            encoder=settings.encoder, style=settings.overlay_style, columns=settings.columns,
        )  # fmt: skip


def _address(table: Table, folder: Path, *, private: bool) -> SourceAddress:
    """The camera's address. What is wrong with it is said without quoting it."""
    text = table.secret("address", "address_env")
    if text is None:
        raise table.wrong("address", tr("is missing; give a stream, a file, camera:0, or address_env"))
    user, password = _login(table, folder)
    tls_ca, insecure = table.path("tls_ca", folder), table.flag("tls_insecure", False)
    transport = table.text("transport", "tcp")
    with table.named("transport"):
        require_one_of("transport", transport, ("tcp", "udp"))
    name = table.text("name", "") or None
    key = "address_env" if "address_env" in table.data else "address"

    def parse(what: str) -> SourceAddress:
        return SourceAddress.parse(
            what, user=user, password=password, transport=cast("Any", transport), name=name,
            show=table.flag("show_address", False), ca_file=tls_ca, verify_tls=not insecure,
        )  # fmt: skip

    with table.named(key):
        address = parse(text)
        if address.kind == "file" and not Path(address.target).is_absolute():
            address = parse(str(folder / address.target))
    if key == "address" and user is None and address.login is not None and not private:
        raise table.wrong(key, tr("holds a login that others can read; run chmod 600 on the file, or use login_file"))
    _check_certificates(table, address, tls_ca, insecure=insecure)
    return address


def _check_certificates(table: Table, address: SourceAddress, tls_ca: Path | None, *, insecure: bool) -> None:
    own = {key for key in ("tls_ca", "tls_insecure") if key in table.data}
    if tls_ca is not None and insecure:
        raise table.wrong("tls_ca", tr("says whom to trust, tls_insecure to trust anybody; choose one of them"))
    # As a default for all cameras it may stand beside addresses that it does not concern.
    if tls_ca is not None and own and address.scheme in _TLS:
        from mien.engine.sources.streams.certificates import check_ca_file

        if trouble := check_ca_file(tls_ca):
            raise table.wrong(
                "tls_ca", tr("{tls_ca}: {trouble}; give certificates in PEM format", tls_ca=tls_ca, trouble=trouble)
            )


def _login(table: Table, folder: Path) -> tuple[str | None, str | None]:
    """User name and password, None for what the file does not name."""
    login_file = table.path("login_file", folder)
    ways = [key for key in ("user", "user_env", "password_env") if key in table.data]
    if login_file is None:
        return table.secret("user", "user_env"), table.secret("", "password_env")
    if ways:
        raise table.wrong("login_file", tr("holds user name and password; leave out {ways}", ways=ways[0]))
    try:
        user, password = secret_lines("login_file", login_file, 2, tr("two lines, the user name and the password"))
    except MienError as error:
        raise SettingsError(f"{table.where}{error}") from None
    return user, password
