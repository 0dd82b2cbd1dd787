"""Things before mouth or eyes, painted into aligned stills: cloth, boards, fingers, and pieces of other pictures.

Each takes a grey (48,48) uint8 still as `mien.models.embedded.geometry.CROP` cuts it, a generator, and where the middle
of the thing goes in pixels; it gives the still with the thing, and its opacity, (48,48) float32 from 0 to 1.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from mien.models.embedded.ferplus import SIDE
from mien.models.embedded.geometry import CROP

Image = npt.NDArray[np.uint8]
Opacity = npt.NDArray[np.float32]
Place = tuple[float, float]
Occluder = Callable[[Image, np.random.Generator, Place], tuple[Image, Opacity]]
MOUTH: Final = (CROP.mouth[0] * SIDE, CROP.mouth[1] * SIDE)
EYES: Final = tuple((x * SIDE, y * SIDE) for x, y in (CROP.right_eye, CROP.left_eye))
COVERED: Final = 0.75
"""Share of a box that a thing must hide to count."""
MOUTH_BOX: Final = np.s_[int(0.70 * SIDE) : int(0.86 * SIDE), int(0.32 * SIDE) : int(0.68 * SIDE)]
EYE_BOXES: Final = tuple(
    np.s_[int(0.33 * SIDE) : int(0.46 * SIDE), int(x - 0.1 * SIDE) : int(x + 0.1 * SIDE) + 1] for x, _ in EYES
)
_FINE: Final = 4  # drawn larger and shrunk, so that edges are smooth


def fair_faces(path: Path, split: str, most: int) -> tuple[Image, npt.NDArray[np.str_]]:
    """(n,48,48) uint8 faces of FairFace, cut as live ones, and the group of each."""
    with np.load(path, allow_pickle=False) as data:
        chosen = np.flatnonzero(data["split"] == split)
        chosen = np.sort(np.random.default_rng(3).permutation(chosen)[:most])
        offsets, jpeg, groups = data["offsets"], data["jpeg"], data["race"]
    found = []
    for index in chosen:
        grey = cv2.imdecode(np.asarray(jpeg[offsets[index] : offsets[index + 1]]), cv2.IMREAD_GRAYSCALE)
        assert grey is not None
        found.append(cv2.resize(grey[12:84, 12:84], (SIDE, SIDE), interpolation=cv2.INTER_AREA))
    return np.stack(found).astype(np.uint8), groups[chosen]


def hides(opacity: npt.NDArray[np.float32]) -> float:
    """Share of the mouth's box that is hidden."""
    return float(opacity[MOUTH_BOX].mean())


def hides_eye(opacity: npt.NDArray[np.float32]) -> float:
    """Share of an eye's box that is hidden, of the eye of which more is."""
    return max(float(opacity[box].mean()) for box in EYE_BOXES)


def covered(images: Image, occluder: Occluder, rng: np.random.Generator, count: int) -> Image:
    """So many of `images` with their mouths covered."""
    return _until(images, occluder, rng, count, lambda: (MOUTH, (2.5, 2.0)), hides)


def covered_eyes(images: Image, occluder: Occluder, rng: np.random.Generator, count: int) -> Image:
    """So many of `images` with an eye covered, or both."""

    def middle() -> tuple[Place, Place]:
        both = (SIDE / 2, EYES[0][1]), (3.0, 2.0)
        return both if rng.random() < 0.5 else (EYES[int(rng.integers(2))], (2.0, 2.0))

    return _until(images, occluder, rng, count, middle, hides_eye)


def _until(
    images: Image,
    occluder: Occluder,
    rng: np.random.Generator,
    count: int,
    middle: Callable[[], tuple[Place, Place]],
    hidden: Callable[[Opacity], float],
) -> Image:
    """So many in which enough is `hidden` by a thing near a `middle`, which has a spread across and down."""
    found: list[Image] = []
    while len(found) < count:
        (x, y), (across, down) = middle()
        at = x + rng.normal(0, across), y + rng.normal(0, down)
        made, opacity = occluder(images[rng.integers(len(images))], rng, at)
        if hidden(opacity) >= COVERED:
            found.append(made)
    return np.stack(found)


