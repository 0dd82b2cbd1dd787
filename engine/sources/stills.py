"""Still pictures as a source: each is shown for as long as a model needs to look at it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import av
import av.error
import cv2
import numpy as np

from mien.engine.errors import SourceError
from mien.engine.language import tr
from mien.engine.media.container import OPEN_OPTIONS, decoder_limit
from mien.engine.media.geometry import letterbox
from mien.engine.settings import MAX_PIXELS
from mien.engine.sources.base import require_usable_size
from mien.engine.types import Frame, RgbImage, SourceInfo

PICTURE_SUFFIXES: Final = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})
SECONDS: Final = 3.0
"""How long each picture is shown: longer than any window of two seconds, so that it is full before the next one."""
RATE: Final = 12
"""Frames a second: more than the eight at which faces are read."""
_TICKS: Final = 1000


def is_picture(path: Path) -> bool:
    """Whether the name of `path` is that of a still picture."""
    return path.suffix.lower() in PICTURE_SUFFIXES and not path.name.startswith(".")


def pictures_in(folder: Path) -> list[Path]:
    """The still pictures of a folder, by name."""
    return sorted(path for path in folder.iterdir() if is_picture(path) and path.is_file())


class Stills:
    """Pictures one after the other, as a `Source`; each is a shot of its own (see `Frame.shot`).

    All are fitted into the size of the first, with black around where the shape differs.

    Args:
        paths: of the pictures.
        name: what to call the source; None: the path of the first.
        start_s: where to begin, in seconds.
        max_pixels: larger pictures, width times height, are never decoded.

    Raises:
        SourceError: there is none, or the first cannot be read.
    """

    def __init__(
        self, paths: Sequence[Path], *, name: str | None = None, start_s: float = 0.0, max_pixels: int = MAX_PIXELS
    ) -> None:
        if not paths:
            raise SourceError(tr("{name}: there are no pictures", name=name or "pictures"))
        self._paths, self._start_s, self._max_pixels = [*paths], start_s, max_pixels
        first = read_picture(self._paths[0], max_pixels)
        height, width = first.shape[:2]
        self._broken: list[str] = []
        each = round(SECONDS * RATE)
        self._info = SourceInfo(
            name or str(self._paths[0]), width, height, Fraction(RATE), each * len(self._paths),
            SECONDS * len(self._paths), Fraction(1, RATE * _TICKS), codec="pictures",
        )  # fmt: skip

    @property
    def info(self) -> SourceInfo:
        return self._info

    @property
    def audio_path(self) -> Path | None:
        return None

    @property
    def warnings(self) -> tuple[str, ...]:
        return tuple(self._broken)

    @property
    def complete(self) -> bool:
        return not self._broken

    def frames(self) -> Iterator[Frame]:
        each = round(SECONDS * RATE)
        begin = max(0, min(int(self._start_s * RATE + 1e-6), each * len(self._paths) - 1))
        for shot in range(begin // each, len(self._paths)):
            try:
                image = read_picture(self._paths[shot], self._max_pixels)
            except SourceError as error:
                self._broken.append(str(error))
                continue
            image = letterbox(image, self._info.width, self._info.height)
            for index in range(max(begin, shot * each), (shot + 1) * each):
                yield Frame(index - begin, index * _TICKS, _TICKS, index / RATE, image, shot=shot)

    def close(self) -> None:
        """Nothing to let go of."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def read_picture(path: Path, max_pixels: int = MAX_PIXELS) -> RgbImage:
    """(H,W,3) uint8 RGB of a picture, upright as its EXIF says.

    Raises:
        SourceError: it does not exist, is too large or too small, or no picture that can be read.
    """
    if not path.is_file():
        raise SourceError(tr("{path}: no such file", path=path))
    # FFmpeg tells the size before anything is decoded: a small file may announce a picture that fills any memory.
    try:
        with av.open(f"file:{path}", options={**OPEN_OPTIONS, **decoder_limit(max_pixels)}) as container:
            context = container.streams.video[0].codec_context
            if not context.width:  # so do decoders that refuse a size
                raise SourceError(
                    tr(
                        "{path}: not a picture that can be read, or larger than --max-pixels {max_pixels}",
                        path=path,
                        max_pixels=max_pixels,
                    )
                )
            require_usable_size(str(path), context.width, context.height, max_pixels)
        image = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_COLOR)
    except PermissionError:
        raise SourceError(tr("{path}: may not be read; check its permissions", path=path)) from None
    except (av.error.FFmpegError, OSError, ValueError, IndexError, cv2.error):
        image = None
    if image is None:
        raise SourceError(tr("{path}: not a picture that can be read", path=path))
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), dtype=np.uint8)
