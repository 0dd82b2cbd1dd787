"""Codes and events of a recording, in lists that can be edited."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from PySide6.QtCore import QEvent, QItemSelectionModel, QObject, QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent, QResizeEvent
from PySide6.QtWidgets import QAbstractItemView, QComboBox, QHeaderView, QTableWidget, QTableWidgetItem, QWidget

from mien.app.gui.look.expressions import called
from mien.app.gui.look.widgets import button, column, label, row, tool
from mien.app.gui.review.state import ReviewState
from mien.engine.errors import ReviewError
from mien.engine.review.coding.model import Code, Event, EventKind
from mien.engine.review.spans import clock_ms, seconds_of

_ROLE: Final = Qt.ItemDataRole.UserRole
_START, _END, _WHAT, _WHO, _TEXT = range(5)
_SIDE: Final = 12  # pixels beside the tables
_ROOMY: Final = 320  # pixels


class EventsPanel(QWidget):
    """Two tables: the codes with their keys, and everything that was set."""

    sought = Signal(float)

    def __init__(self) -> None:
        super().__init__()
        self._state: ReviewState | None = None
        self._filling = False
        self.codes = _table([self.tr("Key"), self.tr("Code"), self.tr("Kind")], self.tr("Codes"))
        self.codes.itemChanged.connect(self._code_edited)
        self.codes.itemDoubleClicked.connect(lambda item: None)
        self.codes.horizontalHeader().setSectionResizeMode(1, QHeaderView.ResizeMode.Stretch)
        self.codes.horizontalHeader().setSectionResizeMode(2, QHeaderView.ResizeMode.Fixed)
        self.codes.verticalHeader().setMinimumSectionSize(42)
        self.codes.installEventFilter(self)
        add = tool("plus", self.tr("New code (Ctrl+N)"))
        add.clicked.connect(self.add_code)
        remove = tool("minus", self.tr("Delete the selected code and its events"))
        remove.clicked.connect(self.remove_code)
        titles = [self.tr("Start"), self.tr("End"), self.tr("Event"), self.tr("Person"), self.tr("Remark")]
        self.events = _table(titles, self.tr("Events"))
        self.events.horizontalHeader().setSectionResizeMode(_TEXT, QHeaderView.ResizeMode.Stretch)
        self.events.horizontalHeader().setSectionResizeMode(_WHAT, QHeaderView.ResizeMode.ResizeToContents)
        self.events.itemChanged.connect(self._event_edited)
        self.events.itemSelectionChanged.connect(self._event_selected)
        self.events.installEventFilter(self)
        self._hint = label(
            self.tr("Press the key of a code while the recording plays. A span ends with its key, too."),
            "small",
            wrap=True,
        )
        self._delete = button(self.tr("Delete"), "minus", kind="quiet")
        self._delete.clicked.connect(self.remove_event)
        heads = row(label(self.tr("Codes"), "section"), 0, add, remove, spacing=2)
        below = row(label(self.tr("Events"), "section"), 0, self._delete)
        inner = column(heads, self.codes, self._hint, below, self.events, spacing=4)
        inner.setContentsMargins(_SIDE, 10, _SIDE, 10)
        inner.setStretch(4, 1)
        self.setLayout(inner)

    def open(self, state: ReviewState) -> None:
        """Show the events of a recording."""
        self._state = state
        state.changed.connect(self._fill)
        state.selected.connect(self._mark)
        self._fill()

    def minimumSizeHint(self) -> QSize:
        """Wide enough for every head of the tables."""
        hint = super().minimumSizeHint()
        for table in (self.codes, self.events):
            head, wide = table.horizontalHeader(), 2 * table.frameWidth() + 2 * _SIDE
            for number in range(head.count()):
                if head.isSectionHidden(number):
                    continue
                if head.sectionResizeMode(number) is QHeaderView.ResizeMode.Stretch:
                    text = str(table.model().headerData(number, Qt.Orientation.Horizontal))
                    wide += head.fontMetrics().horizontalAdvance(text) + 8
                else:
                    wide += head.sectionSizeHint(number)
            hint.setWidth(max(hint.width(), wide))
        return hint

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._make_room()

    def _make_room(self) -> None:
        """In a low window the tables go before the hint, which is known once there are codes."""
        known = self._state is not None and bool(self._state.history.now.codes)
        self._hint.setVisible(not known or self.height() >= _ROOMY)

    # Codes

    def add_code(self) -> None:
        """Add a code with the next free key, and let its name be written."""
        state = self._state
        if state is None:
            return
        codes = state.history.now.codes
        key = next((key for key in range(1, 10) if not any(code.key == key for code in codes)), 0)
        number = next(n for n in range(1, 200) if not any(c.name == self.tr("Code {n}").format(n=n) for c in codes))
        code = Code(self.tr("Code {n}").format(n=number), "span", key)
        if state.do(self.tr("new code"), lambda coding: coding.with_code(code)):
            at = len(state.history.now.codes) - 1
            self.codes.setFocus()
            self.codes.setCurrentCell(at, 1)
            self.codes.edit(self.codes.model().index(at, 1))

    def remove_code(self) -> None:
        """Delete the selected code."""
        at = self.codes.currentRow()
        if self._state is not None and 0 <= at < len(self._state.history.now.codes):
            name = self._state.history.now.codes[at].name
            self._state.do(self.tr("delete code"), lambda coding: coding.without_code(name))

    def _code_edited(self, item: QTableWidgetItem) -> None:
        if self._filling or self._state is None:
            return
        old = self._state.history.now.codes[item.row()]
        text = item.text().strip()
        new = replace(old, name=text) if item.column() == 1 else replace(old, key=int(text) if text.isdigit() else 0)
        if self._state.do(self.tr("change code"), lambda coding: coding.with_code(new, in_place_of=old.name)):
            self._state.coder.renamed(old.name, new.name)
        else:
            self._fill()

    def _kind_chosen(self, name: str, kind: str) -> None:
        assert self._state is not None
        old = self._state.history.now.code(name)
        new = Code(old.name, "span" if kind == "span" else "point", old.key)
        if not self._state.do(self.tr("change code"), lambda coding: coding.with_code(new, in_place_of=name)):
            self._fill()

    # Events

    def edit_text(self, number: int) -> None:
        """Let the remark of an event be written."""
        at = self._row_of(number)
        if at >= 0:
            self.events.setFocus()
            self.events.setCurrentCell(at, _TEXT)
            self.events.edit(self.events.model().index(at, _TEXT))

    def remove_event(self) -> None:
        """Delete the selected event."""
        state = self._state
        if state is None or state.chosen_event is None:
            return
        number, at = state.chosen_event, self.events.currentRow()
        if state.do(self.tr("delete event"), lambda coding: coding.without_event(number)):
            left = state.history.now.events
            state.select_event(left[min(at, len(left) - 1)].number if left else None)

    def _event_edited(self, item: QTableWidgetItem) -> None:
        if self._filling or self._state is None:
            return
        state, number = self._state, self.events.model().index(item.row(), _START).data(_ROLE)
        event = state.history.now.event(number)
        try:
            if item.column() == _START:
                start_s = seconds_of(item.text())
                length = event.end_s - event.start_s if event.kind is EventKind.MARKER else 0.0
                event = replace(event, start_s=start_s, end_s=max(event.end_s, start_s) + length)
            elif item.column() == _END:
                event = replace(event, end_s=seconds_of(item.text()))
            else:
                event = replace(event, text=item.text())
        except ReviewError as error:
            state.said.emit(str(error)[:1].upper() + str(error)[1:], "warning")
            self._fill()
            return
        if not state.do(self.tr("change event"), lambda coding: coding.with_changed(event)):
            self._fill()

    def _event_selected(self) -> None:
        if self._filling or self._state is None:
            return
        item = self.events.item(self.events.currentRow(), _START)
        if item is not None and self.events.selectedItems():
            self._state.select_event(item.data(_ROLE))

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() is QEvent.Type.KeyPress and isinstance(event, QKeyEvent) and watched is self.events:
            if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
                self._seek()
                return True
            if event.key() == Qt.Key.Key_F2:
                item = self.events.currentItem()
                if item is not None:
                    self.events.editItem(item)
                return True
        return super().eventFilter(watched, event)

    def _seek(self) -> None:
        if self._state is not None and self._state.chosen_event is not None:
            self.sought.emit(self._state.history.now.event(self._state.chosen_event).start_s)

    # Filling

    def _fill(self) -> None:
        state = self._state
        if state is None:
            return
        self._filling = True
        coding = state.history.now
        at = self.codes.currentRow()
        self.codes.setRowCount(len(coding.codes))
        for number, code in enumerate(coding.codes):
            _put(self.codes, number, 0, str(code.key) if code.key else "")
            _put(self.codes, number, 1, code.name)
            kind = QComboBox()
            kind.addItem(self.tr("span"), "span")
            kind.addItem(self.tr("point"), "point")
            kind.setCurrentIndex(0 if code.kind == "span" else 1)
            kind.setAccessibleName(self.tr("Kind of {name}").format(name=code.name))
            kind.activated.connect(
                lambda _, box=kind, name=code.name: self._kind_chosen(name, box.currentData())
            )  # fmt: skip
            self.codes.setCellWidget(number, 2, kind)
        if 0 <= at < len(coding.codes):
            self.codes.setCurrentCell(at, 1)
        self.codes.resizeRowsToContents()
        rows = sum(self.codes.rowHeight(at) for at in range(min(len(coding.codes), 3)))
        head = self.codes.horizontalHeader().sizeHint().height()
        self.codes.setMinimumHeight(head + min(rows, self.codes.verticalHeader().minimumSectionSize()) + 4)
        self.codes.setMaximumHeight(head + rows + 14)
        self.codes.setColumnWidth(2, 104)
        self.codes.setVisible(bool(coding.codes))
        if not coding.codes:
            self._hint.setText(self.tr("No codes yet. Add one with +, then press its key while the recording plays."))
        else:
            self._hint.setText(
                self.tr("Press the key of a code while the recording plays; that of a span again where it ends.")
            )
        self.events.setColumnHidden(_WHO, all(event.track is None for event in coding.events))
        self.events.setRowCount(len(coding.events))
        for number, event in enumerate(coding.events):
            self._put_event(number, event)
        self._filling = False
        self._make_room()
        self._mark()

    def _put_event(self, at: int, event: Event) -> None:
        assert self._state is not None
        _put(self.events, at, _START, clock_ms(event.start_s)).setData(_ROLE, event.number)
        span = event.end_s > event.start_s
        _put(self.events, at, _END, clock_ms(event.end_s) if span else "", editable=span)
        what = {EventKind.EXCLUDED: self.tr("excluded"), EventKind.MARKER: self.tr("marker")}.get(
            event.kind, event.code
        )
        _put(self.events, at, _WHAT, what, editable=False)
        coding = self._state.history.now
        who = "" if event.track is None else called(self._state.session.name_of(coding.leader(event.track)))
        _put(self.events, at, _WHO, who, editable=False)
        _put(self.events, at, _TEXT, event.text)

    def _row_of(self, number: int | None) -> int:
        for at in range(self.events.rowCount()):
            if self.events.model().index(at, _START).data(_ROLE) == number:
                return at
        return -1

    def _mark(self) -> None:
        """Select the row of the selected event."""
        if self._state is None:
            return
        self._filling = True
        at = self._row_of(self._state.chosen_event)
        if at < 0:
            self.events.clearSelection()
        elif at != self.events.currentRow() or not self.events.selectedItems():
            flags = QItemSelectionModel.SelectionFlag
            self.events.selectionModel().setCurrentIndex(
                self.events.model().index(at, max(self.events.currentColumn(), 0)), flags.ClearAndSelect | flags.Rows
            )
        self._delete.setEnabled(at >= 0)
        self._filling = False


def _table(titles: list[str], name: str) -> QTableWidget:
    table = QTableWidget(0, len(titles))
    table.setHorizontalHeaderLabels(titles)
    table.setAccessibleName(name)
    table.verticalHeader().hide()
    table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
    table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
    triggers = QAbstractItemView.EditTrigger
    table.setEditTriggers(triggers.DoubleClicked | triggers.EditKeyPressed)
    table.setShowGrid(False)
    table.setTabKeyNavigation(False)
    table.horizontalHeader().setHighlightSections(False)
    table.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
    table.horizontalHeader().setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
    return table


def _put(table: QTableWidget, at: int, number: int, text: str, *, editable: bool = True) -> QTableWidgetItem:
    item = QTableWidgetItem(text)
    if not editable:
        item.setFlags(item.flags() & ~Qt.ItemFlag.ItemIsEditable)
    table.setItem(at, number, item)
    return item
