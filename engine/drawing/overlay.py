"""Draws a scene on its frame. Screen and MP4 share it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import cv2
import numpy as np

from mien.engine.drawing.text import Rgb, draw_text, line_height, text_width
from mien.engine.types import Box, Face, Prediction, RgbImage, Scene, Status

# Okabe and Ito's palette, which colour-blind people can tell apart; the darkest (black, blue) left out, as the
# colours stand on dark panels.
PALETTE: Final[tuple[Rgb, ...]] = (
    (230, 159, 0), (86, 180, 233), (0, 200, 140), (240, 228, 66), (213, 94, 0), (204, 121, 167),
)  # fmt: skip
_WHITE: Final[Rgb] = (255, 255, 255)
_GREY: Final[Rgb] = (190, 190, 190)
_DIM: Final[Rgb] = (140, 140, 140)
_TRACK: Final[Rgb] = (70, 70, 70)
_DARK: Final[Rgb] = (16, 16, 16)
_LOST_LIGHT: Final = 0.45  # of a frame after which the signal was lost
_NAME_LENGTH: Final = 24
_NO_NAMES: Final[Mapping[int, str]] = MappingProxyType({})
_SIDES: Final = ("right", "left", "below", "above")  # of a panel with bars, the best first
_LINE_SIDES: Final = ("below", "above", "right", "left")  # of a single line

# How much is shown of each face, most first: rows of bars under a heading; 0 is one line of text.
_LEVELS: Final = (8, 3, 0)
_CROWDED: Final = 0.02  # a level is left when a panel must cover more than this share of itself with other things
_ROOMY: Final = 0.0  # and taken up again below this, so that it does not flicker


def track_colour(track_id: int) -> Rgb:
    """The colour of one track, the same everywhere and always."""
    return PALETTE[(track_id - 1) % len(PALETTE)]


@dataclass(frozen=True, slots=True)
class _Metrics:
    """Sizes in pixels that follow from the frame's size."""

    font: int
    pad: int
    line: int
    stroke: int
    label_width: int
    bar_width: int
    value_width: int

    @property
    def panel_width(self) -> int:
        return self.label_width + self.bar_width + self.value_width + 4 * self.pad

    def panel_size(self, rows: int) -> tuple[int, int]:
        """Width and height of a panel with `rows` rows of bars under its heading."""
        if rows == 0:
            return self.label_width + self.value_width + 3 * self.pad, self.line + self.pad
        return self.panel_width, (rows + 1) * self.line + 2 * self.pad


