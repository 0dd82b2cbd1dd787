"""The panel beside the frame: the people, the selected one's prediction, and the last minute."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import (
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QWidget,
)

from mien.app.gui.live.people import People, Person
from mien.app.gui.live.prediction_card import PredictionCard
from mien.app.gui.live.timeline import Timeline
from mien.app.gui.look.icons import icon
from mien.app.gui.look.widgets import column, label, line, row, tool
from mien.engine.types import Status

ROW = 40


class Dot(QWidget):
    """A person's colour."""

    def __init__(self, person: Person) -> None:
        super().__init__()
        self._colour = person.colour
        self.setFixedSize(12, 12)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(self._colour)
        painter.drawEllipse(self.rect())


class PersonRow(QWidget):
    """A person in the list: colour, name, expression, and whether their bars are drawn."""

    def __init__(self, people: People, person: Person) -> None:
        super().__init__()
        self._people, self._person = people, person
        self._name = label("")
        self._word = label("", "muted")
        self._word.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self._edit = QLineEdit()
        self._edit.setAccessibleName(self.tr("Name"))
        self._edit.setPlaceholderText(self.tr("Name"))
        self._edit.editingFinished.connect(self._finish)
        self._edit.hide()
        self._pencil = tool("pencil", self.tr("Rename (F2)"))
        self._pencil.setIconSize(QSize(16, 16))
        self._pencil.clicked.connect(self.rename)
        self._eye = tool("eye", self.tr("Hide this person's bars"))
        self._eye.setIconSize(QSize(18, 18))
        self._eye.clicked.connect(lambda: people.hide(person.track_id, not person.hidden))
        inner = row(Dot(person), self._name, self._edit, self._word, self._pencil, self._eye, spacing=6)
        inner.setContentsMargins(16, 0, 10, 0)
        inner.insertSpacing(1, 4)
        inner.setStretchFactor(self._name, 1)
        inner.setStretchFactor(self._edit, 3)
        self.setLayout(inner)
        self.refresh()

    @property
    def word(self) -> str:
        """What is said of the person."""
        return self._word.text()

    def refresh(self) -> None:
        """Show the newest."""
        person, labels = self._person, self._people.labels
        name = person.name or self.tr("Person {number}").format(number=person.track_id)
        self._name.setText(name)
        self._name.setEnabled(person.here)
        self._word.setText(self._in_a_word(person, labels))
        self._eye.setIcon(icon("eye-off" if person.hidden else "eye"))
        hint = self.tr("Show this person's bars") if person.hidden else self.tr("Hide this person's bars")
        self._eye.setToolTip(hint)
        self._eye.setAccessibleName(f"{hint}: {name}")

    def rename(self) -> None:
        """Edit the name."""
        self._edit.setText(self._person.name)
        for part in (self._name, self._word, self._pencil):
            part.hide()
        self._edit.show()
        self._edit.setFocus()
        self._edit.selectAll()

    def _finish(self) -> None:
        if self._edit.isHidden():
            return
        self._edit.hide()
        for part in (self._name, self._word, self._pencil):
            part.show()
        self._people.rename(self._person.track_id, self._edit.text())

    def _in_a_word(self, person: Person, labels: tuple[str, ...]) -> str:
        if not person.here:
            return self.tr("away")
        if self._people.no_signal:
            return self.tr("no signal")
        if person.status is Status.OCCLUDED:
            return self.tr("occluded")
        if person.prediction is None or person.status is Status.WARMING:
            return self.tr("warming up")
        if person.status is Status.UNCERTAIN:
            return self.tr("uncertain")
        word = labels[person.prediction.label]
        return self.tr("{word}?").format(word=word) if person.prediction.flaws else word


class SidePanel(QWidget):
    """People, prediction, timeline."""

    def __init__(self, people: People) -> None:
        super().__init__()
        self._people = people
        self._rows: dict[int, PersonRow] = {}
        self._list = QListWidget()
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
        self.card = PredictionCard()
        self.timeline = Timeline()
        prediction = QWidget()
        prediction.setLayout(column(self.card, margins=16))
        section = label(self.tr("LAST MINUTE"), "section")
        chart = QWidget()
        inside = column(section, self.timeline, spacing=6)
        inside.setContentsMargins(16, 10, 16, 12)
        inside.setStretch(1, 1)
        chart.setLayout(inside)
        layout = column(self._count, self._nobody, self._list, 6, line(), prediction, line(), chart, spacing=0)
        layout.setStretchFactor(chart, 1)
        self.setLayout(layout)
        people.changed.connect(self._rebuild)
        people.selected_changed.connect(self._select)
        self._rebuild()

    def row(self, track_id: int) -> PersonRow:
        """The row of one person."""
        return self._rows[track_id]

    def refresh(self) -> None:
        """Show the newest predictions; called a few times a second."""
        if not self.isVisible():
            return
        for item in self._rows.values():
            item.refresh()
        person, labels = self._people.selected, self._people.labels
        self.card.show_person(person, labels, no_signal=self._people.no_signal)
        self.timeline.show_person(person, self._people.now_s)

    def rename_selected(self) -> None:
        """Edit the name of the selected person."""
        if self._people.selected is not None:
            self.row(self._people.selected.track_id).rename()

    def _rebuild(self) -> None:
        persons = self._people.persons
        if list(self._rows) != list(persons) or any(
            self._rows[key]._person is not person for key, person in persons.items()
        ):
            self._list.blockSignals(True)
            self._list.clear()
            self._rows = {}
            for key, person in persons.items():
                item = QListWidgetItem()
                item.setData(Qt.ItemDataRole.UserRole, key)
                item.setSizeHint(QSize(0, ROW))
                self._list.addItem(item)
                self._rows[key] = PersonRow(self._people, person)
                self._list.setItemWidget(item, self._rows[key])
            self._list.blockSignals(False)
            self._select()
        self._nobody.setVisible(not persons)
        self._list.setVisible(bool(persons))
        self._list.setFixedHeight(min(len(persons), 5) * (ROW + 2) + 6)
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
