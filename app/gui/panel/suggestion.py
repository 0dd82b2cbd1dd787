"""Asks whether somebody who came back is who left: the ids are merged only when a person says so."""

from __future__ import annotations

from PySide6.QtWidgets import QFrame

from mien.app.gui.look.widgets import button, column, label, row
from mien.app.gui.panel.people import People
from mien.engine.language import tr


class MergeQuestion(QFrame):
    """Shown while a merge is suggested."""

    def __init__(self, people: People) -> None:
        super().__init__()
        self.setObjectName("notice")
        self.setProperty("kind", "info")
        self._people = people
        self._text = label("", wrap=True)
        self._yes, self._no = button(self.tr("Same person")), button(self.tr("No"), kind="quiet")
        self._yes.clicked.connect(self.agree)
        self._no.clicked.connect(people.decline)
        inner = column(self._text, row(self._yes, self._no, 0), spacing=6)
        inner.setContentsMargins(12, 8, 12, 8)
        self.setLayout(inner)
        self.hide()

    @property
    def text(self) -> str:
        """The question; "" while there is none."""
        return "" if self.isHidden() else self._text.text()

    def agree(self) -> None:
        """Merge the two."""
        pair = self._people.suggestion
        if pair is not None:
            self._people.merge(pair.old, pair.new)

    def refresh(self) -> None:
        """Ask what is to be asked now."""
        people, pair = self._people, self._people.suggestion
        there = (
            pair is not None and {people.book.person(pair.old), people.book.person(pair.new)} <= people.persons.keys()
        )
        if pair is not None and there:
            old, new = (people.persons[people.book.person(key)].title for key in (pair.old, pair.new))
            self._text.setText(
                tr(
                    "Is {new} the same person as {old}? Same place and size, {gap:.1f} s later.",
                    new=new,
                    old=old,
                    gap=pair.gap_s,
                )
            )
        self.setVisible(there)
