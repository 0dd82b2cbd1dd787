"""The named parts of a recording, for players that list them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import av.container


@dataclass(frozen=True, slots=True)
class Chapter:
    """A named part of a recording, from `start_s` to `end_s` seconds after its beginning."""

    start_s: float
    end_s: float
    title: str


def set_chapters(container: av.container.OutputContainer, chapters: Sequence[Chapter]) -> None:
    """Name the parts of a file that is about to be closed."""
    named: list[Any] = [  # PyAV 19's stubs ask for a type that older releases do not have
        {
            "id": number,
            "start": round(chapter.start_s * 1000),
            "end": max(round(chapter.end_s * 1000), round(chapter.start_s * 1000) + 1),
            "time_base": Fraction(1, 1000),
            "metadata": {"title": chapter.title},
        }
        for number, chapter in enumerate(chapters, start=1)
    ]
    container.set_chapters(named)
