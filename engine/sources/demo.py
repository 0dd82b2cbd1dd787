"""The built-in source: a portrait that moves, so that everything can be tried without a file or a camera.

The portrait is that of Grace Hopper, a public-domain photograph of the US Navy, which matplotlib (a dependency
of mediapipe) carries among its sample data. It is panned, zoomed and lit, and its mouth and brows are warped.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from importlib.machinery import PathFinder
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import cv2
import numpy as np
import numpy.typing as npt

from mien.engine.errors import SourceError
from mien.engine.language import tr
from mien.engine.types import FloatArray, Frame, RgbImage, SourceInfo

WIDTH: Final = 640
HEIGHT: Final = 480
RATE: Final = 25
SECONDS: Final = 12

# Places in the portrait (512 x 600 pixels), read off the frame.
_FACE: Final = (268.0, 235.0)
_MOUTH_CORNERS: Final = ((230.0, 279.0), (306.0, 276.0))
_LIPS: Final = (270.0, 284.0)
_CHIN: Final = (268.0, 312.0)
_BROWS: Final = ((208.0, 170.0), (322.0, 162.0))
_INNER_BROWS: Final = ((246.0, 174.0), (284.0, 172.0))

# What each expression moves: (centre, radius in pixels, shift in pixels at full strength).
_Move = tuple[tuple[float, float], float, tuple[float, float]]
_SMILE: Final[tuple[_Move, ...]] = (
    (_MOUTH_CORNERS[0], 20.0, (-9.0, -11.0)),
    (_MOUTH_CORNERS[1], 20.0, (9.0, -11.0)),
    (_LIPS, 14.0, (0.0, 4.0)),
)
_SAD: Final[tuple[_Move, ...]] = (
    (_MOUTH_CORNERS[0], 18.0, (-2.0, 11.0)),
    (_MOUTH_CORNERS[1], 18.0, (2.0, 11.0)),
    (_LIPS, 14.0, (0.0, -3.0)),
    (_INNER_BROWS[0], 18.0, (2.0, -8.0)),
    (_INNER_BROWS[1], 18.0, (-2.0, -8.0)),
)
_SURPRISE: Final[tuple[_Move, ...]] = (
    (_BROWS[0], 30.0, (0.0, -11.0)),
    (_BROWS[1], 30.0, (0.0, -11.0)),
    (_LIPS, 16.0, (0.0, 9.0)),
    (_CHIN, 26.0, (0.0, 12.0)),
    (_MOUTH_CORNERS[0], 16.0, (7.0, 0.0)),
    (_MOUTH_CORNERS[1], 16.0, (-7.0, 0.0)),
)
# When, in seconds: (expression, begins, fully there, begins to fade, gone).
_SCRIPT: Final = (
    (_SMILE, 2.0, 2.8, 4.6, 5.2),
    (_SAD, 5.2, 6.0, 7.8, 8.4),
    (_SURPRISE, 8.6, 9.0, 10.8, 11.6),
)


class DemoSource:
    """Twelve seconds of the animated portrait, the same every time, as a `Source`.

    Raises:
        SourceError: the portrait is not there because matplotlib was installed without its sample data.
    """

    def __init__(self, seconds: float = SECONDS) -> None:
        self._portrait = _load_portrait()
        self._count = max(1, round(seconds * RATE))
        height, width = self._portrait.shape[:2]
        self._grid = np.stack(np.meshgrid(np.arange(width), np.arange(height)), axis=-1).astype(np.float32)
        self._fields = [_displacement(self._grid, moves) for moves, *_ in _SCRIPT]
        self._info = SourceInfo(
            name="demo",
            width=WIDTH,
            height=HEIGHT,
            frame_rate=Fraction(RATE),
            frames=self._count,
            duration_s=self._count / RATE,
            time_base=Fraction(1, RATE * 512),
            codec="demo",
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
        for index in range(self._count):
            time_s = index / RATE
            yield Frame(index, index * 512, 512, time_s, self.image(time_s % SECONDS))

    def image(self, time_s: float) -> RgbImage:
        """(HEIGHT,WIDTH,3) uint8 RGB at `time_s` seconds of the script."""
        where = self._grid.copy()
        for field, (_, begin, full, fade, gone) in zip(self._fields, _SCRIPT, strict=True):
            strength = _ease(time_s, begin, full) * (1 - _ease(time_s, fade, gone))
            if strength > 0:
                where -= np.float32(strength) * field
        warped = cv2.remap(
            self._portrait, where[..., 0], where[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        turn = 2 * np.pi * time_s / SECONDS
        matrix = cv2.getRotationMatrix2D(_FACE, 4 * np.sin(2 * turn), 1.55 + 0.15 * np.sin(turn))
        # The face wanders around the middle of the frame, never so far that the portrait's edge shows.
        matrix[:, 2] += [
            WIDTH / 2 - _FACE[0] + 25 * np.sin(turn),
            HEIGHT / 2 - _FACE[1] + 15 * np.sin(3 * turn),
        ]
        out = cv2.warpAffine(warped, matrix, (WIDTH, HEIGHT), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        light = 1 + 0.18 * np.sin(1.5 * turn + 1)
        return np.asarray(cv2.convertScaleAbs(out, alpha=light), dtype=np.uint8)

    def close(self) -> None:
        """Nothing to let go of."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def _load_portrait() -> npt.NDArray[np.uint8]:
    # Found without an import, which would take as long as the rest of the start (and see `mien.engine.faces.detector`).
    package = PathFinder.find_spec("matplotlib")
    folders = package.submodule_search_locations if package is not None else None
    try:
        data = (Path(next(iter(folders or ["matplotlib"]))) / "mpl-data/sample_data/grace_hopper.jpg").read_bytes()
    except OSError:
        raise SourceError(
            tr("demo: matplotlib's sample portrait is not installed; run pip install --force-reinstall matplotlib")
        ) from None
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    if image is None:
        raise SourceError(tr("demo: matplotlib's sample portrait is damaged; reinstall matplotlib"))
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), dtype=np.uint8)


def _displacement(grid: FloatArray, moves: tuple[_Move, ...]) -> FloatArray:
    """(H,W,2) float32: how far each place of the portrait moves, in pixels, at full strength."""
    field = np.zeros_like(grid)
    for centre, radius, shift in moves:
        distance = ((grid - np.asarray(centre, np.float32)) ** 2).sum(axis=-1, keepdims=True)
        field += np.exp(-distance / np.float32(2 * radius**2)) * np.asarray(shift, np.float32)
    return field


def _ease(value: float, begin: float, end: float) -> float:
    """0 before `begin`, 1 after `end`, smooth between."""
    x = min(max((value - begin) / (end - begin), 0.0), 1.0)
    return x * x * (3 - 2 * x)
