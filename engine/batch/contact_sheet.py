"""One picture of the files that a model reads most wrongly, to be looked at."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np

from mien.engine.batch.labelled_clips import Answer
from mien.engine.drawing.text import draw_text, line_height, text_width
from mien.engine.types import RgbImage

COLUMNS: Final = 6
MOST: Final = 30
_FACE: Final = 160
_GAP: Final = 16
_TEXT: Final = 14
_BACKGROUND: Final = (250, 250, 250)
_INK: Final = (30, 30, 34)
_FAINT: Final = (105, 105, 115)


def worst(answers: Sequence[Answer], labels: Sequence[str], most: int = MOST) -> list[Answer]:
    """The wrong answers with a face, the surest first."""

    def wrong(answer: Answer) -> bool:
        return answer.probabilities is not None and labels[int(answer.probabilities.argmax())] != answer.file.label

    found = [answer for answer in answers if wrong(answer)]
    return sorted(found, key=lambda answer: -float(np.max(answer.probabilities)))[:most]  # type: ignore[arg-type]


def contact_sheet(answers: Sequence[Answer], labels: Sequence[str]) -> RgbImage:
    """The faces of `answers` in rows, each with its label, what was read instead, and its file's name.

    Returns:
        (H,W,3) uint8 RGB; a line of text where there are none.
    """
    line = line_height(_TEXT)
    cell_height = _FACE + 3 * line + _GAP + 6
    columns = max(min(COLUMNS, len(answers)), 2)
    rows = max(-(-len(answers) // columns), 1)
    sheet = np.empty((_GAP + rows * cell_height, _GAP + columns * (_FACE + _GAP), 3), np.uint8)
    sheet[:] = _BACKGROUND
    if not answers:
        draw_text(sheet, "No errors.", _GAP, _GAP, _TEXT, _INK)
    for number, answer in enumerate(answers):
        if answer.crop is None or answer.probabilities is None:
            continue
        x = _GAP + number % columns * (_FACE + _GAP)
        y = _GAP + number // columns * cell_height
        sheet[y : y + _FACE, x : x + _FACE] = cv2.resize(answer.crop, (_FACE, _FACE), interpolation=cv2.INTER_CUBIC)
        read = int(answer.probabilities.argmax())
        lines = (
            (f"is {answer.file.label}", _INK, True),
            (f"read {labels[read]}, {answer.probabilities[read]:.0%}", _INK, False),
            (answer.file.path.name, _FAINT, False),
        )
        for row, (text, colour, bold) in enumerate(lines):
            draw_text(sheet, _fitted(text, bold), x, y + _FACE + 6 + row * line, _TEXT, colour, bold=bold)
    return sheet


def _fitted(text: str, bold: bool) -> str:
    """`text`, shortened in the middle where it is wider than a face."""
    keep = len(text)
    short = text
    while text_width(short, _TEXT, bold=bold) > _FACE and keep > 4:
        keep -= 1
        short = f"{text[: keep // 2]}…{text[len(text) - (keep - keep // 2) :]}"
    return short
