"""The one-page report of a recording: timeline and shares of expressions, as PDF or PNG."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QBuffer, QCoreApplication, QIODevice, QMarginsF, QRectF, QSizeF, Qt
from PySide6.QtGui import QFont, QImage, QPageSize, QPainter, QPalette, QPdfWriter, QPen
from PySide6.QtWidgets import QApplication

from mien.app.gui.look.palette import paper_palette, series_colour
from mien.app.gui.look.widgets import clock
from mien.app.gui.review.chart import ChartPainter
from mien.engine.errors import ReviewError

if TYPE_CHECKING:
    from mien.engine.review.session import RecordedSession

_WIDTH, _HEIGHT = 1190.0, 842.0  # A4 across, in units of 1/1190 of its width
_MARGIN = 60.0
_PEOPLE = 6
_SCALE_OF_PNG = 2


def _tr(text: str) -> str:
    return QCoreApplication.translate("Report", text)


def save_report(session: RecordedSession, title: str, path: Path) -> None:
    """Write the report to `path`: a PNG where it ends in .png, else a PDF.

    Raises:
        ReviewError: the file cannot be written, or is one of the recording's own.
    """
    from mien.engine.review.selected import save_export

    buffer = QBuffer()
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    if path.suffix.lower() == ".png":
        done = draw_png(session, title).save(buffer, "PNG")  # type: ignore[call-overload]
    else:
        # Into memory first: Qt says nothing of a disk that is full.
        writer = QPdfWriter(buffer)
        writer.setTitle(title)
        writer.setCreator("Mien")
        writer.setPageSize(QPageSize(QSizeF(297, 210), QPageSize.Unit.Millimeter))
        writer.setPageMargins(QMarginsF(0, 0, 0, 0))
        writer.setResolution(300)
        painter = QPainter(writer)
        done = painter.isActive()
        if done:
            painter.scale(writer.width() / _WIDTH, writer.width() / _WIDTH)
            _Page(painter).draw(session, title)
            painter.end()
    if not done:
        raise ReviewError(f"{path}: cannot be drawn; there may be too little memory")
    save_export(session, path, bytes(buffer.data().data()))


def draw_png(session: RecordedSession, title: str) -> QImage:
    """The page as an image."""
    image = QImage(round(_WIDTH * _SCALE_OF_PNG), round(_HEIGHT * _SCALE_OF_PNG), QImage.Format.Format_RGB32)
    image.fill(Qt.GlobalColor.white)
    painter = QPainter(image)
    painter.scale(_SCALE_OF_PNG, _SCALE_OF_PNG)
    _Page(painter).draw(session, title)
    painter.end()
    return image


class _Page:
    """Draws in units of the page; fonts are given in these units, whatever the device's resolution."""

    def __init__(self, painter: QPainter) -> None:
        self._p = painter
        self._palette: QPalette = paper_palette()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)

    def _font(self, size: int, *, bold: bool = False) -> QFont:
        font = QFont(QApplication.font().family())
        font.setPixelSize(size)
        font.setWeight(QFont.Weight.DemiBold if bold else QFont.Weight.Normal)
        return font

    def _text(self, x: float, y: float, text: str, size: int, *, bold: bool = False, muted: bool = False) -> float:
        self._p.setFont(self._font(size, bold=bold))
        self._p.setPen(self._palette.color(QPalette.ColorRole.Dark if muted else QPalette.ColorRole.WindowText))
        area = QRectF(x, y, _WIDTH - x - _MARGIN, size * 1.6)
        text = self._p.fontMetrics().elidedText(text, Qt.TextElideMode.ElideMiddle, int(area.width()))
        self._p.drawText(area, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop, text)
        return y + size * 1.6

    def draw(self, session: RecordedSession, title: str) -> None:
        y = self._text(_MARGIN, 48, title, 26, bold=True)
        people = len(session.tracks)
        facts = [
            clock(session.duration_s),
            _tr("1 person") if people == 1 else _tr("{count} people").format(count=people),
        ]
        if session.markers:
            facts.append(_tr("{count} markers").format(count=len(session.markers)))
        y = self._text(_MARGIN, y + 2, " · ".join(facts), 14, muted=True) + 14
        y = self._text(_MARGIN, y, _tr("Expressions over time"), 15, bold=True)
        chart = ChartPainter(session, self._palette, self._font(12))
        room = _HEIGHT * 0.36
        fit = min(1.0, room / chart.height())
        self._p.save()
        self._p.translate(_MARGIN, y + 2)
        self._p.scale(1.0, fit)
        chart.paint(self._p, QRectF(0, 0, _WIDTH - 2 * _MARGIN, chart.height()))
        self._p.restore()
        y += chart.height() * fit + 6
        y = self._legend(session.labels, y) + 22
        y = self._text(_MARGIN, y, _tr("Share of each expression (confident predictions only)"), 15, bold=True) + 4
        self._shares(session, y)
        note = _tr(
            "Mien estimates which expression a face shows, not what a person feels; it is often wrong. "
            "Do not base decisions about people on this page."
        )
        self._p.setPen(QPen(self._palette.color(QPalette.ColorRole.Mid), 1))
        self._p.drawLine(round(_MARGIN), round(_HEIGHT - 58), round(_WIDTH - _MARGIN), round(_HEIGHT - 58))
        self._text(_MARGIN, _HEIGHT - 48, note, 12, muted=True)

    def _legend(self, labels: tuple[str, ...], y: float) -> float:
        x = _MARGIN
        self._p.setFont(self._font(12))
        for index, name in enumerate(labels):
            width = self._p.fontMetrics().horizontalAdvance(name)
            if x + width + 24 > _WIDTH - _MARGIN:
                x, y = _MARGIN, y + 20
            self._p.setPen(Qt.PenStyle.NoPen)
            self._p.setBrush(series_colour(index, self._palette))
            self._p.drawRoundedRect(QRectF(x, y + 3, 11, 11), 3, 3)
            self._p.setPen(self._palette.color(QPalette.ColorRole.WindowText))
            self._p.drawText(QRectF(x + 17, y, width + 4, 18), Qt.AlignmentFlag.AlignVCenter, name)
            x += width + 40
        return y + 18

    def _shares(self, session: RecordedSession, y: float) -> None:
        """A bar for each person, cut into the shares of the expressions."""
        people = list(session.tracks)
        left, right = _MARGIN + 130, _WIDTH - _MARGIN
        room = _HEIGHT - 70 - y
        step = min(40.0, room / max(min(len(people), _PEOPLE), 1))
        for track_id in people[:_PEOPLE]:
            shares = session.shares(track_id)
            self._p.setFont(self._font(13))
            self._p.setPen(self._palette.color(QPalette.ColorRole.WindowText))
            name = self._p.fontMetrics().elidedText(session.name_of(track_id), Qt.TextElideMode.ElideRight, 120)
            self._p.drawText(QRectF(_MARGIN, y, 124, step - 10), Qt.AlignmentFlag.AlignVCenter, name)
            x = left
            self._p.setFont(self._font(11, bold=True))
            for index, label in enumerate(session.labels):
                share = shares.share(label)
                width = share * (right - left)
                if width <= 0.5:
                    continue
                block = QRectF(x, y, width, step - 10)
                self._p.setPen(Qt.PenStyle.NoPen)
                self._p.setBrush(series_colour(index, self._palette))
                self._p.drawRect(block)
                text = f"{share * 100:.0f} %"
                if width > self._p.fontMetrics().horizontalAdvance(text) + 8:
                    self._p.setPen(Qt.GlobalColor.white)
                    self._p.drawText(block, Qt.AlignmentFlag.AlignCenter, text)
                x += width
            y += step
        if len(people) > _PEOPLE:
            self._text(_MARGIN, y, _tr("and {count} more").format(count=len(people) - _PEOPLE), 12, muted=True)
