"""Draws a scene on its picture. Screen and MP4 share it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from engine.lettering import Rgb, draw_text, line_height, text_width
from engine.records import Box, Face, Picture, Prediction, Scene, Status

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
_MAX_ROWS: Final = 8
_SIDES: Final = ("right", "left", "below", "above")


def colour_of(track_id: int) -> Rgb:
    """The colour of one track, the same everywhere and always."""
    return PALETTE[(track_id - 1) % len(PALETTE)]


@dataclass(frozen=True, slots=True)
class _Metrics:
    """Sizes in pixels that follow from the picture's size."""

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

    def panel_height(self, rows: int) -> int:
        return (rows + 1) * self.line + 2 * self.pad


class Overlay:
    """Draws boxes, ids, states and probability bars.

    Args:
        labels: class names of the model.
        steps: T, how many steps a whole window has.

    Remembers on which side of each face its bars were, so that they do not jump. For one thread at a time.
    """

    def __init__(self, labels: Sequence[str], *, steps: int) -> None:
        self._labels = tuple(labels)
        self._steps = steps
        self._sides: dict[int, str] = {}
        self._metrics: dict[tuple[int, int], _Metrics] = {}

    def draw(self, scene: Scene) -> Picture:
        """A copy of the scene's picture ((H,W,3) uint8 RGB) with everything drawn on it."""
        picture = scene.frame.picture.copy()
        height, width = picture.shape[:2]
        metrics = self._metrics.setdefault((width, height), self._measure(width, height))
        boxes = {face.track_id: face.box for face in scene.faces}
        self._sides = {key: side for key, side in self._sides.items() if key in boxes}
        for face in scene.faces:
            _draw_box(picture, face, metrics)
        placed: list[Box] = []
        # Large faces first: they have the best claim to the space beside them.
        for face in sorted(scene.faces, key=lambda face: -face.box.area):
            prediction = scene.predictions.get(face.track_id)
            rows = self._rows(prediction)
            others = [box for key, box in boxes.items() if key != face.track_id] + placed
            panel = self._place(face, len(rows), metrics, others, width, height)
            placed.append(panel)
            self._draw_panel(picture, panel, face, scene.status(face), prediction, rows, metrics)
        return picture

    def _measure(self, width: int, height: int) -> _Metrics:
        rows = min(len(self._labels), _MAX_ROWS) + 1
        font = int(np.clip(min(width / 1.5, height) / 30, 9, 40))
        font = max(7, min(font, int(height * 0.9 / rows / 1.45)))
        while True:
            label_width = max(text_width(_short(label), font) for label in self._labels)
            value_width = text_width("100 %", font)
            metrics = _Metrics(
                font, max(3, font // 3), line_height(font) + max(1, font // 8), max(1, round(font / 8)),
                label_width, round(font * 4.5), value_width,
            )  # fmt: skip
            if metrics.panel_width <= 0.6 * width or font <= 7:
                return metrics
            font -= 1

    def _rows(self, prediction: Prediction | None) -> list[int]:
        """Indices of the labels to show, in the model's order; the most probable where there are many."""
        count = len(self._labels)
        if count <= _MAX_ROWS:
            return list(range(count))
        if prediction is None:
            return list(range(_MAX_ROWS))
        return sorted(np.argsort(-prediction.probabilities, kind="stable")[:_MAX_ROWS].tolist())

    def _place(self, face: Face, rows: int, m: _Metrics, others: Sequence[Box], width: int, height: int) -> Box:
        """The place beside `face` that covers least of the other faces, of other panels and of the face itself."""
        w, h = m.panel_width, m.panel_height(rows)
        box, gap = face.box, m.pad
        places = {
            "right": (box.right + gap, box.y),
            "left": (box.x - gap - w, box.y),
            "below": (box.x + box.width / 2 - w / 2, box.bottom + gap),
            "above": (box.x + box.width / 2 - w / 2, box.y - gap - h),
        }
        best, best_cost = Box(0, 0, w, h), float("inf")
        for order, side in enumerate(_SIDES):
            x, y = places[side]
            # Kept inside the picture: a panel that is pushed over its own face is better than one cut off.
            panel = Box(max(0.0, min(x, width - w)), max(0.0, min(y, height - h)), w, h)
            cost = 3 * sum(panel.intersection(other) for other in others) + panel.intersection(box)
            cost = cost / (w * h) + 0.02 * order - (0.25 if self._sides.get(face.track_id) == side else 0.0)
            if cost < best_cost:
                best, best_cost, chosen = panel, cost, side
        self._sides[face.track_id] = chosen
        return best

    def _heading(self, status: Status, prediction: Prediction | None) -> str:
        """What the viewer must know before believing the bars."""
        if status is Status.OCCLUDED:
            return "hidden"
        if status is Status.WARMING:
            return f"warming up {prediction.steps if prediction else 0}/{self._steps}"
        return "" if prediction is None else _short(self._labels[prediction.top])

    def _draw_panel(
        self,
        picture: Picture,
        panel: Box,
        face: Face,
        status: Status,
        prediction: Prediction | None,
        rows: Sequence[int],
        m: _Metrics,
    ) -> None:
        x, y = round(panel.x), round(panel.y)
        _shade(picture, x, y, round(panel.width), round(panel.height))
        left, top = x + m.pad, y + m.pad
        colour = colour_of(face.track_id)
        live = status is Status.OK
        heading_ink = colour if live else _GREY
        draw_text(picture, self._heading(status, prediction), left, top, m.font, heading_ink, bold=live)
        best = prediction.top if prediction is not None else -1
        for number, index in enumerate(rows, start=1):
            row = top + number * m.line
            strong = index == best and status is not Status.OCCLUDED
            ink = _WHITE if strong else _GREY if status is not Status.OCCLUDED else _DIM
            draw_text(picture, _short(self._labels[index]), left, row, m.font, ink, bold=strong)
            bar_x = left + m.label_width + m.pad
            bar_y, bar_height = row + m.line // 4, max(2, m.line // 2)
            _fill(picture, bar_x, bar_y, m.bar_width, bar_height, _TRACK)
            if prediction is None:
                continue
            share = float(prediction.probabilities[index])
            # Full colour only for numbers that rest on a whole window.
            tint = colour if live else _DIM
            _fill(picture, bar_x, bar_y, round(share * m.bar_width), bar_height, tint)
            value = f"{share * 100:.0f} %"
            at = bar_x + m.bar_width + m.pad + m.value_width - text_width(value, m.font, bold=strong)
            draw_text(picture, value, at, row, m.font, ink, bold=strong)


def _short(label: str) -> str:
    return label if len(label) <= 16 else label[:15] + "…"


def _draw_box(picture: Picture, face: Face, m: _Metrics) -> None:
    colour = colour_of(face.track_id)
    x0, y0 = round(face.box.x), round(face.box.y)
    x1, y1 = round(face.box.right), round(face.box.bottom)
    if face.observed:
        cv2.rectangle(picture, (x0, y0), (x1, y1), colour, m.stroke, cv2.LINE_AA)
    else:
        _dashed(picture, x0, y0, x1, y1, colour, m.stroke)
    tag = str(face.track_id)
    tag_width = text_width(tag, m.font, bold=True) + 2 * m.pad
    top = y0 - m.line if y0 >= m.line else y0
    left = min(max(x0 - m.stroke // 2, 0), picture.shape[1] - tag_width)
    _fill(picture, left, top, tag_width, m.line, colour)
    draw_text(picture, tag, left + m.pad, top, m.font, _DARK, bold=True)


def _dashed(picture: Picture, x0: int, y0: int, x1: int, y1: int, colour: Rgb, stroke: int) -> None:
    dash = max(4, 4 * stroke)
    for x in range(x0, x1, 2 * dash):
        for y in (y0, y1):
            cv2.line(picture, (x, y), (min(x + dash, x1), y), colour, stroke)
    for y in range(y0, y1, 2 * dash):
        for x in (x0, x1):
            cv2.line(picture, (x, y), (x, min(y + dash, y1)), colour, stroke)


def _shade(picture: Picture, x: int, y: int, width: int, height: int) -> None:
    """Darken a rectangle so that light text stands out on any picture."""
    area = picture[max(y, 0) : max(y + height, 0), max(x, 0) : max(x + width, 0)]
    if area.size:
        area[:] = cv2.convertScaleAbs(area, alpha=0.35)


def _fill(picture: Picture, x: int, y: int, width: int, height: int, colour: Rgb) -> None:
    picture[max(y, 0) : max(y + height, 0), max(x, 0) : max(x + width, 0)] = colour
