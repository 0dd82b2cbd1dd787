"""Line icons, drawn at any size and in the colours of the theme."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path
from typing import Final

from PySide6.QtCore import QByteArray, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QIcon, QIconEngine, QPainter, QPalette, QPixmap
from PySide6.QtSvg import QSvgRenderer
from PySide6.QtWidgets import QApplication

# On a grid of 24 x 24, strokes of 1.8; {fill} where a shape is solid.
_SHAPES: Final = {
    "camera": '<rect x="2.5" y="6" width="13" height="12" rx="2.5"/><path d="M15.5 10.5 21.5 7v10l-6-3.5"/>',
    "network": '<path d="M4 10a11.5 11.5 0 0 1 16 0M7 13.5a7 7 0 0 1 10 0"/><circle cx="12" cy="17.5" r="1.3" {fill}/>',
    "file": '<rect x="3.5" y="4" width="17" height="16" rx="2.5"/><path d="M10 9v6l5-3z" {fill}/>',
    "folder": '<path d="M3 7.5A2.5 2.5 0 0 1 5.5 5H9l2.2 2.5h7.3A2.5 2.5 0 0 1 21 10v7a2.5 2.5 0 0 1-2.5 2.5h-13A2.5 '
    '2.5 0 0 1 3 17z"/>',
    "demo": '<circle cx="12" cy="12" r="8.5"/><path d="M8.5 14a4 4 0 0 0 7 0"/><circle cx="9" cy="10" r="1" {fill}/>'
    '<circle cx="15" cy="10" r="1" {fill}/>',
    "record": '<circle cx="12" cy="12" r="6" {fill}/>',
    "stop": '<rect x="7" y="7" width="10" height="10" rx="1.5" {fill}/>',
    "snapshot": '<path d="M4 8.5A1.5 1.5 0 0 1 5.5 7H8l1.5-2.5h5L16 7h2.5A1.5 1.5 0 0 1 20 8.5v9a1.5 1.5 0 0 1-1.5 '
    '1.5h-13A1.5 1.5 0 0 1 4 17.5z"/><circle cx="12" cy="12.8" r="3.4"/>',
    "marker": '<path d="M6 21V4M6 4.5h11.5L15 8.5l2.5 4H6"/>',
    "fullscreen": '<path d="M4 9V4h5M15 4h5v5M20 15v5h-5M9 20H4v-5"/>',
    "pause": '<path d="M9 6v12M15 6v12"/>',
    "play": '<path d="M8 5.5v13l10.5-6.5z" {fill}/>',
    "previous": '<path d="M17 6v12l-8-6zM6 6v12"/>',
    "next": '<path d="M7 6v12l8-6zM18 6v12"/>',
    "eye": '<path d="M2.5 12S6 5.8 12 5.8 21.5 12 21.5 12 18 18.2 12 18.2 2.5 12 2.5 12z"/><circle cx="12" cy="12" '
    'r="2.8"/>',
    "eye-off": '<path d="M4 4l16 16M9.5 6.1A9 9 0 0 1 12 5.8c6 0 9.5 6.2 9.5 6.2a17 17 0 0 1-3 3.7M6.2 7.9A16.5 '
    '16.5 0 0 0 2.5 12S6 18.2 12 18.2a9 9 0 0 0 3.6-.8"/>',
    "mirror": '<path d="M12 3.5v17M8.500 7 3.500 17h5zM15.500 7l5 10h-5z"/>',
    "overlay": '<path d="M4 8V4h4M16 4h4v4M20 16v4h-4M8 20H4v-4"/><path d="M8.500 10h7M8.500 14h4"/>',
    "panel": '<rect x="3.500" y="4.500" width="17" height="15" rx="2.500"/><path d="M14.500 4.500v15"/>',
    "settings": '<path d="M4 7h9M17 7h3M4 17h3M11 17h9"/><circle cx="15" cy="7" r="2.200"/><circle cx="9" cy="17" '
    'r="2.200"/>',
    "model": '<path d="M12 3.500 20 8v8l-8 4.500L4 16V8zM4 8l8 4.500L20 8M12 12.500v8"/>',
    "list": '<path d="M9 6.500h11M9 12h11M9 17.500h11"/><circle cx="4.800" cy="6.500" r="1" {fill}/><circle cx="4.800" '
    'cy="12" r="1" {fill}/><circle cx="4.800" cy="17.500" r="1" {fill}/>',
    "close": '<path d="M6 6l12 12M18 6 6 18"/>',
    "warning": '<path d="M12 4 2.800 19.500h18.400zM12 10v4.500"/><circle cx="12" cy="17" r=".7" {fill}/>',
    "info": '<circle cx="12" cy="12" r="8.500"/><path d="M12 11v5.500"/><circle cx="12" cy="7.800" r=".8" {fill}/>',
    "check": '<path d="M5 12.500 10 17.500 19.500 7"/>',
    "chevron": '<path d="M6 9.500l6 6 6-6"/>',
    "export": '<path d="M12 15V4M8 7.500 12 3.500l4 4M4.500 14v4A2.500 2.500 0 0 0 7 20.500h10a2.500 2.500 0 0 0 '
    '2.500-2.500v-4"/>',
    "plus": '<path d="M12 5v14M5 12h14"/>',
    "loop": '<path d="M4.500 12a7 7 0 0 1 7-7H17M14.500 2.500 17 5l-2.500 2.500M19.500 12a7 7 0 0 1-7 7H7"/>'
    '<path d="M9.500 21.500 7 19l2.500-2.500"/>',
    "replay": '<path d="M5 12a7.500 7.500 0 1 0 2.500-5.600M7.500 2.500v4.500H12"/>',
    "screen": '<rect x="3" y="4.500" width="18" height="12" rx="2"/><path d="M9 20h6M12 16.500V20"/>',
    "mic": '<rect x="9" y="3" width="6" height="11" rx="3"/><path d="M5.500 11.500a6.500 6.500 0 0 0 13 0M12 18v3"/>',
    "more": '<circle cx="12" cy="5.500" r="1.500" {fill}/><circle cx="12" cy="12" r="1.500" {fill}/>'
    '<circle cx="12" cy="18.500" r="1.500" {fill}/>',
    "copy": '<rect x="8.500" y="8.500" width="11.500" height="11.500" rx="2"/><path d="M15.500 8.500V6a2 2 0 0 0-2-2H6'
    'a2 2 0 0 0-2 2v7.500a2 2 0 0 0 2 2h2.500"/>',
    "minus": '<path d="M5 12h14"/>',
    "pencil": '<path d="M4 20l1-4.500L16.500 4 20 7.500 8.500 19z"/>',
}  # fmt: skip

_Ink = QPalette.ColorRole


def svg(name: str, colour: str) -> bytes:
    """The icon `name` as an SVG file in `colour` (#RRGGBB)."""
    shape = _SHAPES[name].replace("{fill}", f'fill="{colour}"')
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24" fill="none" '
        f'stroke="{colour}" stroke-width="1.8" stroke-linecap="round" stroke-linejoin="round">{shape}</svg>'
    ).encode()