def board(image: Image, rng: np.random.Generator, at: Place) -> tuple[Image, Opacity]:
    """A flat thing: paper, a cup, a telephone."""
    return _board(image, rng, at, 1.3, 0.8)


def large_board(image: Image, rng: np.random.Generator, at: Place) -> tuple[Image, Opacity]:
    """As `board`, up to larger than the face; what the recogniser was trained on stays as it was."""
    return _board(image, rng, at, 1.5, 0.9)


def _board(image: Image, rng: np.random.Generator, at: Place, widest: float, highest: float) -> tuple[Image, Opacity]:
    opacity = _canvas()
    size = rng.uniform(0.35, widest) * SIDE, rng.uniform(0.22, highest) * SIDE
    corners = cv2.boxPoints(((at[0] * _FINE, at[1] * _FINE), (size[0] * _FINE, size[1] * _FINE), rng.uniform(-30, 30)))
    cv2.fillPoly(opacity, [np.rint(corners).astype(np.int32)], 255)
    return _covered(image, _shrunk(opacity), _plain(rng, rng.uniform(10, 245), 14.0))


def wall(image: Image, rng: np.random.Generator, at: Place) -> tuple[Image, Opacity]:
    """All that lies beyond a straight edge, from any side: a door, a large hand, somebody's shoulder."""
    opacity, angle, length = _canvas(), rng.uniform(0, 2 * np.pi), 3.0 * SIDE
    if rng.random() < 0.5:  # upright or level edges are more frequent
        angle = round(angle / (np.pi / 2)) * np.pi / 2 + rng.normal(0, 0.08)
    away = length / 2 - rng.uniform(4, 12)
    middle = (at[0] + away * np.cos(angle)) * _FINE, (at[1] + away * np.sin(angle)) * _FINE
    corners = cv2.boxPoints((middle, (length * _FINE, length * _FINE), float(np.degrees(angle))))
    cv2.fillPoly(opacity, [np.rint(corners).astype(np.int32)], 255)
    return _covered(image, _shrunk(opacity), _plain(rng, rng.uniform(5, 245), 12.0))


def cloth(image: Image, rng: np.random.Generator, at: Place) -> tuple[Image, Opacity]:
    """A mask or a scarf from the nose down, with folds."""
    opacity, top = _canvas(), at[1] - rng.uniform(0.16, 0.34) * SIDE
    points = [
        (rng.uniform(0, 7), top + rng.uniform(-1, 5)), (SIDE / 2, top - rng.uniform(0, 5)),
        (SIDE - rng.uniform(0, 7), top + rng.uniform(-1, 5)), (SIDE - rng.uniform(0, 12), SIDE + 4),
        (rng.uniform(0, 12), SIDE + 4),
    ]  # fmt: skip
    cv2.fillPoly(opacity, [np.rint(np.array(points) * _FINE).astype(np.int32)], 255)
    paint = _plain(rng, rng.uniform(20, 245), 6.0)
    for _ in range(rng.integers(0, 4)):
        y, shade = rng.uniform(top, SIDE), float(np.clip(paint.mean() + rng.normal(0, 20), 0, 255))
        cv2.line(paint, (0, round(y)), (SIDE, round(y + rng.normal(0, 3))), shade, 1)
    return _covered(image, _shrunk(opacity), paint)


