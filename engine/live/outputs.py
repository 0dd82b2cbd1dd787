"""The outputs of a live session: each has its thread; a scene is offered to all, and none is waited for."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final

from mien.engine.outputs.base import Event, EventKind, LiveScene
from mien.engine.outputs.pictures import PictureLook
from mien.engine.outputs.stage import OutputStage, OutputStatus

if TYPE_CHECKING:
    from mien.engine.live.scene_context import SceneContext
    from mien.engine.outputs.lsl.markers import LslMarkers, Mark
    from mien.engine.types import Scene

MARKERS: Final = "lsl-markers"
"""The kind under which `LiveOutputs.status` tells of markers that come in."""
_OLD_S: Final = 0.5  # a frame older than this is no longer what somebody who sets a marker sees happen
_LONGEST_TEXT: Final = 500  # characters of a marker, as in recordings


class LiveOutputs:
    """Any number of outputs, which may come and go while the session runs. For any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._stages: tuple[OutputStage, ...] = ()
        self._shared: tuple[OutputStage, ...] = ()
        self._look = PictureLook()
        self._clock: tuple[float, float] | None = None  # `Frame.time_s` and `captured_s` of the newest scene
        self._lost = False  # the signal was lost since then
        self._markers: LslMarkers | None = None
        self._closed = False

    def add(self, kind: str, target: str) -> OutputStage:
        """Start one; the same twice is two.

        Raises:
            SettingsError: kind or target cannot be understood, or a package is missing.
        """
        stage = OutputStage(kind, target, self.look)
        with self._lock:
            self._stages = (*self._stages, stage)
        return stage

    def share(self, stage: OutputStage) -> None:
        """Send to one that other sessions feed, too. Whoever made it asks it how it goes, and closes it at the end."""
        with self._lock:
            self._shared = (*self._shared, stage)

    def remove(self, stage: OutputStage) -> bool:
        """Send what waits for one and let go of it; waits some seconds at most. True when it was done in time."""
        with self._lock:
            self._stages = tuple(other for other in self._stages if other is not stage)
        return stage.close()

    @property
    def stages(self) -> tuple[OutputStage, ...]:
        """Those there are, in the order in which they came."""
        return self._stages

    def look(self) -> PictureLook:
        """How pictures look at the moment."""
        return self._look

    def set_look(self, look: PictureLook) -> None:
        """Say how pictures look from now on, also those that wait."""
        self._look = look

    def listen(self, mark: Mark, name: str = "", *, network: bool = False) -> None:
        """Have markers that other programs send over Lab Streaming Layer set by `mark`; `status` tells how that goes.

        Args:
            mark: `LiveSession.mark`.
            name: only of streams with this name; "": of all.
            network: also those from other machines.

        Raises:
            SettingsError: pylsl is missing or cannot be used.
        """
        from mien.engine.outputs.lsl.markers import LslMarkers

        made: LslMarkers | None = LslMarkers(mark, name, network=network)
        with self._lock:
            if not self._closed:
                self._markers, made = made, self._markers
        if made is not None:
            made.close()

    def stop_listening(self) -> None:
        """Undo `listen`; waits some seconds at most."""
        with self._lock:
            markers, self._markers = self._markers, None
        if markers is not None:
            markers.close()

    def offer(self, scene: Scene, context: SceneContext) -> None:
        """Hand a scene to every output; never waits."""
        self._clock, self._lost = (scene.frame.time_s, scene.frame.captured_s), False
        if not (self._stages or self._shared):
            return
        people, model = context.people, context.model
        # Views and recordings know whose face is concealed, targets do not: nothing that landmarks say goes to them.
        plain = scene.without_measures([face.track_id for face in scene.faces])
        live = LiveScene(
            plain, model.labels, people.names, context.source_name, model.bundle.manifest, context.info, context.gap_s,
            people.book, people.selected, people.hidden,
        )  # fmt: skip
        for stage in (*self._stages, *self._shared):
            stage.offer(live)

    def mark(self, text: str, *, ago_s: float = 0.0, at_s: float | None = None, origin: str = "") -> None:
        """Tell every output of a marker at the moment where the recording has it, too: see `RecordStage.mark`."""
        if at_s is None:
            now = time.monotonic()
            fresh = self._clock is not None and not self._lost and now - self._clock[1] <= _OLD_S
            at_s = (self._clock[1] if fresh and self._clock is not None else now) - ago_s
        self._note(EventKind.MARKER, text, at_s, origin)

    def lose_signal(self, text: str) -> None:
        """Tell every output, once until the next scene, that no frames come any more."""
        if not self._lost:
            self._note(EventKind.NO_SIGNAL, text)
        self._lost = True

    def new_source(self) -> None:
        """Tell every output that the scenes to come are of another source."""
        self._note(EventKind.SOURCE)
        self._clock, self._lost = None, False

    def _note(self, kind: EventKind, text: str = "", at_s: float | None = None, origin: str = "") -> None:
        at_s, clock, time_s = time.monotonic() if at_s is None else at_s, self._clock, 0.0
        if clock is not None:
            time_s = clock[0] + (at_s - clock[1] if clock[1] else 0.0)
        event = Event(kind, time_s, at_s, " ".join(text.split())[:_LONGEST_TEXT], origin=origin)
        for stage in (*self._stages, *self._shared):
            stage.note(event)

    def status(self) -> tuple[OutputStatus, ...]:
        """How each goes, and last, as `MARKERS`, the markers that come in."""
        told = tuple(stage.status() for stage in self._stages)
        markers = self._markers
        if markers is None:
            return told
        return (*told, OutputStatus(MARKERS, "", markers.count, 0, markers.message, detail=markers.detail))

    def close(self) -> bool:
        """Send what waits and let go of all; True when that was done in time."""
        with self._lock:
            stages, self._stages, self._shared, self._closed = self._stages, (), (), True
        for stage in stages:
            stage.finish()  # all at once: what is stuck is waited for together
        self.stop_listening()
        closed = [stage.close() for stage in stages]
        return all(closed)
