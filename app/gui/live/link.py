"""Between the window and the live session: loads it in the background and pulls what is new with a timer."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypedDict, Unpack

from PySide6.QtCore import QObject, Qt, QTimer, Signal

from mien.app.embedded import embedded_bundle
from mien.app.gui.panel.people import People
from mien.app.gui.tasks import Task
from mien.engine.language import tr

if TYPE_CHECKING:
    from mien.engine.drawing.view import Privacy
    from mien.engine.inference.bundle import Bundle
    from mien.engine.live.session import LiveSession
    from mien.engine.live.status import LiveStatus
    from mien.engine.settings import Expectation, OverlayStyle, Provider, Settings
    from mien.engine.sources.address import SourceAddress
    from mien.engine.sources.playback import Playback
    from mien.engine.types import Scene

_PULL_MS: Final = 8  # half a period of a 60 Hz display; a view comes at once, see `_view_ready`
_PLAYBACK_EVERY: Final = 4
_STATUS_EVERY: Final = 25  # pulls between two looks at the status: five a second


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the session should run.

    Attributes:
        model: folder of the bundle; None: the one that ships with Mien.
        labels_file: of zero-shot labels; None: the model's own labels.
        settings: of the engine.
        microphone: what is heard with a camera; "" for nothing.
    """

    model: Path | None
    labels_file: Path | None
    settings: Settings
    microphone: str = ""


class Look(TypedDict, total=False):
    """Fields of `mien.engine.drawing.view.ViewRequest`, which is not imported before the window is painted."""

    width: int
    height: int
    mirrored: bool
    overlay: bool
    style: OverlayStyle
    privacy: Privacy


class LiveLink(QObject):
    """Owns the live session. Everything is called, and every signal comes, in the window's thread."""

    ready = Signal()
    failed = Signal(str)
    view_changed = Signal(object)
    """A new `View`."""
    scene_missed = Signal(object)
    """A `Scene` that is not shown while the view stands still."""
    status_changed = Signal(object)
    """A `LiveStatus`, about five times a second."""
    playback_changed = Signal(object)
    """A `PlaybackState` of the file that is played, about thirty times a second; None where the source is no file."""

    _view_ready = Signal()

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self.session: LiveSession | None = None
        self.bundle: Bundle | None = None
        self.status: LiveStatus | None = None
        self.paused = False
        self.detector_file: Path | None = None
        self.address: SourceAddress | None = None
        self._people: People | None = None
        self._wanted: Wanted | None = None
        self._seen: Scene | None = None
        self._look: Look = {"width": 640, "height": 480}
        self._serial = -1
        self._pulls = 0
        self._timer = QTimer(self)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.setInterval(_PULL_MS)
        self._timer.timeout.connect(self._pull)
        # Emitted in a thread of the engine: the event waits for the window's own.
        self._view_ready.connect(self._show, Qt.ConnectionType.QueuedConnection)
        self._task: Task | None = None

    def load(self, wanted: Wanted, *, say: Callable[[str], None] = lambda _: None) -> None:
        """Load networks and session in the background, in place of those that are there; then `ready` or `failed`."""
        self._wanted = wanted
        old, self.session = self.session, None
        self._timer.stop()

        def work() -> tuple[LiveSession, Bundle, Path]:
            if old is not None:
                old.close()
            return _load(wanted, say)

        self._task = Task(self, work, self._loaded, self._not_loaded)

    def open(self, address: SourceAddress) -> None:
        """Show another source, at once or as soon as the session is there."""
        self.address = address
        self.paused = False
        if self.session is not None:
            self.session.open(address)

    @property
    def playback(self) -> Playback | None:
        """Of the file that is played; None where the source is no file."""
        return None if self.session is None else self.session.playback

    def pause(self, on: bool) -> None:
        """Let the file stand still; of any other source, the view, while everything else goes on."""
        playback = self.playback
        self.paused = on and playback is None
        if playback is not None:
            playback.pause(on and not playback.now.ended)  # at its end, it is played again

    def close_source(self) -> None:
        self.address = None
        if self.session is not None:
            self.session.close_source()

    def ask(self, **changes: Unpack[Look]) -> None:
        """Change what the view should look like."""
        look: Look = {**self._look, **changes}
        if look != self._look:
            self._look = look
            self._send()

    def follow(self, people: People) -> None:
        """Keep names, selection and hidden bars in the session as they are in `people`."""
        self._people = people
        people.changed.connect(self._tell_people)
        people.selected_changed.connect(self._tell_selected)

    def use(self, bundle: Bundle, provider: Provider, expect: Expectation) -> None:
        """Run another model, or expect something else of it; the status tells when it does."""
        from mien.engine.inference.priors import fitting

        self.bundle = bundle
        if self.session is not None:
            self.session.use_bundle(bundle, provider, fitting(bundle.manifest, expect))

    def close(self) -> None:
        """End the session and its threads."""
        self._timer.stop()
        if self._task is not None:
            self._task.forget()
            # A session that is still being loaded has to be ended, too.
            if self.session is None and self._task.wait(30.0) and self._task.result is not None:
                self.session = self._task.result[0]
            self._task = None
        session, self.session = self.session, None
        if session is not None:
            session.close()

    def _loaded(self, result: tuple[LiveSession, Bundle, Path]) -> None:
        self._task = None
        self.session, self.bundle, self.detector_file = result
        self._send()
        if self.address is not None:
            self.session.open(self.address)
        self._timer.start()
        self._tell_people()
        self.ready.emit()

    def _not_loaded(self, message: str) -> None:
        self._task = None
        self.failed.emit(message)

    def _tell_people(self) -> None:
        people, session = self._people, self.session
        if people is None or session is None:
            return
        now = session.people.now
        if now.book != people.book:
            session.people.call(people.book)
        if now.hidden != people.hidden:
            session.people.hide(people.hidden)
        self._tell_selected()

    def _tell_selected(self) -> None:
        people, session = self._people, self.session
        if people is None or session is None:
            return
        tracks = frozenset[int]() if people.selected is None else people.book.tracks(people.selected.track_id)
        if session.people.now.selected != tracks:
            session.people.select(tracks)

    def _send(self) -> None:
        if self.session is None:
            return
        from mien.engine.drawing.view import ViewRequest

        self.session.set_view(ViewRequest(**self._look), self._announce)

    def _announce(self) -> None:
        with suppress(RuntimeError):  # the window is gone, and its session about to end
            self._view_ready.emit()

    def _pull(self) -> None:
        if self.session is None:
            return
        if self.paused:
            scene = self.session.scene()
            if scene is not None and scene is not self._seen:
                self._seen = scene
                self.scene_missed.emit(scene)
        else:
            self._show()
        self._pulls += 1
        if self._pulls % _PLAYBACK_EVERY == 0:
            playback = self.session.playback
            self.playback_changed.emit(None if playback is None else playback.now)
        if self._pulls % _STATUS_EVERY == 0:
            self.status = self.session.status()
            self.status_changed.emit(self.status)

    def _show(self) -> None:
        view = None if self.session is None or self.paused else self.session.view()
        if view is not None and view.serial != self._serial:
            self._serial = view.serial
            self.view_changed.emit(view)


