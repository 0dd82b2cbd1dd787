"""The window's live outputs: what is chosen is started with each session, and remembered without its secrets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QAction, QColor, QIcon, QPainter, QPixmap
from PySide6.QtWidgets import QMenu

from mien.app.gui.live.link import LiveLink
from mien.app.gui.look.notice import Notice
from mien.app.gui.preferences import Preferences
from mien.app.gui.tasks import Task
from mien.engine.errors import MienError
from mien.engine.language import tr, trn

if TYPE_CHECKING:
    from mien.engine.outputs.stage import OutputStage, OutputStatus

GOOD, WAITING, OFF = "good", "waiting", "off"
COLOURS: Final = {GOOD: "#2BA36B", WAITING: "#D98200", OFF: "#8A93A3"}
"""Of the lights; what they mean stands beside them."""

_LONGEST: Final = 44  # characters of a target in the menu


@dataclass(slots=True, eq=False)
class Chosen:
    """One output that the user wants.

    Attributes:
        kind, target: as for `mien.engine.live.outputs.LiveOutputs.add`; the target may hold a secret.
        on: it is to run.
        problem: why it cannot be started, in one line.
        stage: it runs.
    """

    kind: str
    target: str
    on: bool = True
    problem: str = ""
    stage: OutputStage | None = None

    @property
    def shown(self) -> str:
        """The target as it may be shown and remembered."""
        if self.stage is not None:
            return self.stage.name[1]
        from mien.engine.outputs.secrets import without_known_secrets

        return without_known_secrets(self.target)

    @property
    def status(self) -> OutputStatus | None:
        """How it goes; None while it does not run."""
        return None if self.stage is None else self.stage.status()

    @property
    def light(self) -> str:
        """GOOD, WAITING (nothing gets through at the moment) or OFF."""
        status = self.status
        if self.problem:
            return WAITING
        if status is None:
            return OFF
        return GOOD if status.sent and not status.message else WAITING

    @property
    def message(self) -> str:
        """Why nothing gets through; "" while all is well."""
        status = self.status
        return self.problem or ("" if status is None else status.message)


class Outputs(QObject):
    """Starts, ends and remembers outputs. All in the window's thread; what may wait is done in another."""

    changed = Signal()
    """An output came, went, or was switched."""

    def __init__(self, parent: QObject, link: LiveLink, preferences: Preferences, notice: Notice) -> None:
        super().__init__(parent)
        self._link, self._preferences, self._notice = link, preferences, notice
        self.chosen: list[Chosen] = []
        for text in preferences.outputs:
            switch, kind, target = (*text.split(" ", 2), "", "")[:3]
            if kind:
                self.chosen.append(Chosen(kind, target, switch == "on"))
        self._look: object = None
        self._listening: Task | None = None
        self.markers_problem = ""
        """Why no markers of other programs can be received."""
        link.ready.connect(self._start_all)
        link.status_changed.connect(self._watch)

    def add(self, kind: str, target: str) -> Chosen:
        """Start one more.

        Raises:
            SettingsError: kind or target cannot be understood, or a package is missing.
        """
        from mien.engine.outputs.base import output_type

        output_type(kind)  # what is missing is said before it stands in the list
        one = Chosen(kind, target.strip())
        if self._link.session is not None:
            self._start(one)
        self.chosen.append(one)
        self._remember()
        return one

    def remove(self, one: Chosen) -> None:
        """End one, and forget it."""
        self.chosen = [other for other in self.chosen if other is not one]
        self._stop(one)
        self._remember()

    def switch(self, one: Chosen, on: bool) -> None:
        """Let one run or rest."""
        one.on, one.problem = on, ""
        if on and one.stage is None and self._link.session is not None:
            self._try(one)
        elif not on:
            self._stop(one)
        self._remember()

    def test(self, one: Chosen) -> None:
        """Send a test to one, where it takes such; else try its target now."""
        if one.stage is not None:
            one.stage.test()

    @property
    def markers(self) -> OutputStatus | None:
        """How it goes with markers that other programs send; None while nobody listens."""
        from mien.engine.live.outputs import MARKERS

        session = self._link.session
        told = () if session is None else session.outputs.status()[-1:]
        return next((status for status in told if status.kind == MARKERS), None)

    @property
    def listens(self) -> bool:
        """Whether markers of other programs are to be set."""
        return self._preferences.lsl_markers

    def listen(self, on: bool) -> None:
        """Set markers that other programs send over Lab Streaming Layer, from now on and in later sessions, or not."""
        if on != self.listens:
            self.markers_problem = ""
            self._preferences.keep(lsl_markers=on)
        self._listen()

    def _listen(self) -> None:
        """In a thread: its library is searched for and loaded, and ends only when nothing waits any more."""
        session, on = self._link.session, self._preferences.lsl_markers
        if session is None or self._listening is not None or on == (self.markers is not None):
            return
        network = any(one.kind == "lsl" and one.on and "network" in one.target.split(",") for one in self.chosen)

        def work() -> None:
            if on:
                session.outputs.listen(session.mark, network=network)
            else:
                session.outputs.stop_listening()

        def done(problem: str = "") -> None:
            self._listening, self.markers_problem = None, problem
            if problem:
                self._preferences.keep(lsl_markers=False)
            self.changed.emit()
            self._listen()  # it was switched again in the meantime

        self._listening = Task(self, work, lambda _: done(), done)

    def fill_menu(self, menu: QMenu, action: QAction) -> None:
        """The outputs with their lights and counts, each to be switched, below the entry that opens the dialog."""
        menu.clear()
        menu.addAction(action)
        if self.chosen:
            menu.addSeparator()
        for one in self.chosen:
            entry = menu.addAction(_light(one.light), menu_text(one).replace("&", "&&"))
            entry.setCheckable(True)
            entry.setChecked(one.on)
            entry.setToolTip(one.message)
            entry.toggled.connect(lambda on, one=one: self.switch(one, on))

    def _start_all(self) -> None:
        self._look = None
        self._watch()
        for one in self.chosen:
            one.stage = None  # that of a session before
            if one.on:
                self._try(one)
        self._listen()
        self.changed.emit()

    def _try(self, one: Chosen) -> None:
        try:
            self._start(one)
        except MienError as error:
            one.problem = str(error)
            self._notice.say(one.problem[:1].upper() + one.problem[1:], key="output", kind="warning")

    def _start(self, one: Chosen) -> None:
        assert self._link.session is not None
        one.stage = self._link.session.outputs.add(one.kind, one.target)
        one.problem = ""

    def _stop(self, one: Chosen) -> None:
        stage, one.stage = one.stage, None
        session = self._link.session
        if stage is not None and session is not None:
            # A target that is stuck is waited for.
            work: Callable[[], bool] = lambda: session.outputs.remove(stage)  # noqa: E731
            Task(self, work, lambda done: None, lambda message: None)

    def _remember(self) -> None:
        kept = []
        for one in self.chosen:
            # Without its key it would be refused at the next start, or go to a wrong place.
            on = one.on and one.shown == one.target
            kept.append(f"{'on' if on else 'off'} {one.kind} {one.shown}")
        self._preferences.keep(outputs=kept)
        self.changed.emit()

    def _watch(self) -> None:
        """Keep the look of pictures as on the screen; covered where recordings are, in any case."""
        session, p = self._link.session, self._preferences
        if session is None:
            return
        style = p.style() if p.overlay else None
        look = p.screen_privacy if p.screen_privacy != "none" else p.record_privacy, style
        if look == self._look:
            return
        self._look = look
        from dataclasses import replace

        from mien.engine.outputs.pictures import PictureLook

        privacy, drawn = look
        session.outputs.set_look(PictureLook(privacy, style=drawn or replace(p.style(), look="none")))


def menu_text(one: Chosen) -> str:
    """Kind, target and counts in a line."""
    from mien.engine.outputs.kinds import OUTPUTS

    name = tr(OUTPUTS[one.kind].name) if one.kind in OUTPUTS else one.kind
    status = one.status
    counts = [] if status is None else [trn("{count:,} sent", "{count:,} sent", status.sent)]
    if status is not None and status.dropped:
        counts.append(trn("{count:,} dropped", "{count:,} dropped", status.dropped))
    shown = one.shown if len(one.shown) <= _LONGEST else f"{one.shown[: _LONGEST // 2]}…{one.shown[-_LONGEST // 2 :]}"
    return " – ".join(filter(None, (f"{name} {shown}".strip(), ", ".join(counts))))


def _light(light: str) -> QIcon:
    made = QPixmap(20, 20)
    made.fill(QColor(0, 0, 0, 0))
    painter = QPainter(made)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setBrush(QColor(COLOURS[light]))
    painter.setPen(QColor(0, 0, 0, 0))
    painter.drawEllipse(5, 5, 10, 10)
    painter.end()
    return QIcon(made)
