"""Sizes of everything that is drawn: they follow from the frame's size, not from that of a face."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from mien.engine.drawing.text import line_height, text_width
from mien.engine.settings import OverlayStyle

_LINES: Final = 40  # lines of text that would fill a frame from top to bottom
_LARGEST: Final = 40  # pixels, before the user's own factor
_SMALLEST: Final = 12  # smaller letters cannot be read on a frame
_LONGEST_LABEL: Final = 16
_LONGEST_NAME: Final = 24
STATES: Final = ("warming up", "uncertain", "no signal", "hidden")


@dataclass(frozen=True, slots=True)
class Metrics:
    """Sizes in pixels.

    Attributes:
        font: of letters.
        pad: between things in a panel, and between a head and its panel.
        line: height of a line of text.
        stroke: of boxes.
        bar: thickness of bars.
        word_width: of the longest label or state, in bold.
        label_width: of the longest label, in bold.
        value_width: of "100 %".
        bar_width: of the bars in a panel.
    """

    font: int
    pad: int
    line: int
    stroke: int
    bar: int
    word_width: int
    label_width: int
    value_width: int
    bar_width: int

    def tag_size(self, chip_width: int, *, bar: bool) -> tuple[int, int]:
        """Width and height of a tag whose name is `chip_width` wide."""
        height = self.line + self.pad // 2 + (self.bar + self.pad // 2 if bar else 0)
        return chip_width + self.pad + self.word_width + self.pad, height

    def narrow_size(self, chip_width: int, *, bar: bool) -> tuple[int, int]:
        """Width and height of a tag whose word stands under the name."""
        height = self.tag_size(chip_width, bar=bar)[1] + self.line
        return max(chip_width, self.word_width + 2 * self.pad), height

    def panel_size(self, rows: int) -> tuple[int, int]:
        """Width and height of a panel with `rows` bars under its heading."""
        width = self.label_width + self.bar_width + self.value_width + 4 * self.pad
        return width, self.line + self.pad + rows * self.line + (self.pad if rows else 0)


def measure(width: int, height: int, labels: Sequence[str], style: OverlayStyle) -> Metrics:
    """The sizes for frames of `width` times `height` pixels."""
    font = min(max(min(width / 1.6, height) / _LINES, _SMALLEST), _LARGEST) * style.font_scale
    size = max(7, round(font))
    while True:
        words = [short(label) for label in labels]
        widths = [text_width(word, size, bold=True) for word in words]
        metrics = Metrics(
            font=size,
            pad=max(3, size // 3),
            line=line_height(size) + max(1, size // 8),
            stroke=max(1, round(size / 8 * (2 if style.high_contrast else 1))),
            bar=max(3, round(size * 0.32)),
            word_width=max([*widths, *(text_width(state, size, bold=True) for state in STATES)]),
            label_width=max(widths, default=0),
            value_width=text_width("100 %", size, bold=True),
            bar_width=round(size * 4.5),
        )
        if metrics.panel_size(1)[0] <= 0.8 * width or size <= 7:
            return metrics
        size -= 1


def short(label: str) -> str:
    """A label that is not too long to be drawn."""
    return label if len(label) <= _LONGEST_LABEL else label[: _LONGEST_LABEL - 1] + "…"


def short_name(name: str) -> str:
    """A name that is not too long to be drawn."""
    return name if len(name) <= _LONGEST_NAME else name[: _LONGEST_NAME - 1] + "…"
