"""Frames that a program already has, as a source."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import numpy as np
import numpy.typing as npt

from mien.engine.errors import SourceError
from mien.engine.language import tr
from mien.engine.sources.base import require_usable_size
from mien.engine.types import Frame, SourceInfo

_TIME_BASE: Final = Fraction(1, 1_000_000)  # microseconds: finer than any camera's clock
_NAME: Final = "frames"


class ArraySource:
    """Frames of the caller's as a `Source`; they are asked for one at a time, when each is needed.

    Args:
        frames: pairs of a frame, (H,W,3) uint8 RGB, and its time in seconds; all of one size, times increasing.

    Raises:
        SourceError: there is no frame, or the first one is none.
    """

    def __init__(self, frames: Iterable[tuple[npt.NDArray[np.uint8], float]]) -> None:
        rest = iter(frames)
        first = next(rest, None)
        if first is None:
            raise SourceError(tr("there are no frames; give pairs of a frame and its time in seconds"))
        self._pairs = chain([first], rest)
        image, time_s = _pair(first, 0)
        height, width = image.shape[:2]
        require_usable_size(_NAME, width, height)
        self._info = SourceInfo(
            _NAME, width, height, None, None, None, _TIME_BASE, start_s=float(time_s), codec="frames in memory"
        )

    @property
    def info(self) -> SourceInfo:
        return self._info

    @property
    def audio_path(self) -> Path | None:
        return None

    @property
    def complete(self) -> bool:
        return True

    @property
    def warnings(self) -> tuple[str, ...]:
        return ()

    def frames(self) -> Iterator[Frame]:
        last_pts: int | None = None
        for index, given in enumerate(self._pairs):
            image, time_s = _pair(given, index)
            if image.shape[:2] != (self._info.height, self._info.width):
                raise SourceError(
                    tr(
                        "frame {index} is {shape}x{shape2}, the first was {width}x{height}; give frames of one size",
                        index=index,
                        shape=image.shape[1],
                        shape2=image.shape[0],
                        width=self._info.width,
                        height=self._info.height,
                    )
                )
            pts = round(time_s / _TIME_BASE)
            if last_pts is not None and pts <= last_pts:
                raise SourceError(
                    tr("frame {index} has the time {time_s:.6f} s; times must increase", index=index, time_s=time_s)
                )
            last_pts = pts
            yield Frame(index, pts, 0, time_s, np.ascontiguousarray(image))

    def close(self) -> None:
        """Nothing to let go of."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def _pair(given: object, index: int) -> tuple[npt.NDArray[np.uint8], float]:
    """The frame and time in `given`, checked."""
    if not isinstance(given, tuple | list) or len(given) != 2:
        raise SourceError(tr("frame {index}: give pairs of a frame and its time in seconds", index=index))
    image, time_s = np.asarray(given[0]), float(given[1])
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise SourceError(
            tr(
                "frame {index} is {dtype} {shape}; give (H,W,3) uint8 RGB",
                index=index,
                dtype=image.dtype,
                shape=image.shape,
            )
        )
    if not np.isfinite(time_s):
        raise SourceError(tr("frame {index} has the time {time_s}; give seconds", index=index, time_s=time_s))
    return image, time_s
