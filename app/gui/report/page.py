"""The report of a recording as PDF, PNG or web page: timeline, shares, and a table of figures for each person."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QBuffer, QIODevice, QMarginsF, QRectF, QSizeF, Qt
from PySide6.QtGui import QColor, QFont, QImage, QPageSize, QPainter, QPalette, QPdfWriter, QPen
from PySide6.QtWidgets import QApplication

from mien.app.gui.look.expressions import called, expression
from mien.app.gui.look.palette import paper_palette, series_colour
from mien.app.gui.report.html import page_of, to_qimage
from mien.app.gui.report.text import NOTE, clock, facts, percent, table_cells, table_heads, time_spent
from mien.app.gui.review.chart import NAMES, RIGHT, ChartPainter, ChartView
from mien.engine.drawing.overlay import track_colour
from mien.engine.errors import ReviewError
from mien.engine.language import tr, trn
from mien.engine.review.exports import EVERYTHING, Selection
from mien.engine.review.selected import refuse_own, save_export
from mien.engine.review.session import RecordedSession
from mien.engine.review.statistics import PersonStatistics
from mien.engine.review.video.report_content import ReportContent, gather

_WIDTH, _HEIGHT = 1190.0, 842.0  # A4 across, in units of 1/1190 of its width
_MARGIN = 60.0
_PEOPLE = 8  # whose shares fit on the first page
_SCALE_OF_PNG = 2
_ROW = 19.0
_THUMB = 84.0
_FOOT = 66.0


def save_report(session: RecordedSession, title: str, path: Path, selection: Selection = EVERYTHING) -> None:
    """Write the report to `path`: a PNG where it ends in .png, a web page in .html, else a PDF.

    Raises:
        ReviewError: the file cannot be written, or is one of the recording's own.
    """
    refuse_own(session, path)
    save_content(gather(session, title, selection), path)


def save_content(content: ReportContent, path: Path) -> None:
    """As `save_report`, of what was gathered before.

    Raises:
        ReviewError: the file cannot be written, or is one of the recording's own.
    """
    buffer = QBuffer()
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    kind = path.suffix.lower()
    if kind == ".html":
        save_export(content.session, path, page_of(content, draw_chart(content)))
        return
    if kind == ".png":
        done = draw_png(content).save(buffer, "PNG")  # type: ignore[call-overload]
    else:
        # Into memory first: Qt says nothing of a disk that is full.
        writer = QPdfWriter(buffer)
        writer.setTitle(content.title)
        writer.setCreator("Mien")
        writer.setPageSize(QPageSize(QSizeF(297, 210), QPageSize.Unit.Millimeter))
        writer.setPageMargins(QMarginsF(0, 0, 0, 0))
        writer.setResolution(300)
        painter = QPainter(writer)
        done = painter.isActive()
        if done:
            painter.scale(writer.width() / _WIDTH, writer.width() / _WIDTH)
            _Pages(painter, content, writer.newPage).draw()
            painter.end()
    if not done:
        raise ReviewError(tr("{path}: cannot be drawn; there may be too little memory", path=path))
    save_export(content.session, path, bytes(buffer.data().data()))


def draw_png(content: ReportContent) -> QImage:
    """All pages as one image, below each other."""
    # On nothing first, to learn how many pages there are.
    empty = QImage(8, 8, QImage.Format.Format_RGB32)
    painter = QPainter(empty)
    pages = _Pages(painter, content, lambda: True)
    pages.draw()
    painter.end()
    height = round(_HEIGHT * _SCALE_OF_PNG)
    image = QImage(round(_WIDTH * _SCALE_OF_PNG), height * pages.count, QImage.Format.Format_RGB32)
    image.fill(Qt.GlobalColor.white)
    painter = QPainter(image)
    painter.scale(_SCALE_OF_PNG, _SCALE_OF_PNG)

    def following() -> bool:
        painter.translate(0, _HEIGHT)
        return True

    _Pages(painter, content, following).draw()
    painter.end()
    return image


def draw_chart(content: ReportContent) -> QImage:
    """The timeline alone, for the web page."""
    chart = _chart(content, _font(12))
    height = chart.height()
    image = QImage(round(_WIDTH * _SCALE_OF_PNG), round(height * _SCALE_OF_PNG), QImage.Format.Format_RGB32)
    image.fill(Qt.GlobalColor.white)
    painter = QPainter(image)
    painter.scale(_SCALE_OF_PNG, _SCALE_OF_PNG)
    chart.paint(painter, QRectF(0, 0, _WIDTH, height))
    painter.end()
    return image


def _chart(content: ReportContent, font: QFont) -> ChartPainter:
    span = content.span
    view = ChartView(span.start_s, max(span.end_s, span.start_s + 1e-3))
    return ChartPainter(content.session, paper_palette(), font, view)


def _font(size: int, *, bold: bool = False) -> QFont:
    font = QFont(QApplication.font().family())
    font.setPixelSize(size)
    font.setWeight(QFont.Weight.DemiBold if bold else QFont.Weight.Normal)
    return font


class _Pages:
    """Draws in units of the page; fonts are given in these units, whatever the device's resolution."""

    def __init__(self, painter: QPainter, content: ReportContent, following: Callable[[], bool]) -> None:
        self._p, self._content, self._following = painter, content, following
        self._palette: QPalette = paper_palette()
        self.count = 1
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)

    def _ink(self, role: QPalette.ColorRole) -> QColor:
        return self._palette.color(role)

    def _text(self, x: float, y: float, text: str, size: int, *, bold: bool = False, muted: bool = False) -> float:
        self._p.setFont(_font(size, bold=bold))
        self._p.setPen(self._ink(QPalette.ColorRole.Dark if muted else QPalette.ColorRole.WindowText))
        area = QRectF(x, y, _WIDTH - x - _MARGIN, size * 1.6)
        text = self._p.fontMetrics().elidedText(text, Qt.TextElideMode.ElideMiddle, int(area.width()))
        self._p.drawText(area, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop, text)
        return y + size * 1.6

    def _cell(self, x: float, y: float, width: float, text: str, *, right: bool = True, size: int = 12) -> None:
        side = Qt.AlignmentFlag.AlignRight if right else Qt.AlignmentFlag.AlignLeft
        text = self._p.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, int(width))
        self._p.drawText(QRectF(x, y, width, _ROW), side | Qt.AlignmentFlag.AlignVCenter, text)

    def draw(self) -> None:
        y = self._first() + 14
        for person in self._content.people:
            need = 64 + _ROW * (len(person.labels) + 1)
            if y + need > _HEIGHT - _FOOT:
                self._next_page()
                y = 54.0
            y = self._person(person, y) + 26

    def _next_page(self) -> None:
        self._following()
        self.count += 1
        self._foot()

    def _foot(self) -> None:
        self._p.setPen(QPen(self._ink(QPalette.ColorRole.Mid), 1))
        self._p.drawLine(round(_MARGIN), round(_HEIGHT - 52), round(_WIDTH - _MARGIN), round(_HEIGHT - 52))
        self._text(_MARGIN, _HEIGHT - 44, tr(NOTE), 11, muted=True)
        self._p.setFont(_font(11))
        area = QRectF(_WIDTH - _MARGIN - 120, _HEIGHT - 44, 120, 18)
        self._p.drawText(area, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignTop, str(self.count))

    def _first(self) -> float:
        """The summary; returns where it ends."""
        content = self._content
        y = self._text(_MARGIN, 44, content.title, 26, bold=True) + 2
        for line in facts(content):
            y = self._text(_MARGIN, y, line, 13, muted=True) + 1
        y = self._text(_MARGIN, y + 14, tr("Expressions over time"), 15, bold=True)
        chart = _chart(content, _font(12))
        shown = min(max(len(content.people), 1), _PEOPLE)
        step = min(38.0, 26.0 + 60.0 / shown)
        room = _HEIGHT - _FOOT - y - 60 - 40 - shown * step
        fit = min(1.0, max(room, 120.0) / chart.height())
        self._p.save()
        self._p.translate(_MARGIN, y + 2)
        self._p.scale(1.0, fit)
        chart.paint(self._p, QRectF(0, 0, _WIDTH - 2 * _MARGIN, chart.height()))
        self._p.restore()
        y = self._legend(content.session.labels, y + chart.height() * fit + 4) + 16
        y = self._text(
            _MARGIN, y, tr("Share of each expression, of the time in which the model was sure"), 15, bold=True
        )
        self._foot()
        return self._shares(y + 4, step)

    def _legend(self, labels: tuple[str, ...], y: float) -> float:
        x = _MARGIN + NAMES
        self._p.setFont(_font(12))
        for index, name in enumerate(map(expression, labels)):
            width = self._p.fontMetrics().horizontalAdvance(name)
            if x + width + 24 > _WIDTH - _MARGIN:
                x, y = _MARGIN + NAMES, y + 20
            self._swatch(x, y + 3, index)
            self._p.setPen(self._ink(QPalette.ColorRole.WindowText))
            self._p.drawText(QRectF(x + 17, y, width + 4, 18), Qt.AlignmentFlag.AlignVCenter, name)
            x += width + 40
        return y + 18

    def _swatch(self, x: float, y: float, index: int) -> None:
        self._p.setPen(Qt.PenStyle.NoPen)
        self._p.setBrush(series_colour(index, self._palette))
        self._p.drawRoundedRect(QRectF(x, y, 11, 11), 3, 3)

    def _shares(self, y: float, step: float) -> float:
        """A bar for each person, cut into the shares of the expressions; it begins and ends with the chart above."""
        left, right = _MARGIN + NAMES, _WIDTH - _MARGIN - RIGHT
        people = self._content.people
        for person in people[:_PEOPLE]:
            self._p.setFont(_font(13))
            self._p.setPen(Qt.PenStyle.NoPen)
            self._p.setBrush(QColor(*track_colour(person.track_id)))
            self._p.drawEllipse(QRectF(_MARGIN + 4, y + (step - 10) / 2 - 5, 10, 10))
            self._p.setPen(self._ink(QPalette.ColorRole.WindowText))
            name = self._p.fontMetrics().elidedText(called(person.name), Qt.TextElideMode.ElideRight, NAMES - 28)
            self._p.drawText(QRectF(_MARGIN + 20, y, NAMES - 24, step - 10), Qt.AlignmentFlag.AlignVCenter, name)
            self._p.setBrush(self._ink(QPalette.ColorRole.AlternateBase))
            self._p.setPen(Qt.PenStyle.NoPen)
            self._p.drawRect(QRectF(left, y, right - left, step - 10))
            x = left
            self._p.setFont(_font(11, bold=True))
            for index, item in enumerate(person.labels):
                width = item.share * (right - left)
                if width <= 0.5:
                    continue
                block = QRectF(x, y, width, step - 10)
                self._p.setPen(Qt.PenStyle.NoPen)
                self._p.setBrush(series_colour(index, self._palette))
                self._p.drawRect(block)
                text = tr("{share:.0f} %", share=item.percent)
                if width > self._p.fontMetrics().horizontalAdvance(text) + 8:
                    self._p.setPen(Qt.GlobalColor.white)
                    self._p.drawText(block, Qt.AlignmentFlag.AlignCenter, text)
                x += width
            y += step
        if len(people) > _PEOPLE:
            more = trn(
                "and {count} more, on the next pages", "and {count} more, on the next pages", len(people) - _PEOPLE
            )
            self._text(left, y - 4, more, 12, muted=True)
        return y

    def _person(self, person: PersonStatistics, y: float) -> float:
        """Name, table, and thumbnails of the peaks at its right."""
        self._p.setPen(Qt.PenStyle.NoPen)
        self._p.setBrush(QColor(*track_colour(person.track_id)))
        self._p.drawEllipse(QRectF(_MARGIN, y + 5, 12, 12))
        top = self._text(_MARGIN + 20, y, called(person.name), 16, bold=True)
        top = self._text(_MARGIN, top + 1, time_spent(person), 12, muted=True) + 4
        widths = [130.0, 58.0, 62.0, 70.0, 70.0, 92.0, 56.0, 150.0]
        self._p.setFont(_font(11, bold=True))
        self._p.setPen(self._ink(QPalette.ColorRole.Dark))
        self._row(table_heads(), widths, top)
        self._p.setPen(QPen(self._ink(QPalette.ColorRole.Mid), 1))
        line = top + _ROW
        self._p.drawLine(round(_MARGIN), round(line), round(_MARGIN + sum(widths)), round(line))
        for index, item in enumerate(person.labels):
            at = top + _ROW * (index + 1) + 2
            self._swatch(_MARGIN, at + 4, index)
            self._p.setFont(_font(12))
            self._p.setPen(self._ink(QPalette.ColorRole.WindowText))
            cells = table_cells(person, item, peak=tr("{value} at {time}"))
            self._row([expression(item.label), *cells], widths, at, indent=17)
        self._thumbnails(person, _MARGIN + sum(widths) + 24, top)
        return max(top + _ROW * (len(person.labels) + 1), top + 2 * (_THUMB + 22))

    def _row(self, cells: list[str], widths: list[float], y: float, *, indent: float = 0.0) -> None:
        x = _MARGIN
        for number, (text, width) in enumerate(zip(cells, widths, strict=True)):
            if number:
                self._cell(x, y, width, text)
            else:
                self._cell(x + indent, y, width - indent, text, right=False)
            x += width

    def _thumbnails(self, person: PersonStatistics, left: float, top: float) -> None:
        """The faces at the highest peaks, the most probable first, in two rows."""
        found = [
            (item.highest, item.label, image)
            for item in person.labels
            if item.highest and (image := self._content.thumbnails.get((person.track_id, item.label))) is not None
        ]
        found.sort(key=lambda entry: -entry[0].probability)
        columns = max(1, int((_WIDTH - _MARGIN - left + 10) // (_THUMB + 10)))
        for number, (peak, label, image) in enumerate(found[: 2 * columns]):
            x, y = left + number % columns * (_THUMB + 10), top + number // columns * (_THUMB + 30)
            self._p.drawImage(QRectF(x, y, _THUMB, _THUMB), to_qimage(image))
            self._p.setFont(_font(10))
            self._p.setPen(self._ink(QPalette.ColorRole.WindowText))
            text = f"{expression(label)} {percent(peak.probability, 0)}"
            text = self._p.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, int(_THUMB + 6))
            self._p.drawText(QRectF(x, y + _THUMB + 1, _THUMB + 8, 13), Qt.AlignmentFlag.AlignLeft, text)
            self._p.setPen(self._ink(QPalette.ColorRole.Dark))
            self._p.drawText(QRectF(x, y + _THUMB + 13, _THUMB + 8, 13), Qt.AlignmentFlag.AlignLeft, clock(peak.time_s))
