"""Who is in a recording: names, whom to draw, which ids are one person."""

from __future__ import annotations

from functools import partial

from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QPixmap
from PySide6.QtWidgets import QAbstractItemView, QListWidget, QListWidgetItem, QMenu, QWidget

from mien.app.gui.look.expressions import called
from mien.app.gui.look.widgets import button, column, label, row
from mien.app.gui.review.state import ReviewState
from mien.engine.drawing.overlay import track_colour
from mien.engine.review.coding.people import likely_merges


class PeoplePanel(QWidget):
    """A list of people that can be renamed, hidden, merged and split."""

    def __init__(self) -> None:
        super().__init__()
        self._state: ReviewState | None = None
        self._filling = False
        self._declined: set[tuple[int, int]] = set()
        self.list = QListWidget()
        self.list.setObjectName("people")
        self.list.setAccessibleName(self.tr("People"))
        self.list.setEditTriggers(
            QAbstractItemView.EditTrigger.DoubleClicked | QAbstractItemView.EditTrigger.EditKeyPressed
        )
        self.list.itemChanged.connect(self._edited)
        self.list.currentItemChanged.connect(self._selected)
        self._merge = button(self.tr("Same person as…"))
        self._merge.setMenu(QMenu(self._merge))
        self._split = button(self.tr("Split"))
        self._split.clicked.connect(self._split_up)
        self._suggestion = label("", wrap=True)
        self._yes, self._no = button(self.tr("Merge"), kind="primary"), button(self.tr("No"))
        self._yes.clicked.connect(lambda: self._answer(True))
        self._no.clicked.connect(lambda: self._answer(False))
        self._asked: tuple[int, int] | None = None
        hint = label(self.tr("Unticked people are not drawn. Double-click or F2 to rename."), "small", wrap=True)
        inner = column(
            self._suggestion, row(self._yes, self._no, 0), self.list, hint, row(self._merge, self._split, 0), spacing=6
        )
        inner.setContentsMargins(12, 10, 12, 10)
        inner.setStretch(2, 1)
        self.setLayout(inner)

    def open(self, state: ReviewState) -> None:
        """Show the people of a recording."""
        self._state = state
        state.changed.connect(self._fill)
        state.selected.connect(self._mark)
        self._fill()

    def _fill(self) -> None:
        state = self._state
        if state is None:
            return
        self._filling = True
        self.list.clear()
        for key in state.session.tracks:
            item = QListWidgetItem(called(state.session.name_of(key)))
            item.setData(Qt.ItemDataRole.UserRole, key)
            flags = Qt.ItemFlag.ItemIsUserCheckable | Qt.ItemFlag.ItemIsEditable
            item.setFlags(item.flags() | flags)
            hidden = key in state.session.coding.hidden
            item.setCheckState(Qt.CheckState.Unchecked if hidden else Qt.CheckState.Checked)
            pixmap = QPixmap(12, 12)
            pixmap.fill(QColor(*track_colour(key)))
            item.setIcon(pixmap)
            others = [other for other, into in state.session.coding.merged.items() if into == key]
            if others:
                ids = ", ".join(map(str, sorted([key, *others])))
                item.setToolTip(self.tr("Ids {ids}").format(ids=ids))
            self.list.addItem(item)
        self._filling = False
        self._suggest()
        self._mark()

    def _suggest(self) -> None:
        assert self._state is not None
        found = [
            pair for pair in likely_merges(self._state.session.tracks) if (pair.old, pair.new) not in self._declined
        ]
        self._asked = (found[0].old, found[0].new) if found else None
        if found:
            names = [called(self._state.session.name_of(key)) for key in (found[0].new, found[0].old)]
            text = self.tr("{new} appeared where {old} was last seen, {seconds:.1f} s later. One person?")
            self._suggestion.setText(text.format(new=names[0], old=names[1], seconds=found[0].gap_s))
        for part in (self._suggestion, self._yes, self._no):
            part.setVisible(bool(found))

    def _answer(self, yes: bool) -> None:
        if self._asked is None or self._state is None:
            return
        old, new = self._asked
        self._declined.add((old, new))
        if not yes or not self._state.do(self.tr("merge people"), lambda coding: coding.with_merged(new, old)):
            self._suggest()

    def _edited(self, item: QListWidgetItem) -> None:
        state = self._state
        if self._filling or state is None:
            return
        key = item.data(Qt.ItemDataRole.UserRole)
        hidden = item.checkState() is Qt.CheckState.Unchecked
        if hidden != (key in state.session.coding.hidden):
            state.do(self.tr("hide person"), lambda coding: coding.with_hidden(key, hidden))
        elif item.text().strip() != called(state.session.name_of(key)):
            state.do(self.tr("rename"), lambda coding: coding.with_name(key, item.text()))

    def _selected(self) -> None:
        item = self.list.currentItem()
        if self._filling or self._state is None or item is None:
            return
        key = item.data(Qt.ItemDataRole.UserRole)
        if key != self._state.person:
            self._state.select_person(key)

    def _mark(self) -> None:
        state = self._state
        if state is None:
            return
        self._filling = True
        rows = [self.list.item(at).data(Qt.ItemDataRole.UserRole) for at in range(self.list.count())]
        self.list.setCurrentRow(rows.index(state.person) if state.person in rows else -1)
        self._filling = False
        menu = self._merge.menu()
        menu.clear()
        for key in rows:
            if key != state.person and state.person is not None:
                menu.addAction(called(state.session.name_of(key)), partial(self._merge_into, key))
        self._merge.setEnabled(not menu.isEmpty())
        self._split.setEnabled(state.person in set(state.session.coding.merged.values()))

    def _merge_into(self, other: int) -> None:
        state = self._state
        if state is not None and state.person is not None:
            person = state.person
            first, second = min(person, other), max(person, other)
            if state.do(self.tr("merge people"), lambda coding: coding.with_merged(second, first)):
                state.select_person(first)

    def _split_up(self) -> None:
        state = self._state
        if state is not None and state.person is not None:
            person = state.person
            state.do(self.tr("split people"), lambda coding: coding.with_split(person))