def hand(image: Image, rng: np.random.Generator, at: Place) -> tuple[Image, Opacity]:
    """Three to five fingers beside each other, about as bright as the face."""
    out: npt.NDArray[np.floating] = image.astype(np.float32)
    whole = np.zeros((SIDE, SIDE), np.float32)
    skin = float(np.median(image[SIDE // 2 : int(0.68 * SIDE), 6:-6])) + rng.normal(5, 20)
    angle, width, count = rng.uniform(0, np.pi), rng.uniform(5.5, 9), int(rng.integers(3, 6))
    along = np.array([np.cos(angle), np.sin(angle)])
    across = np.array([-along[1], along[0]])
    for number in range(count):
        middle = np.array(at) + across * (number - (count - 1) / 2) * width * rng.uniform(0.9, 1.0)
        middle = middle + along * rng.normal(0, 2)
        ends = middle - along * rng.uniform(12, 30), middle + along * rng.uniform(9, 16)
        opacity, light = (_finger(ends, width * share) for share in (1.0, 0.55))
        light = np.asarray(cv2.GaussianBlur(light, (0, 0), 1.0), np.float32)
        paint = skin + rng.normal(0, 4) - rng.uniform(10, 35) * (1 - light) + rng.normal(0, 2, (SIDE, SIDE))
        out = out * (1 - opacity) + paint * opacity
        whole = np.maximum(whole, opacity)
    return _grey(out), whole


def glasses(image: Image, rng: np.random.Generator, *, dark: float = 0.4) -> Image:
    """Glasses, a share of them `dark`: never before the mouth, but their lower edges reach the cheeks."""
    opacity, thick = _canvas(), rng.uniform(0.8, 3.2)
    eyes, drop = (CROP.right_eye, CROP.left_eye), rng.uniform(-0.5, 1.5)
    size = rng.uniform(5.4, 7.6), rng.uniform(3.8, 6.2)
    filled = rng.random() < dark
    for x, y in eyes:
        centre = round(x * SIDE * _FINE), round((y * SIDE + drop) * _FINE)
        axes = round(size[0] * _FINE), round(size[1] * _FINE)
        cv2.ellipse(opacity, centre, axes, 0, 0, 360, 255, -1 if filled else max(1, round(thick * _FINE)))
    y = round((CROP.right_eye[1] * SIDE + drop) * _FINE)
    cv2.line(opacity, (0, y), (SIDE * _FINE, y), 255, max(1, round(thick * _FINE / (2 if filled else 1))))
    if not filled:  # nothing across the lenses
        for x, _ in eyes:
            inner = round((size[0] - thick / 2) * _FINE), round((size[1] - thick / 2) * _FINE)
            cv2.ellipse(opacity, (round(x * SIDE * _FINE), y), inner, 0, 0, 360, 0, -1)
    return _covered(image, _shrunk(opacity), _plain(rng, rng.uniform(10, 90), 8.0))[0]


def dark_glasses(image: Image, rng: np.random.Generator, at: Place) -> tuple[Image, Opacity]:
    """Sunglasses where eyes are, wherever `at` is: round, square or drop-shaped; often a gleam, and darker above."""
    opacity, drop = _canvas(), rng.uniform(-0.5, 2.0)
    wide, high, sag = rng.uniform(5.6, 8.2), rng.uniform(4.2, 7.0), rng.uniform(0, 2.5)
    square = rng.uniform(2.0, 6.0)  # the power of a superellipse: 2 is round
    angles = np.linspace(0, 2 * np.pi, 40)
    for (x, y), outwards in zip(EYES, (-1, 1), strict=True):
        cos, sin = np.cos(angles), np.sin(angles)
        lens = np.stack(
            [
                x + wide * np.sign(cos) * np.abs(cos) ** (2 / square),
                y + drop + high * np.sign(sin) * np.abs(sin) ** (2 / square) + sag * outwards * cos * (sin > 0),
            ],
            axis=1,
        )
        cv2.fillPoly(opacity, [np.rint(lens * _FINE).astype(np.int32)], 255)
    level = round((EYES[0][1] + drop - rng.uniform(0, high * 0.8)) * _FINE)
    cv2.line(opacity, (0, level), (SIDE * _FINE, level), 255, max(1, round(rng.uniform(0.8, 2.5) * _FINE)))
    density = _shrunk(opacity) * np.float32(rng.uniform(0.75, 1.0))
    paint = _plain(rng, rng.uniform(5, 90), 5.0) - np.linspace(rng.uniform(0, 30), 0, SIDE, dtype=np.float32)[:, None]
    if rng.random() < 0.5:
        gleam = _canvas()
        for x, y in EYES:
            start = x + rng.normal(0, 3), y + drop + rng.normal(0, 2)
            end = start[0] + rng.normal(0, 5), start[1] + rng.normal(0, 2)
            first, last = ((round(px * _FINE), round(py * _FINE)) for px, py in (start, end))
            cv2.line(gleam, first, last, 255, max(1, round(rng.uniform(0.5, 3) * _FINE)))
        paint = paint + _shrunk(gleam) * np.float32(rng.uniform(20, 150))
    return _covered(image, density, paint)


def anything(images: Image, others: Image, rng: np.random.Generator) -> Image:
    """Each of `images` ((n,48,48) uint8) with some thing before some part of the face; `others` lend pieces."""
    makers = (board, cloth, hand, piece_of(others))
    found = []
    for image in images:
        if rng.random() < 0.25:
            found.append(glasses(image, rng))
            continue
        at = (rng.uniform(0.12, 0.88) * SIDE, rng.uniform(0.16, 0.92) * SIDE) if rng.random() < 0.6 else MOUTH
        found.append(makers[rng.integers(len(makers))](image, rng, at)[0])
    return np.stack(found)


def piece_of(others: Image) -> Occluder:
    """An occluder that is a piece of one of `others` ((n,48,48) uint8), with soft edges."""

    def piece(image: Image, rng: np.random.Generator, at: Place) -> tuple[Image, Opacity]:
        other = others[rng.integers(len(others))]
        y, x = rng.integers(0, 16, 2)
        part = cv2.resize(other[y : y + 32, x : x + 32], (SIDE, SIDE), interpolation=cv2.INTER_LINEAR)
        part = np.rot90(part, int(rng.integers(1, 4)))
        opacity, reach = _canvas(), (rng.uniform(0.2, 0.42) * SIDE, rng.uniform(0.13, 0.3) * SIDE)
        centre, axes = ((round(a * _FINE), round(b * _FINE)) for a, b in (at, reach))
        cv2.ellipse(opacity, centre, axes, float(rng.uniform(-40, 40)), 0, 360, 255, -1)
        soft = np.asarray(cv2.GaussianBlur(_shrunk(opacity), (0, 0), rng.uniform(0.3, 1.2)), np.float32)
        return _covered(image, soft, part.astype(np.float32))

    return piece


def _finger(ends: tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]], width: float) -> Opacity:
    opacity = _canvas()
    first, last = ((round(float(end[0]) * _FINE), round(float(end[1]) * _FINE)) for end in ends)
    cv2.line(opacity, first, last, 255, max(1, round(width * _FINE)))
    return _shrunk(opacity)


def _plain(rng: np.random.Generator, shade: float, grain: float) -> npt.NDArray[np.float32]:
    """Of one shade, with a slope of light and grain."""
    y, x = np.mgrid[:SIDE, :SIDE] / SIDE - 0.5
    slopes = rng.normal(0, 18, 2)
    paint = shade + slopes[0] * x + slopes[1] * y + rng.normal(0, rng.uniform(0.5, grain), (SIDE, SIDE))
    return np.asarray(cv2.GaussianBlur(paint.astype(np.float32), (0, 0), 0.5), np.float32)


def _canvas() -> Image:
    return np.zeros((SIDE * _FINE, SIDE * _FINE), np.uint8)


def _shrunk(opacity: Image) -> Opacity:
    return np.asarray(cv2.resize(opacity, (SIDE, SIDE), interpolation=cv2.INTER_AREA), np.float32) / np.float32(255)


def _covered(image: Image, opacity: Opacity, paint: npt.NDArray[np.float32]) -> tuple[Image, Opacity]:
    return _grey(image * (1 - opacity) + paint * opacity), opacity


def _grey(values: npt.NDArray[np.floating]) -> Image:
    return np.asarray(np.clip(np.rint(values), 0, 255), np.uint8)
