"""Captions as real data have them: missing ones, and ones that are longer than the text encoder reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from mien.models.data.entries import ClipEntry
from mien.models.networks.tokens import count_tokens

DASH: Final = "-"
"""What EmoCLIP puts in the place of a caption that is missing."""

CHOICES: Final = ("dash", "skip")


@dataclass(frozen=True, slots=True)
class CaptionCounts:
    """What was found in `clips` clips: captions that are missing, and such as are cut."""

    clips: int
    missing: int
    cut: int

    def lines(self, choice: str) -> list[str]:
        """What to tell the user; nothing where all is well."""
        done = 'get "-" for it' if choice == "dash" else "are skipped"
        found = [f"{self.missing} of {self.clips} clips have no caption and {done}"] if self.missing else []
        return found + ([f"{self.cut} captions are longer than the text encoder reads and are cut"] if self.cut else [])


def with_captions(entries: Sequence[ClipEntry], choice: str) -> tuple[list[ClipEntry], CaptionCounts]:
    """`entries` that all have captions.

    Args:
        choice: "dash": a clip without one gets `DASH`; "skip": it is left out.
    """
    missing = sum(not entry.caption for entry in entries)
    if choice == "skip":
        kept = [entry for entry in entries if entry.caption]
    else:
        kept = [entry if entry.caption else replace(entry, caption=DASH) for entry in entries]
    lengths = count_tokens([entry.caption for entry in kept])
    return kept, CaptionCounts(len(entries), missing, sum(length > 77 for length in lengths))
