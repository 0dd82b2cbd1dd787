"""Colours that mean the same everywhere: one for each person, one for each expression."""

from __future__ import annotations

from typing import Final

Rgb = tuple[int, int, int]

PALETTE: Final[tuple[Rgb, ...]] = (
    (230, 159, 0), (86, 180, 233), (0, 200, 140), (240, 228, 66), (213, 94, 0), (204, 121, 167),
)  # fmt: skip
"""Of people. Okabe and Ito's, which colour-blind people can tell apart; the darkest (black, blue) are left out, as the
colours stand on dark panels."""

SERIES: Final = (
    "#B8C0CC", "#E69F00", "#56B4E9", "#7F9BFF", "#F0703A", "#00C896", "#E08CBF", "#F0E442",
)  # fmt: skip
"""Of labels, in the model's order, on dark ground. Okabe and Ito's, shifted in lightness so that each stands out."""


def track_colour(track_id: int) -> Rgb:
    """The colour of one track, the same everywhere and always."""
    return PALETTE[(track_id - 1) % len(PALETTE)]


def label_colour(index: int) -> Rgb:
    """The colour of the label `index`, as in the window's charts and bars."""
    code = SERIES[index % len(SERIES)].lstrip("#")
    return int(code[:2], 16), int(code[2:4], 16), int(code[4:], 16)


def mixed(one: Rgb, other: Rgb, share: float) -> Rgb:
    """`share` (0 to 1) of `one`, and the rest of `other`."""
    red, green, blue = (round(share * a + (1 - share) * b) for a, b in zip(one, other, strict=True))
    return red, green, blue
