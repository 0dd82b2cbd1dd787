"""The panel beside the frame: the people, the selected one's prediction, and the last minute. It scrolls as a whole."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QFrame, QListWidget, QListWidgetItem, QScrollArea, QWidget

from mien.app.gui.look.widgets import PRESS_KEYS, column, label, line
from mien.app.gui.panel.face_card import FaceCard
from mien.app.gui.panel.people import People
from mien.app.gui.panel.person_row import PersonRow
from mien.app.gui.panel.prediction_card import PredictionCard
from mien.app.gui.panel.suggestion import MergeQuestion
from mien.app.gui.panel.timeline import Timeline
from mien.app.gui.preferences import Preferences

ROW = 36
_ROWS = 10
"""So many people are shown before the list scrolls by itself, too."""


class _PeopleList(QListWidget):
    """Space and Enter show what can be done with the selected person."""

    menu_wanted = Signal()

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent) and event.key() in PRESS_KEYS:
            event.accept()
            return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        # What a row's own field leaves of its keys comes here, too.
        if event.key() in PRESS_KEYS and self.hasFocus():
            self.menu_wanted.emit()
        else:
            super().keyPressEvent(event)


class SidePanel(QScrollArea):
    """People, prediction, timeline."""

    neutral_wanted = Signal(int)
    """This person looks neutral now: learn their baseline."""
    neutral_undone = Signal(int)

    def __init__(self, people: People, preferences: Preferences) -> None:
        super().__init__()
        self.setWidgetResizable(True)
        self.setProperty("flat", True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._people = people
        self._rows: dict[int, PersonRow] = {}
        self._list = _PeopleList()
        self._list.menu_wanted.connect(self.open_menu)
        self._list.setObjectName("people")
        self._list.setProperty("flat", True)
        self._list.setAccessibleName(self.tr("People in the frame"))
        self._list.setVerticalScrollMode(QListWidget.ScrollMode.ScrollPerPixel)
        self._list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._list.currentItemChanged.connect(self._chosen)
        self._list.itemDoubleClicked.connect(lambda item: self.row(item.data(Qt.ItemDataRole.UserRole)).rename())
        self._nobody = label(self.tr("Nobody in the frame yet."), "muted")
        self._nobody.setContentsMargins(16, 6, 16, 10)
        self._count = label(self.tr("PEOPLE"), "section")
        self._count.setContentsMargins(16, 12, 16, 2)
        self.card, self.face = PredictionCard(), FaceCard()
        self._preferences = preferences
        self.timeline = Timeline(preferences.chart_without)
        self.timeline.hidden_changed.connect(lambda hidden: preferences.keep(chart_without=hidden))
        prediction = QWidget()
        prediction.setLayout(column(self.card, self.face, spacing=14, margins=16))
        section = label(self.tr("LAST MINUTE"), "section")
        chart = QWidget()
        parts = column(section, self.timeline, spacing=6)
        parts.setContentsMargins(16, 10, 16, 12)
        parts.setStretch(1, 1)
        chart.setLayout(parts)
        self.question = MergeQuestion(people)
        question = QWidget()
        inner = column(self.question)
        inner.setContentsMargins(14, 2, 14, 4)
        question.setLayout(inner)
        layout = column(
            self._count, self._nobody, self._list, question, 4, line(), prediction, line(), chart, spacing=0
        )
        layout.setStretchFactor(chart, 1)
        inside = QWidget()
        inside.setLayout(layout)
        self.setWidget(inside)
        people.changed.connect(self._rebuild)
        people.selected_changed.connect(self._select)
        self._rebuild()

    def row(self, track_id: int) -> PersonRow:
        """The row of one person."""
        return self._rows[self._people.book.person(track_id)]

    def refresh(self) -> None:
        """Show the newest predictions; called a few times a second."""
        if not self.isVisible():
            return
        self.question.refresh()
        for item in self._rows.values():
            item.refresh()
        person, labels = self._people.selected, self._people.labels
        self.card.show_person(person, labels, no_signal=self._people.no_signal)
        self.face.show_person(person, labels, wanted=self._preferences.measure_faces)
        self.timeline.with_valence = self._preferences.chart_valence
        self.timeline.show_person(person, self._people.now_s, labels)

    def rename_selected(self) -> None:
        """Edit the name of the selected person."""
        if self._people.selected is not None:
            self.row(self._people.selected.track_id).rename()

    def hide_selected(self) -> None:
        """Hide box and numbers of the selected person, or show them again."""
        person = self._people.selected
        if person is not None:
            self._people.hide(person.track_id, not person.hidden)

    def split_selected(self) -> None:
        """Separate the merged ids of the selected person."""
        if self._people.selected is not None:
            self._people.split(self._people.selected.track_id)

    def open_menu(self) -> None:
        """Show what can be done with the selected person."""
        if self._people.selected is not None:
            self.row(self._people.selected.track_id).open_menu()

    def _rebuild(self) -> None:
        persons = self._people.persons
        if list(self._rows) != list(persons) or any(
            self._rows[key].person is not person for key, person in persons.items()
        ):
            self._list.blockSignals(True)
            self._list.clear()
            self._rows = {}
            for key, person in persons.items():
                item = QListWidgetItem()
                item.setData(Qt.ItemDataRole.UserRole, key)
                item.setSizeHint(QSize(0, ROW))
                self._list.addItem(item)
                made = self._rows[key] = PersonRow(self._people, person)
                made.neutral_wanted.connect(self.neutral_wanted)
                made.neutral_undone.connect(self.neutral_undone)
                self._list.setItemWidget(item, made)
            self._list.blockSignals(False)
            self._select()
        self._count.setText(self.tr("PEOPLE · {count}").format(count=len(persons)) if persons else self.tr("PEOPLE"))
        self._nobody.setVisible(not persons)
        self._list.setVisible(bool(persons))
        self._list.setFixedHeight(min(len(persons), _ROWS) * ROW + 8)
        self.refresh()

    def _select(self) -> None:
        person = self._people.selected
        for index in range(self._list.count()):
            item = self._list.item(index)
            if person is not None and item.data(Qt.ItemDataRole.UserRole) == person.track_id:
                self._list.blockSignals(True)
                self._list.setCurrentItem(item)
                self._list.blockSignals(False)
        self.refresh()

    def _chosen(self, item: QListWidgetItem | None) -> None:
        if item is not None:
            self._people.select(item.data(Qt.ItemDataRole.UserRole))