def _load(wanted: Wanted, say: Callable[[str], None]) -> tuple[LiveSession, Bundle, Path]:
    # Imported here: the window is already on the screen by now.
    from mien.engine.errors import ModelError
    from mien.engine.inference.bundle import load_bundle
    from mien.engine.inference.downloads import resolve_detector, resolve_landmarker
    from mien.engine.inference.priors import fitting
    from mien.engine.live.session import LiveSession
    from mien.engine.sources.base import LiveSettings

    try:
        bundle = load_bundle(wanted.model or embedded_bundle())
    except ModelError:
        if wanted.model is None:
            raise
        # The remembered model was moved or damaged: better the own one than no window.
        say(tr("The model used last could not be loaded; the one that ships with Mien is running instead."))
        bundle = load_bundle(embedded_bundle())
    if wanted.labels_file is not None:
        from mien.engine.inference.typed_labels import with_typed_labels

        with suppress(ModelError):  # the file is gone, or the model has no text encoder: its own labels serve
            bundle = with_typed_labels(bundle, wanted.labels_file, provider=wanted.settings.provider)
    detector = resolve_detector(wanted.settings.detector_range, report=say)
    live = LiveSettings(stay=True, microphone=wanted.microphone)
    settings = replace(wanted.settings, expect=fitting(bundle.manifest, wanted.settings.expect))
    landmarker, trouble = None, ""
    if settings.needs_landmarks:
        try:
            landmarker = resolve_landmarker(report=say)
        except ModelError as error:
            trouble = str(error)  # the window opens all the same, and says so
    session = LiveSession(bundle, detector, settings, live, landmarker_file=landmarker)
    if trouble:
        session.measure(None, trouble)
    return session, bundle, detector
