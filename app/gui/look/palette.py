"""The colours of each theme, and those that tell labels apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from PySide6.QtGui import QColor, QPalette

from mien.engine.drawing.colours import SERIES


@dataclass(frozen=True, slots=True)
class Colours:
    """One theme; every text colour has a contrast of 4.5 : 1 on its surfaces (7 : 1 in high contrast).

    Attributes:
        window: behind everything; surface: cards, bars, dialogs; inset: fields and tracks of bars.
        border: hairlines; text, muted: inks; accent, on_accent: the one accent colour and the ink on it.
        hover: what lies under the pointer; danger, on_danger: recording and failures.
        notice, notice_ink: bars that tell what happened.
        stage: around the live view.
    """

    window: str
    surface: str
    inset: str
    border: str
    text: str
    muted: str
    accent: str
    on_accent: str
    hover: str
    danger: str
    on_danger: str
    notice: str
    notice_ink: str
    stage: str
    dark: bool
    contrast: bool = False


LIGHT: Final = Colours(
    window="#F4F5F8", surface="#FFFFFF", inset="#ECEEF3", border="#DADEE6", text="#161A22", muted="#586172",
    accent="#2F5BD8", on_accent="#FFFFFF", hover="#E6E9F0", danger="#C62F2F", on_danger="#FFFFFF",
    notice="#FFF3D9", notice_ink="#5C3D00", stage="#12151B", dark=False,
)  # fmt: skip


DARK: Final = Colours(
    window="#14171D", surface="#1C2027", inset="#282E38", border="#343B47", text="#EEF0F4", muted="#A4ADBD",
    accent="#8CA8FF", on_accent="#0E1526", hover="#2B313C", danger="#F0645F", on_danger="#1A0606",
    notice="#3A2F17", notice_ink="#FFE2A8", stage="#0B0D11", dark=True,
)  # fmt: skip


CONTRAST_LIGHT: Final = Colours(
    window="#FFFFFF", surface="#FFFFFF", inset="#FFFFFF", border="#000000", text="#000000", muted="#1F1F1F",
    accent="#0026B3", on_accent="#FFFFFF", hover="#DCE4FF", danger="#A30000", on_danger="#FFFFFF",
    notice="#FFF6C2", notice_ink="#000000", stage="#000000", dark=False, contrast=True,
)  # fmt: skip


CONTRAST_DARK: Final = Colours(
    window="#000000", surface="#000000", inset="#000000", border="#FFFFFF", text="#FFFFFF", muted="#E6E6E6",
    accent="#FFD84D", on_accent="#000000", hover="#333300", danger="#FF8A80", on_danger="#000000",
    notice="#000000", notice_ink="#FFD84D", stage="#000000", dark=True, contrast=True,
)  # fmt: skip


# Okabe and Ito's palette; its blue and black are shifted in lightness so that each stands out on its surface.
SERIES_LIGHT: Final = (
    "#5B6472", "#D98200", "#4AA3DF", "#1D4E9E", "#C0460A", "#00805F", "#B4568C", "#8A7A00",
)  # fmt: skip


SERIES_DARK: Final = SERIES
"""As they are drawn on videos."""


def series_colour(index: int, palette: QPalette) -> QColor:
    """The colour of the label `index` in charts and bars: distinguishable for colour-blind people up to eight."""
    series = SERIES_DARK if palette.window().color().lightness() < 128 else SERIES_LIGHT
    return QColor(series[index % len(series)])


def paper_palette() -> QPalette:
    """Colours for what is printed."""
    return qt_palette(LIGHT)


def qt_palette(c: Colours) -> QPalette:
    """Qt's palette in the colours of a theme."""
    role = QPalette.ColorRole
    palette = QPalette()
    for name, colour in {
        role.Window: c.window, role.WindowText: c.text, role.Base: c.surface, role.AlternateBase: c.inset,
        role.Text: c.text, role.PlaceholderText: c.muted, role.Button: c.surface, role.ButtonText: c.text,
        role.BrightText: c.danger, role.Highlight: c.accent, role.HighlightedText: c.on_accent, role.Accent: c.accent,
        role.Link: c.accent, role.Mid: c.border, role.Midlight: c.hover, role.Dark: c.muted, role.Shadow: c.stage,
        role.Light: c.surface, role.ToolTipBase: c.text, role.ToolTipText: c.window,
    }.items():  # fmt: skip
        palette.setColor(name, QColor(colour))
    faint = QColor(c.muted)
    faint.setAlpha(130)
    for name in (role.WindowText, role.Text, role.ButtonText):
        palette.setColor(QPalette.ColorGroup.Disabled, name, faint)
    return palette
