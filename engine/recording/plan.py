"""What a live recording shall be, and how it goes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Literal

from mien.engine.errors import RecordingError
from mien.engine.language import tr
from mien.engine.measures import COLUMN_GROUPS, ColumnGroup
from mien.engine.settings import COMPACT, ENCODERS, Encoder, OverlayStyle, require_between, require_one_of

_LONGEST_PRE_ROLL_S: Final = 60.0
_FORBIDDEN: Final = re.compile(r'[<>:"/\\|?*\x00-\x1f\x7f]')  # on Windows, which is the strictest
_FIELD: Final = re.compile(r"\{([^{}]*)\}")
_RESERVED: Final = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\.|$)")
_LONGEST: Final = 120  # characters; file systems allow 255 bytes, and endings and numbers come on top


@dataclass(frozen=True, slots=True)
class RecordingPlan:
    """What to record and where to.

    Attributes:
        folder: where the files go; it must exist.
        name: pattern of their names, see `file_name`.
        annotated: write NAME.mp4, with everything drawn on it.
        clean: write NAME_clean.mp4, with nothing drawn on it.
        privacy: what is done to faces before anything is written, in both videos.
        privacy_scope: to "all" faces, or to those of people who are not selected.
        audio: record the source's audio, where it has one.
        pre_roll_s: seconds before the start that go along, 0 to 60.
        crf: constant rate factor of H.264, 0 to 51.
        encoder: what makes it, one of `mien.engine.settings.ENCODERS`.
        threads: CPU threads of each video's encoder, up to 256; 0: it chooses for itself.
        columns: what is written of each face; the expressions always are.
        style: how the annotated video is drawn.
        min_free_bytes: the recording ends when less space than this is left.

    Raises:
        RecordingError: a value is out of its range.
    """

    folder: Path
    name: str = "mien {time}"
    annotated: bool = True
    clean: bool = False
    privacy: Literal["none", "blur", "pixelate"] = "none"
    privacy_scope: Literal["all", "unselected"] = "all"
    audio: bool = True
    pre_roll_s: float = 0.0
    crf: int = 20
    encoder: Encoder = "x264"
    threads: int = 0
    style: OverlayStyle = COMPACT
    columns: tuple[ColumnGroup, ...] = ("expressions",)
    min_free_bytes: int = 200_000_000

    def __post_init__(self) -> None:
        if not (self.annotated or self.clean):
            raise RecordingError(tr("nothing to record: choose the annotated video, the clean one, or both"))
        require_one_of("privacy", self.privacy, ("none", "blur", "pixelate"), RecordingError)
        require_one_of("privacy_scope", self.privacy_scope, ("all", "unselected"), RecordingError)
        require_between("pre_roll_s", self.pre_roll_s, 0, _LONGEST_PRE_ROLL_S, RecordingError)
        require_between("crf", self.crf, 0, 51, RecordingError)
        require_one_of("encoder", self.encoder, ENCODERS, RecordingError)
        require_between("threads", self.threads, 0, 256, RecordingError)
        require_between("min_free_bytes", self.min_free_bytes, 0, error=RecordingError)
        for group in self.columns:
            require_one_of("columns", group, COLUMN_GROUPS, RecordingError)
        file_name(self.name, now=datetime.min)

    def document(self) -> dict[str, Any]:
        """What the JSON beside the recording says of it."""
        return {
            "privacy": self.privacy,
            "privacy_scope": self.privacy_scope,
            "pre_roll_s": self.pre_roll_s,
            "crf": self.crf,
            "encoder": self.encoder,
        }


@dataclass(frozen=True, slots=True)
class RecordingStatus:
    """How a recording goes.

    Attributes:
        state: what it is doing.
        files: under their final names.
        elapsed_s: of source time, from the first frame to the newest.
        frames: frames written.
        dropped: frames that came too fast to be written; the same number stands in the JSON as ``frames_dropped``.
        free_bytes: space left on the disk, as seen within the last second.
        message: one line for people, where something is to be said.
        skipped: frames of the source, between those written, in which no faces were looked for, as a newer one was
            there already; ``frames_skipped`` in the JSON.
    """

    state: Literal["recording", "finishing", "done", "failed"]
    files: tuple[Path, ...]
    elapsed_s: float
    frames: int
    dropped: int
    free_bytes: int
    message: str
    skipped: int = 0


def file_name(pattern: str, *, now: datetime, source: str = "") -> str:
    """A file name, without ending, from a pattern.

    ``{time}`` becomes the date and time to the millisecond, ``{date}`` the date, ``{source}`` the source's name. What
    no file name may hold becomes "_".

    Args:
        pattern: the pattern; "" is "{time}".
        now: local time of the recording's start.
        source: name of the source, without secrets.

    Raises:
        RecordingError: the pattern names anything else in braces.
    """
    fields = {
        "time": f"{now:%Y-%m-%d_%H-%M-%S}-{now.microsecond // 1000:03d}",
        "date": f"{now:%Y-%m-%d}",
        "source": Path(source).name[:60],
    }

    def value(match: re.Match[str]) -> str:
        try:
            return fields[match[1].strip()]
        except KeyError:
            raise RecordingError(
                tr("file name pattern: {match} is not known; use {{time}}, {{date}} or {{source}}", match=match[0])
            ) from None

    name = _FORBIDDEN.sub("_", _FIELD.sub(value, pattern.strip() or "{time}"))
    name = name.encode(errors="ignore").decode()[:_LONGEST].strip(". ")
    while len(name.encode()) > 2 * _LONGEST:
        name = name[:-1]
    if not name or _RESERVED.match(name):
        name = f"mien {name}".strip()
    return name