class Overlay:
    """Draws boxes, ids, states and probability bars.

    Args:
        labels: class names of the model.
        steps: T, how many steps a whole window has.
        note: a line at the bottom of every frame; "" for none.
        values: names of what it predicts beside the classes; they stand under the bars.

    Shows less of each face where there are many. Remembers how much that was, and on which side of each face its
    panel lay, so that panels do not jump. For one thread at a time.
    """

    def __init__(self, labels: Sequence[str], *, steps: int, note: str = "", values: Sequence[str] = ()) -> None:
        self._labels = tuple(labels)
        self.values = tuple(values)
        self._note = note
        self._steps = steps
        self._level = 0
        self._sides: dict[int, str] = {}
        self._metrics: dict[tuple[int, int], _Metrics] = {}

    def draw(
        self, scene: Scene, *, names: Mapping[int, str] = _NO_NAMES, hidden: Collection[int] = frozenset()
    ) -> RgbImage:
        """A copy of the scene's frame ((H,W,3) uint8 RGB) with everything drawn on it.

        Args:
            scene: what to draw.
            names: what to write on the boxes in place of the track ids, where there is a name.
            hidden: tracks whose numbers are not shown; their boxes are.
        """
        image = scene.frame.image.copy()
        self.draw_over(image, scene, names=names, hidden=hidden)
        return image

    def draw_over(
        self,
        image: RgbImage,
        scene: Scene,
        *,
        names: Mapping[int, str] = _NO_NAMES,
        hidden: Collection[int] = frozenset(),
        no_signal: str = "",
    ) -> None:
        """As `draw`, into `image` ((H,W,3) uint8 RGB), which has the size of the scene's own.

        Args:
            image: the scene's frame, or what is shown in its place.
            scene: what to draw.
            names: what to write on the boxes in place of the track ids, where there is a name.
            hidden: tracks whose numbers are not shown; their boxes are.
            no_signal: where the signal was lost after this scene, a line that says so; frame and numbers are dimmed.
        """
        height, width = image.shape[:2]
        metrics = self._metrics_of(width, height)
        if no_signal:
            image[:] = cv2.convertScaleAbs(image, alpha=_LOST_LIGHT)
        self._sides = {key: side for key, side in self._sides.items() if key in {f.track_id for f in scene.faces}}
        for face in scene.faces:
            tag = names.get(face.track_id) or str(face.track_id)
            _draw_box(image, face, metrics, tag, solid=face.observed and not no_signal)
        panels = self._arrange(scene.faces, metrics, width, height, hidden)
        for face in scene.faces:
            if face.track_id in hidden:
                continue
            prediction = scene.predictions.get(face.track_id)
            status = Status.OCCLUDED if no_signal else scene.status(face)
            heading = "no signal" if no_signal else self._heading(status, prediction)
            self._draw_panel(image, panels[face.track_id], face, status, heading, prediction, metrics)
        if self._note:
            self._draw_note(image, metrics)
        if no_signal:
            self._draw_lost(image, metrics, no_signal)

    def draw_no_signal(self, image: RgbImage, text: str) -> None:
        """Only dim `image` ((H,W,3) uint8 RGB) and write `text` on it: the signal was lost."""
        height, width = image.shape[:2]
        image[:] = cv2.convertScaleAbs(image, alpha=_LOST_LIGHT)
        self._draw_lost(image, self._metrics_of(width, height), text)

    def _draw_lost(self, image: RgbImage, m: _Metrics, text: str) -> None:
        """At the top in the middle: faces and the window's own messages are further down."""
        wide = text_width(text, m.font, bold=True) + 4 * m.pad
        left = max(0, (image.shape[1] - wide) // 2)
        _fill(image, left, m.pad, wide, m.line + 2 * m.pad, _DARK)
        draw_text(image, text, left + 2 * m.pad, 2 * m.pad, m.font, _WHITE, bold=True)

    def _metrics_of(self, width: int, height: int) -> _Metrics:
        if (width, height) not in self._metrics:
            self._metrics[width, height] = self._measure(width, height)
        return self._metrics[width, height]

    def _draw_note(self, image: RgbImage, m: _Metrics) -> None:
        top = image.shape[0] - m.line - m.pad
        _shade(image, 0, top, text_width(self._note, m.font) + 2 * m.pad, m.line + m.pad)
        draw_text(image, self._note, m.pad, top, m.font, _WHITE)

    def _arrange(
        self, faces: Sequence[Face], m: _Metrics, width: int, height: int, hidden: Collection[int] = frozenset()
    ) -> dict[int, Box]:
        """Where the panel of each face but the `hidden` goes, at the highest level at which they keep clear."""
        # Large faces first: they have the best claim to the space beside them.
        order = sorted((f for f in faces if f.track_id not in hidden), key=lambda face: -face.box.area)
        before = self._level
        for level in range(len(_LEVELS)):
            sides = dict(self._sides)
            panels: dict[int, Box] = {}
            worst = 0.0
            for face in order:
                others = [other.box for other in faces if other is not face] + list(panels.values())
                rows = min(_LEVELS[level], len(self._labels))
                size = m.panel_size(rows + len(self.values) if rows else 0)
                order_of_sides = _SIDES if _LEVELS[level] else _LINE_SIDES
                places = _places(face.box, size, m)
                panel, side, covered = _place(
                    face.box,
                    {side: places[side] for side in order_of_sides},
                    size,
                    others,
                    (width, height),
                    sides.get(face.track_id),
                )
                panels[face.track_id], sides[face.track_id] = panel, side
                worst = max(worst, covered)
            if worst <= (_ROOMY if level < before else _CROWDED) or level == len(_LEVELS) - 1:
                break
        self._level, self._sides = level, sides
        return panels

    def _measure(self, width: int, height: int) -> _Metrics:
        rows = min(len(self._labels), _LEVELS[0]) + len(self.values) + 1
        font = int(np.clip(min(width / 1.5, height) / 34, 9, 40))
        font = max(7, min(font, int(height * 0.9 / rows / 1.45)))
        while True:
            # Bold, as the row of the most probable label is.
            label_width = max(text_width(_short(label), font, bold=True) for label in (*self._labels, *self.values))
            value_width = text_width("100 %", font, bold=True)
            metrics = _Metrics(
                font=font,
                pad=max(3, font // 3),
                line=line_height(font) + max(1, font // 8),
                stroke=max(1, round(font / 8)),
                label_width=label_width,
                bar_width=round(font * 4.5),
                value_width=value_width,
            )
            if metrics.panel_width <= 0.6 * width or font <= 7:
                return metrics
            font -= 1

    def _rows(self, prediction: Prediction | None) -> list[int]:
        """Indices of the labels to show, in the model's order; the most probable where not all have room."""
        count, most = len(self._labels), _LEVELS[self._level]
        if prediction is None or count <= most:
            return list(range(min(count, most)))
        return sorted(np.argsort(-prediction.probabilities, kind="stable")[:most].tolist())

    def _heading(self, status: Status, prediction: Prediction | None) -> str:
        """What the viewer must know before believing the bars."""
        if status is Status.OCCLUDED:
            return "hidden"
        if status is Status.WARMING:
            return f"warming up {prediction.steps if prediction else 0}/{self._steps}"
        if prediction is None:
            return ""
        if prediction.uncertain:
            return "uncertain"
        return ", ".join(prediction.flaws) or _short(self._labels[prediction.label])

    def _draw_panel(
        self,
        image: RgbImage,
        panel: Box,
        face: Face,
        status: Status,
        heading: str,
        prediction: Prediction | None,
        m: _Metrics,
    ) -> None:
        x, y = round(panel.x), round(panel.y)
        _shade(image, x, y, round(panel.width), round(panel.height))
        left, top = x + m.pad, y + (m.pad if _LEVELS[self._level] else m.pad // 2)
        colour = track_colour(face.track_id)
        live = status in {Status.OK, Status.UNCERTAIN}
        sure = status is Status.OK and prediction is not None and not prediction.flaws
        if sure and prediction is not None and not _LEVELS[self._level]:
            heading += f" {prediction.probabilities[prediction.label] * 100:.0f} %"
        draw_text(image, heading, left, top, m.font, colour if sure else _GREY, bold=sure)
        best = prediction.label if prediction is not None else -1
        for number, index in enumerate(self._rows(prediction), start=1):
            row = top + number * m.line
            strong = index == best and status is not Status.OCCLUDED
            ink = _WHITE if strong else _GREY if status is not Status.OCCLUDED else _DIM
            draw_text(image, _short(self._labels[index]), left, row, m.font, ink, bold=strong)
            bar_x = left + m.label_width + m.pad
            bar_y, bar_height = row + m.line // 4, max(2, m.line // 2)
            _fill(image, bar_x, bar_y, m.bar_width, bar_height, _TRACK)
            if prediction is None:
                continue
            share = float(prediction.probabilities[index])
            # Full colour only for numbers that rest on a whole window.
            tint = colour if live else _DIM
            _fill(image, bar_x, bar_y, round(share * m.bar_width), bar_height, tint)
            value = f"{share * 100:.0f} %"
            at = bar_x + m.bar_width + m.pad + m.value_width - text_width(value, m.font, bold=strong)
            draw_text(image, value, at, row, m.font, ink, bold=strong)
        if prediction is not None and _LEVELS[self._level]:
            ink = _WHITE if live else _DIM
            right = x + round(panel.width) - m.pad
            for number, name in enumerate(self.values, start=1 + len(self._rows(prediction))):
                value = f"{prediction.values[name]:.2f}" if name in prediction.values else ""
                draw_text(image, _short(name), left, top + number * m.line, m.font, ink)
                draw_text(image, value, right - text_width(value, m.font), top + number * m.line, m.font, ink)


def _places(box: Box, size: tuple[int, int], m: _Metrics) -> dict[str, tuple[float, float]]:
    """Top left corners of a panel of `size` on each side of `box`; above it, the box has its tag."""
    w, h = size
    return {
        "right": (box.right + m.pad, box.y),
        "left": (box.x - m.pad - w, box.y),
        "below": (box.x, box.bottom + m.pad),
        "above": (box.x, box.y - m.line - m.pad - h),
    }


def _place(
    box: Box,
    places: Mapping[str, tuple[float, float]],
    size: tuple[int, int],
    others: Sequence[Box],
    bounds: tuple[int, int],
    last: str | None,
) -> tuple[Box, str, float]:
    """The place beside `box` that covers least of the other faces, of other panels and of the face itself.

    Args:
        box: the face.
        places: top left corners to choose from, by side, the preferred first.
        size, bounds: width and height of the panel and of the frame.
        others: what should not be covered.
        last: the side that it was on in the frame before.

    Returns:
        The panel, the side of the box that it lies on, and the share of it that covers what it should not.
    """
    (w, h), (width, height) = size, bounds
    found: list[tuple[float, Box, str, float]] = []
    for order, (side, (x, y)) in enumerate(places.items()):
        # Kept inside the frame: a panel that is pushed over its own face is better than one cut off.
        panel = Box(max(0.0, min(x, width - w)), max(0.0, min(y, height - h)), w, h)
        foreign = sum(panel.intersection(other) for other in others) / (w * h)
        own = panel.intersection(box) / max(box.area, 1.0)
        cost = 3 * foreign + own + 0.02 * order - (0.25 if side == last else 0.0)
        # Covering a fifth of its own face is accepted: where a face fills the frame, there is no other place.
        found.append((cost, panel, side, foreign + max(0.0, own - 0.2)))
    _, panel, side, covered = min(found, key=lambda item: item[0])
    return panel, side, covered


def _short(label: str) -> str:
    return label if len(label) <= 16 else label[:15] + "…"


def _draw_box(image: RgbImage, face: Face, m: _Metrics, tag: str, *, solid: bool) -> None:
    colour = track_colour(face.track_id)
    x0, y0 = round(face.box.x), round(face.box.y)
    x1, y1 = round(face.box.right), round(face.box.bottom)
    if solid:
        cv2.rectangle(image, (x0, y0), (x1, y1), colour, m.stroke, cv2.LINE_AA)
    else:
        _dashed(image, x0, y0, x1, y1, colour, m.stroke)
    tag = tag if len(tag) <= _NAME_LENGTH else tag[: _NAME_LENGTH - 1] + "…"
    tag_width = text_width(tag, m.font, bold=True) + 2 * m.pad
    top = y0 - m.line if y0 >= m.line else y0
    left = min(max(x0 - m.stroke // 2, 0), image.shape[1] - tag_width)
    _fill(image, left, top, tag_width, m.line, colour)
    draw_text(image, tag, left + m.pad, top, m.font, _DARK, bold=True)


def _dashed(image: RgbImage, x0: int, y0: int, x1: int, y1: int, colour: Rgb, stroke: int) -> None:
    dash = max(4, 4 * stroke)
    for x in range(x0, x1, 2 * dash):
        for y in (y0, y1):
            cv2.line(image, (x, y), (min(x + dash, x1), y), colour, stroke)
    for y in range(y0, y1, 2 * dash):
        for x in (x0, x1):
            cv2.line(image, (x, y), (x, min(y + dash, y1)), colour, stroke)


def _shade(image: RgbImage, x: int, y: int, width: int, height: int) -> None:
    """Darken a rectangle so that light text stands out on any frame."""
    area = image[max(y, 0) : max(y + height, 0), max(x, 0) : max(x + width, 0)]
    if area.size:
        area[:] = cv2.convertScaleAbs(area, alpha=0.35)


def _fill(image: RgbImage, x: int, y: int, width: int, height: int, colour: Rgb) -> None:
    image[max(y, 0) : max(y + height, 0), max(x, 0) : max(x + width, 0)] = colour