class _Engine(QIconEngine):
    """Paints an icon in the application's present colours, so that a change of theme needs no new icons."""

    def __init__(self, name: str, role: QPalette.ColorRole) -> None:
        super().__init__()
        self._name = name
        self._role = role

    def paint(self, painter: QPainter, rect: QRect, mode: QIcon.Mode, state: QIcon.State) -> None:
        palette = QApplication.palette()
        group = QPalette.ColorGroup.Disabled if mode == QIcon.Mode.Disabled else QPalette.ColorGroup.Active
        role = _Ink.Highlight if state == QIcon.State.On and mode != QIcon.Mode.Disabled else self._role
        paint_icon(painter, self._name, QRectF(rect), palette.color(group, role))

    def pixmap(self, size: QSize, mode: QIcon.Mode, state: QIcon.State) -> QPixmap:
        pixmap = QPixmap(size)
        pixmap.fill(Qt.GlobalColor.transparent)
        painter = QPainter(pixmap)
        self.paint(painter, QRect(0, 0, size.width(), size.height()), mode, state)
        painter.end()
        return pixmap

    def clone(self) -> QIconEngine:
        return _Engine(self._name, self._role)


def paint_icon(painter: QPainter, name: str, rect: QRectF, colour: QColor) -> None:
    """Draw the icon `name` into `rect`."""
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setOpacity(colour.alphaF())
    _renderer(name, colour.name()).render(painter, rect)
    painter.restore()


@cache
def _renderer(name: str, colour: str) -> QSvgRenderer:
    return QSvgRenderer(QByteArray(svg(name, colour)))


def icon(name: str, role: QPalette.ColorRole = _Ink.ButtonText) -> QIcon:
    """The icon `name`, in the palette's colour for `role`."""
    return QIcon(_Engine(name, role))


def app_icon() -> QIcon:
    """The application's own icon."""
    found = QIcon()
    for size in (16, 24, 32, 48, 64, 128, 256):
        pixmap = QPixmap(size, size)
        pixmap.fill(Qt.GlobalColor.transparent)
        painter = QPainter(pixmap)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        QSvgRenderer(QByteArray(_APP.encode())).render(painter, QRectF(0, 0, size, size))
        painter.end()
        found.addPixmap(pixmap)
    return found


@cache
def _folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="mien-icons-"))
    atexit.register(shutil.rmtree, folder, True)
    return folder


@cache
def icon_file(name: str, colour: str) -> str:
    """A file with an icon in `colour`: style sheets take images from files only."""
    path = _folder() / f"{name}-{colour[1:]}.svg"
    path.write_bytes(svg(name, colour))
    return path.as_posix()


_APP: Final = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 64">
<rect x="2" y="2" width="60" height="60" rx="15" fill="#2F5BD8"/>
<g fill="none" stroke="#FFFFFF" stroke-width="4" stroke-linecap="round" stroke-linejoin="round">
<path d="M14 24v-6a4 4 0 0 1 4-4h6M40 14h6a4 4 0 0 1 4 4v6M50 40v6a4 4 0 0 1-4 4h-6M24 50h-6a4 4 0 0 1-4-4v-6"/>
<path d="M22 37c3 5.500 17 5.500 20 0"/></g>
<circle cx="25" cy="27" r="3.200" fill="#FFFFFF"/><circle cx="39" cy="27" r="3.200" fill="#FFFFFF"/></svg>"""
