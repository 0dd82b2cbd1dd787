"""A person in the list of the side panel, and what can be done with them."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QLineEdit, QMenu, QToolButton, QWidget

from mien.app.gui.look.expressions import expression
from mien.app.gui.look.icons import icon
from mien.app.gui.look.widgets import label, row, tip, tool
from mien.app.gui.panel.people import People, Person
from mien.engine.types import Status


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


class _NameField(QLineEdit):
    """Escape leaves it without a change; Enter goes no further than to it."""

    left = Signal()

    def event(self, event: QEvent) -> bool:
        if isinstance(event, QKeyEvent) and event.key() == Qt.Key.Key_Escape:
            if event.type() == QEvent.Type.KeyPress:
                self.left.emit()
            event.accept()
            return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        super().keyPressEvent(event)
        event.accept()


class PersonRow(QWidget):
    """Colour, name, expression; whether box and numbers are drawn; a menu for the rest."""

    neutral_wanted = Signal(int)
    """The person looks neutral now: learn their baseline."""
    neutral_undone = Signal(int)

    def __init__(self, people: People, person: Person) -> None:
        super().__init__()
        self._people, self._person = people, person
        self._name = label("")
        self._name.setMinimumWidth(44)
        self._word = label("", "muted")
        self._word.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        # In a narrow panel the name gives way: half a word is no word.
        words = (
            self.tr("away"), self.tr("hidden"), self.tr("no signal"), self.tr("occluded"), self.tr("warming up"),
            self.tr("uncertain"),
        )  # fmt: skip
        self._word.setMinimumWidth(max(map(self._word.fontMetrics().horizontalAdvance, words)) + 2)
        self._edit = _NameField()
        self._edit.left.connect(self._leave)
        self._edit.setAccessibleName(self.tr("Name"))
        self._edit.setPlaceholderText(self.tr("Name"))
        self._edit.editingFinished.connect(self._finish)
        self._edit.hide()
        self._eye = tool("eye", self.tr("Hide box and numbers (H)"))
        self._eye.setIconSize(QSize(18, 18))
        self._eye.clicked.connect(lambda: people.hide(person.track_id, not person.hidden))
        self._more = tool("more", self.tr("More"))
        self._more.setIconSize(QSize(18, 18))
        self._more.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self._menu = QMenu(self._more)
        self._menu.aboutToShow.connect(lambda: self.fill_menu(self._menu))
        self._more.setMenu(self._menu)
        # Beside a scroll bar, in the smallest window, every pixel counts.
        buttons = row(self._eye, self._more, spacing=0)
        inner = row(Dot(person), self._name, self._edit, self._word, buttons, spacing=5)
        inner.setContentsMargins(10, 0, 0, 0)
        inner.setStretchFactor(self._name, 1)
        inner.setStretchFactor(self._edit, 3)
        self.setLayout(inner)
        self._shown = ""
        self.refresh()

    @property
    def person(self) -> Person:
        return self._person

    @property
    def word(self) -> str:
        """What is said of the person."""
        return self._word.text()

    def refresh(self) -> None:
        """Show the newest."""
        person, labels = self._person, self._people.labels
        name = person.title
        ids = sorted(self._people.book.tracks(person.track_id))
        many = self.tr("{name}; ids {ids}").format(name=name, ids=", ".join(map(str, ids)))
        said = f"{many}{person.hidden}{self._name.width()}"
        if said != self._shown:  # measuring text and setting tips takes longer than all else here
            self._shown = said
            fits = self._name.fontMetrics().elidedText(name, Qt.TextElideMode.ElideMiddle, max(self._name.width(), 24))
            self._name.setText(fits)
            tip(self._name, many if len(ids) > 1 else name)
            self._eye.setIcon(icon("eye-off" if person.hidden else "eye"))
            hint = self.tr("Show box and numbers (H)") if person.hidden else self.tr("Hide box and numbers (H)")
            self._eye.setToolTip(hint)
            self._eye.setAccessibleName(f"{hint}: {name}")
            self._more.setAccessibleName(self.tr("More: {name}").format(name=name))
        self._name.setEnabled(person.here and not person.hidden)
        self._word.setText(self._in_a_word(person, labels))

    def fill_menu(self, menu: QMenu) -> None:
        """Put what can be done with the person into `menu`."""
        people, person = self._people, self._person
        menu.clear()
        menu.addAction(icon("pencil"), self.tr("Rename…")).triggered.connect(self.rename)
        hide = self.tr("Show box and numbers") if person.hidden else self.tr("Hide box and numbers")
        menu.addAction(icon("eye"), hide).triggered.connect(lambda: people.hide(person.track_id, not person.hidden))
        menu.addSeparator()
        others = [other for other in people.persons.values() if other is not person]
        merge = menu.addMenu(self.tr("Same person as"))
        merge.setEnabled(bool(others))
        for other in others:
            entry = merge.addAction(other.title.replace("&", "&&"))
            entry.triggered.connect(lambda _=False, to=other.track_id: people.merge(to, person.track_id))
        split = menu.addAction(self.tr("Separate its ids"))
        split.setEnabled(len(people.book.tracks(person.track_id)) > 1)
        split.triggered.connect(lambda: people.split(person.track_id))
        menu.addSeparator()
        learn = menu.addAction(icon("demo"), self.tr("Looks neutral now (3 seconds)"))
        learn.setEnabled(person.here)
        learn.triggered.connect(lambda: self.neutral_wanted.emit(person.track_id))
        undo = menu.addAction(self.tr("Undo the neutral baseline"))
        undo.setEnabled(person.track_id in people.with_baseline)
        undo.triggered.connect(lambda: self.neutral_undone.emit(person.track_id))

    def open_menu(self) -> None:
        """Show the menu, as a click on its button does."""
        self._more.showMenu()

    def rename(self) -> None:
        """Edit the name."""
        self._edit.setText(self._person.name)
        for part in (self._name, self._word):
            part.hide()
        self._edit.show()
        self._edit.setFocus()
        self._edit.selectAll()

    def _leave(self) -> None:
        self._edit.hide()
        for part in (self._name, self._word):
            part.show()

    def _finish(self) -> None:
        if self._edit.isHidden():
            return
        self._leave()
        self._people.rename(self._person.track_id, self._edit.text())

    def _in_a_word(self, person: Person, labels: tuple[str, ...]) -> str:
        if not person.here:
            return self.tr("away")
        if person.hidden:
            return self.tr("hidden")
        if self._people.no_signal:
            return self.tr("no signal")
        if person.status is Status.OCCLUDED:
            return self.tr("occluded")
        if person.prediction is None or person.status is Status.WARMING:
            return self.tr("warming up")
        if person.status is Status.UNCERTAIN:
            return self.tr("uncertain")
        word = expression(labels[person.prediction.label])
        return self.tr("{word}?").format(word=word) if person.prediction.flaws else word
