"""Keeps a slow or missing target from making a session wait: a thread for each output, and what waits for it."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from mien.engine.errors import SettingsError, explained
from mien.engine.language import tr
from mien.engine.outputs.base import Event, EventKind, LiveScene, Output, output_type
from mien.engine.outputs.events import SceneEvents
from mien.engine.outputs.kinds import OUTPUTS
from mien.engine.outputs.secrets import without_known_secrets
from mien.engine.threads import Stages

if TYPE_CHECKING:
    from mien.engine.outputs.pictures import Painter, PictureLook

_ROOM: Final = 30  # scenes that may wait: one second, so that a target that stutters loses nothing
_EVENTS: Final = 1000
_RETRY_FIRST_S: Final = 0.5
_RETRY_LAST_S: Final = 10.0
_CLOSE_S: Final = 3.0  # a target that blocks longer is left behind


@dataclass(frozen=True, slots=True)
class OutputStatus:
    """How one output goes.

    Attributes:
        kind, target: as it was asked for; what is secret in an address is left out of the target.
        sent: scenes passed on.
        dropped: scenes that newer ones replaced because the target was slow or away.
        message: why nothing gets through at the moment; "" while all is well.
        events: events passed on.
        detail: what the output says of itself, such as "2 clients".
    """

    kind: str
    target: str
    sent: int
    dropped: int
    message: str
    events: int = 0
    detail: str = ""


class OutputStage:
    """Feeds one output from a thread of its own: `offer` never waits, and a target that fails is tried again.

    Args:
        kind: one of `OUTPUTS`.
        target: where to.
        look: how pictures look, asked for each; None: no pictures.
        sessions: how many feed it; each has room for as many scenes that wait.

    Raises:
        SettingsError: kind or target cannot be understood, or a package is missing.
    """

    def __init__(
        self, kind: str, target: str, look: Callable[[], PictureLook] | None = None, *, sessions: int = 1
    ) -> None:
        self._kind, self._target, self._look = kind, target, look
        self._type = output_type(kind)
        self._pictures = False
        self._waiting = _Waiting(_ROOM * sessions)
        self._lock = threading.Lock()
        self._sent = self._lost = self._told = 0
        self._message = ""
        self._close_by = 0.0
        self._output: Output | None = None
        try:
            # Made here for the first time: what cannot work at all is said at once.
            self._take(self._type(target))
        except SettingsError:
            raise
        except Exception as error:  # the target may come later
            self._fail(error)
        # Of the stage's thread alone:
        self._retry_s, self._retry_at = _RETRY_FIRST_S, 0.0
        self._events = SceneEvents()
        self._painter: Painter | None = None
        self._markers: deque[Event] = deque(maxlen=_EVENTS)  # set while the target was away
        self._stages = Stages({f"output-{kind}": self._run}, on_error=self._waiting.close)
        self._stages.start()

    @property
    def name(self) -> tuple[str, str]:
        """Kind and target, the latter as it may be shown."""
        return self._kind, without_known_secrets(self._target)

    def offer(self, live: LiveScene) -> None:
        """Hand over a scene; any thread, never waits."""
        self._waiting.put_scene(live if self._pictures else live.without_pixels())

    def note(self, event: Event) -> None:
        """Hand over an event that does not follow from scenes; any thread, never waits."""
        self._waiting.put_event(event)

    def test(self) -> None:
        """Try the target now, and send it a test event where it takes events."""
        self.note(Event(EventKind.TEST, 0.0, time.monotonic(), "test"))

    def status(self) -> OutputStatus:
        """How it goes. Any thread."""
        with self._lock:
            dropped = self._lost + self._waiting.dropped
            output = self._output
            status = OutputStatus(*self.name, self._sent, dropped, self._message, self._told)
        detail = getattr(output, "detail", "")
        return replace(status, detail=detail) if detail else status

    def address(self) -> str:
        """Where a person can open what this output serves; "" where there is nothing to open, or not yet. May hold a
        token: for whoever asked for this output, never for a log.
        """
        with self._lock:
            output = self._output
        return str(getattr(output, "address", ""))

    def finish(self) -> None:
        """Take nothing more, send what waits and let go; does not wait for that."""
        with self._lock:
            self._close_by = self._close_by or time.monotonic() + _CLOSE_S
        self._waiting.close()

    def close(self) -> bool:
        """As `finish`, and wait for it; True when it was done within some seconds."""
        self.finish()
        return self._stages.join(max(0.0, self._close_by - time.monotonic()))

    # In the stage's thread

    def _run(self) -> None:
        try:
            while (item := self._waiting.take()) is not None:
                if isinstance(item, Event):
                    self._tell(item)
                else:
                    self._count(sent=1) if self._pass_on(item) else self._count(lost=1)
        finally:
            self._drop_output()

    def _pass_on(self, live: LiveScene) -> bool:
        output = self._ready()
        if output is None:
            return False
        try:
            if (tell := _method(output, "tell")) is not None:
                while self._markers:
                    self._hand(tell, self._markers[0])
                    self._markers.popleft()
                for event in self._events.look(live):
                    self._hand(tell, event)
            output.send(live.without_pixels() if self._pictures else live)
            self._show(output, live)
        except Exception as error:  # nothing that happens to a target may disturb the session
            self._give_up(error)
            return False
        self._all_is_well()
        return True

    def _tell(self, event: Event) -> None:
        if event.kind is EventKind.TEST:
            self._retry_at = 0.0
        if event.kind is EventKind.SOURCE:
            self._painter = None
        if event.kind is EventKind.MARKER:
            self._markers.append(event)  # until it has got through: what somebody pressed a key for is not lost
        output = self._ready()
        if output is None:
            return
        try:
            if (tell := _method(output, "tell")) is not None:
                for left in self._events.new_source() if event.kind is EventKind.SOURCE else ():
                    self._hand(tell, left)
                while self._markers:
                    self._hand(tell, self._markers[0])
                    self._markers.popleft()
                if event.kind is not EventKind.MARKER:
                    self._hand(tell, event)
            if event.kind is EventKind.NO_SIGNAL:
                self._show_lost(output, event.text)
        except Exception as error:
            self._give_up(error)
        else:
            self._all_is_well()

    def _hand(self, tell: Callable[[Event], None], event: Event) -> None:
        if event.origin != self._kind:
            tell(event)
            with self._lock:
                self._told += 1

    def _show(self, output: Output, live: LiveScene) -> None:
        if not self._pictures or self._look is None:
            return
        if self._painter is None:
            # Here: outputs without pictures need nothing of what draws them.
            from mien.engine.outputs.pictures import Painter

            self._painter = Painter()
        show = _method(output, "show")
        for picture in self._painter.push(live, self._look()):
            if show is not None:
                show(picture)

    def _show_lost(self, output: Output, text: str) -> None:
        show = _method(output, "show")
        if self._painter is not None and self._look is not None and show is not None:
            picture = self._painter.lose_signal(text, self._look())
            if picture is not None:
                show(picture)

    def _ready(self) -> Output | None:
        """The output, made anew where it is time for that."""
        if self._output is None and time.monotonic() >= self._retry_at:
            try:
                made = self._type(self._target)
            except Exception as error:
                self._fail(error)
                self._wait_longer()
            else:
                self._take(made)
        return self._output

    def _take(self, made: Output) -> None:
        wanted = OUTPUTS[self._kind].pictures and getattr(made, "wants_pictures", True)
        with self._lock:
            self._output, self._pictures = made, wanted and self._look is not None

    def _all_is_well(self) -> None:
        self._retry_s = _RETRY_FIRST_S
        self._say("")

    def _give_up(self, error: Exception) -> None:
        self._fail(error)
        self._wait_longer()
        self._drop_output()

    def _wait_longer(self) -> None:
        self._retry_at = time.monotonic() + self._retry_s
        self._retry_s = min(2 * self._retry_s, _RETRY_LAST_S)

    def _drop_output(self) -> None:
        with self._lock:
            output, self._output = self._output, None
        if output is not None:
            try:
                output.close()
            except Exception as error:
                self._fail(error, tr("was not closed in order"))

    def _count(self, *, sent: int = 0, lost: int = 0) -> None:
        with self._lock:
            self._sent += sent
            self._lost += lost

    def _fail(self, error: Exception, what: str = tr("cannot be reached")) -> None:
        name = " ".join(self.name).strip()
        self._say(without_known_secrets(explained(error, f"{name}: {what}")))

    def _say(self, message: str) -> None:
        with self._lock:
            self._message = message


class _Waiting:
    """Scenes and events in their order. Neither `put` waits: where scenes pile up, the newest stays, and the others are
    counted; events stay.
    """

    def __init__(self, room: int) -> None:
        self._room = room
        self._items: deque[LiveScene | Event] = deque()
        self._scenes = self._dropped = 0
        self._gap_s = 0.0  # of scenes that were dropped
        self._closed = False
        self._changed = threading.Condition()

    @property
    def dropped(self) -> int:
        with self._changed:
            return self._dropped

    def put_scene(self, live: LiveScene) -> None:
        with self._changed:
            if self._closed:
                return
            if self._scenes >= self._room:
                self._dropped += self._scenes
                self._gap_s += sum(item.gap_s for item in self._items if isinstance(item, LiveScene))
                self._items = deque(item for item in self._items if isinstance(item, Event))
                self._scenes = 0
            if self._gap_s > 0:
                live, self._gap_s = replace(live, gap_s=live.gap_s + self._gap_s), 0.0
            self._items.append(live)
            self._scenes += 1
            self._changed.notify_all()

    def put_event(self, event: Event) -> None:
        with self._changed:
            if not self._closed and len(self._items) - self._scenes < _EVENTS:
                self._items.append(event)
                self._changed.notify_all()

    def take(self) -> LiveScene | Event | None:
        """The next, waiting for it; None: closed and empty."""
        with self._changed:
            self._changed.wait_for(lambda: bool(self._items) or self._closed)
            if not self._items:
                return None
            item = self._items.popleft()
            self._scenes -= isinstance(item, LiveScene)
            return item

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()


def _method(output: Output, name: str) -> Callable[[Any], None] | None:
    method = getattr(output, name, None)
    return method if callable(method) else None
