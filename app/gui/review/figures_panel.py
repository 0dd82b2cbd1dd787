"""Figures of the selected span: mean, share, episodes and peaks of each expression and person."""

from __future__ import annotations

import math

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QColor, QGuiApplication, QPixmap
from PySide6.QtWidgets import QHeaderView, QTreeWidget, QTreeWidgetItem, QWidget

from mien.app.gui.look.expressions import called, expression
from mien.app.gui.look.palette import series_colour
from mien.app.gui.look.widgets import button, column, label, row
from mien.app.gui.review.state import ReviewState
from mien.engine.drawing.overlay import track_colour
from mien.engine.language import tr, trn
from mien.engine.review.spans import WHOLE, clock_ms
from mien.engine.review.statistics import PersonStatistics, statistics

_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter


class FiguresPanel(QWidget):
    """A tree: people, and under each the expressions."""

    sought = Signal(float)

    def __init__(self) -> None:
        super().__init__()
        self._state: ReviewState | None = None
        self._what = label("", "heading")
        self._left_out = label("", "small", wrap=True)
        self.tree = QTreeWidget()
        self.tree.setAccessibleName(self.tr("Figures"))
        self.tree.setColumnCount(5)
        self.tree.setHeaderLabels(
            [
                *(self.tr("Expression"), self.tr("Mean"), self.tr("Share")),
                *(self.tr("Episodes"), self.tr("Peak")),
            ]
        )
        self.tree.setRootIsDecorated(False)
        self.tree.setIndentation(14)
        self.tree.header().setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        self.tree.header().setStretchLastSection(True)
        self.tree.header().setDefaultAlignment(_RIGHT)
        self.tree.headerItem().setTextAlignment(0, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        self.tree.setUniformRowHeights(True)
        self.tree.itemActivated.connect(self._activated)
        self.tree.setToolTip(self.tr("Enter or double-click: to the highest peak"))
        copy = button(self.tr("Copy"), kind="quiet")
        copy.clicked.connect(self.copy)
        note = label(
            self.tr(
                "Share: of the time in which the model was sure. Mean: of the probability. Episodes: count × length."
            ),
            "small",
            wrap=True,
        )
        inner = column(row(self._what, 0, copy), self._left_out, self.tree, note, spacing=6)
        inner.setContentsMargins(12, 10, 12, 10)
        inner.setStretch(2, 1)
        self.setLayout(inner)

    def open(self, state: ReviewState) -> None:
        """Show the figures of a recording."""
        self._state = state
        state.changed.connect(self.refresh)
        state.selected.connect(self.refresh)
        self.refresh()

    def showEvent(self, event: object) -> None:
        super().showEvent(event)  # type: ignore[arg-type]
        self.refresh()

    def refresh(self) -> None:
        """Count anew, where it is seen."""
        state = self._state
        if state is None or not self.isVisible():
            return
        span = state.span
        self._what.setText(
            self.tr("Whole recording") if span is None else f"{clock_ms(span.start_s)} – {clock_ms(span.end_s)}"
        )
        self.tree.clear()
        wanted = [state.person] if state.person is not None else list(state.session.tracks)
        people = [statistics(state.session, key, span or WHOLE) for key in wanted]
        for person in people:
            self._add(person)
        whole = state.session.duration_s if span is None else span.seconds
        out_s = whole - people[0].seconds if people else 0.0
        self._left_out.setText(tr("{seconds:.1f} s excluded", seconds=out_s) if out_s > 0.05 else "")
        self._left_out.setVisible(out_s > 0.05)

    def _add(self, person: PersonStatistics) -> None:
        top = QTreeWidgetItem([called(person.name)])
        top.setIcon(0, _dot(QColor(*track_colour(person.track_id))))
        font = top.font(0)
        font.setBold(True)
        top.setFont(0, font)
        self.tree.addTopLevelItem(top)
        top.setFirstColumnSpanned(True)
        sure = QTreeWidgetItem([tr(
            "seen {seen:.1f} s, sure {sure:.1f} s, uncertain {uncertain:.1f} s",
            seen=person.seen_s, sure=person.sure_s, uncertain=person.uncertain_s,
        )])  # fmt: skip
        sure.setForeground(0, self.palette().color(self.palette().ColorRole.Dark))
        top.addChild(sure)
        sure.setFirstColumnSpanned(True)
        for index, item in enumerate(person.labels):
            peak = item.highest
            cells = [
                expression(item.label),
                "–" if math.isnan(item.mean) else tr("{share:.1f} %", share=item.mean * 100),
                tr("{share:.0f} %", share=item.percent) if person.sure_s > 0 else "–",
                tr("{count} × {length:.1f} s", count=item.episodes, length=item.mean_length_s)
                if item.episodes
                else "–",
                "–"
                if peak is None
                else tr("{share:.0f} %", share=peak.probability * 100) + f"  {clock_ms(peak.time_s)[:-4]}",
            ]
            made = QTreeWidgetItem(cells)
            made.setIcon(0, _dot(series_colour(index, self.palette())))
            for number in range(1, 5):
                made.setTextAlignment(number, _RIGHT)
            if peak is not None:
                made.setData(0, Qt.ItemDataRole.UserRole, peak.time_s)
                made.setToolTip(4, trn("{count} peak", "{count} peaks", len(item.peaks)))
            top.addChild(made)
        top.setExpanded(True)

    def _activated(self, item: QTreeWidgetItem) -> None:
        time_s = item.data(0, Qt.ItemDataRole.UserRole)
        if time_s is not None:
            self.sought.emit(float(time_s))

    def copy(self) -> None:
        """Put the table on the clipboard, with tabs between the cells."""
        model = self.tree.model()
        heads = [str(model.headerData(number, Qt.Orientation.Horizontal)) for number in range(5)]
        lines = ["\t".join(heads)]
        for at in range(model.rowCount()):
            top = model.index(at, 0)
            lines.append(str(top.data()))
            for row_at in range(model.rowCount(top)):
                cells = [model.index(row_at, number, top).data() for number in range(5)]
                lines.append("\t".join("" if cell is None else str(cell).strip() for cell in cells))
        QGuiApplication.clipboard().setText("\n".join(lines) + "\n")


def _dot(colour: QColor) -> QPixmap:
    pixmap = QPixmap(10, 10)
    pixmap.fill(colour)
    return pixmap
