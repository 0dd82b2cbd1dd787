"""Learns people's own neutral faces from the window, says how that goes, and undoes it."""

from __future__ import annotations

from PySide6.QtCore import QObject

from mien.app.gui.live.link import LiveLink
from mien.app.gui.look.notice import Notice
from mien.app.gui.panel.people import People
from mien.engine.errors import MienError

_SECONDS = 3.0


class Baselines(QObject):
    """The window's side of it; the engine learns and corrects."""

    def __init__(self, parent: QObject, link: LiveLink, people: People, notice: Notice) -> None:
        super().__init__(parent)
        self._link, self._people, self._notice = link, people, notice
        self._asked: frozenset[int] = frozenset()

    def learn(self, track_id: int | None) -> None:
        """Look at a person, or at everybody in the frame (None), who look neutral now."""
        session = self._link.session
        asked = [track_id] if track_id is not None else [key for key, one in self._people.persons.items() if one.here]
        if session is None or not asked:
            self._notice.say(self.tr("There is nobody in the frame whose neutral face could be learnt."), seconds=5)
            return
        try:
            session.baselines.learn(asked, _SECONDS)
        except MienError as error:
            self._notice.say(str(error)[:1].upper() + str(error)[1:], key="neutral", kind="warning")
            return
        self._asked = frozenset(asked)
        self._notice.say(
            self.tr("{who}: look neutral for three seconds.").format(who=self._names(self._asked)), key="neutral"
        )

    def undo(self, track_id: int | None) -> None:
        """Correct a person, or everybody (None), no more."""
        session = self._link.session
        if session is None:
            return
        state = session.baselines.state
        gone = state.learnt | state.learning if track_id is None else frozenset({track_id})
        if not gone:
            return
        session.baselines.undo(gone)
        self._asked = frozenset()
        session.mark(f"Neutral baseline undone: {self._names(gone)}")  # data: in English everywhere
        self._notice.say(
            self.tr("The neutral baseline of {who} is undone.").format(who=self._names(gone)), key="neutral", seconds=4
        )

    def watch(self) -> None:
        """Look how far it is; say when it is done."""
        session = self._link.session
        if session is None:
            return
        state = session.baselines.state
        self._people.with_baseline = state.learnt
        done = self._asked & state.learnt
        if done and not self._asked & state.learning:
            self._asked = frozenset()
            session.mark(f"Neutral baseline: {self._names(done)}")  # data: in English everywhere
            self._notice.say(
                self.tr("The neutral face of {who} is learnt; predictions are corrected by it.").format(
                    who=self._names(done)
                ),
                key="neutral", kind="check", seconds=8, action=(self.tr("Undo"), lambda: self._undo_all(done)),
            )  # fmt: skip

    def _undo_all(self, people: frozenset[int]) -> None:
        for person in people:
            self.undo(person)

    def _names(self, people: frozenset[int]) -> str:
        known = self._people.persons
        return ", ".join(known[key].title for key in sorted(people) if key in known) or self.tr("Somebody")
