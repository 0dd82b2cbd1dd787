"""Plays the recording in the review window: where it is, what is drawn on its frames, and jumps."""

from __future__ import annotations

import bisect
from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QObject, Qt, QTimer, Signal

from mien.app.gui.look.frame_view import FrameView
from mien.app.gui.review.state import ReviewState
from mien.engine.settings import COMPACT

if TYPE_CHECKING:
    from mien.engine.review.playback import Playback, Played
    from mien.engine.review.video.audio import RecordedAudio
    from mien.engine.review.video.export import Drawing, Look
    from mien.engine.review.video.origin import Origin

_PULL_MS: Final = 10


class Player(QObject):
    """Pulls frames from the playback with a timer, draws on them and shows them.

    Attributes:
        playback: None where there is no video.
        origin: the video that is played.
        played: the frame that is shown.
        time_s: where the recording is.
        overlay: whether boxes and numbers are drawn, where the video has none yet.
        style: how.
        audible: whether its audio is played.
    """

    moved = Signal(float)
    """The recording is somewhere else now."""
    playing = Signal(bool)
    said = Signal(str, str)
    """A line for the user, and its kind."""

    def __init__(self, parent: QObject, image: FrameView) -> None:
        super().__init__(parent)
        self._image = image
        self._state: ReviewState | None = None
        self.playback: Playback | None = None
        self.origin: Origin | None = None
        self.played: Played | None = None
        self.time_s = 0.0
        self.overlay = True
        self.style = COMPACT
        self._drawing: Drawing | None = None
        self._audio: RecordedAudio | None = None
        self._told = ""
        self.audible = True
        self._timer = QTimer(self)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.setInterval(_PULL_MS)
        self._timer.timeout.connect(self._pull)

    def open(self, state: ReviewState, playback: Playback | None, origin: Origin | None) -> None:
        """Begin with a recording."""
        self._state, self.playback, self.origin = state, playback, origin
        state.changed.connect(self.redraw)
        state.selected.connect(self.redraw)
        self.redraw()
        if origin is not None and playback is not None:
            from mien.engine.review.video.audio import RecordedAudio

            self._audio = RecordedAudio(origin.path, origin.start_s)
        self._timer.start()
        self.moved.emit(0.0)

    def close(self) -> None:
        """Let go of the file."""
        self._timer.stop()
        if self._audio is not None:
            self._audio.close()
        if self.playback is not None:
            self.playback.close()

    # Where it is

    @property
    def duration_s(self) -> float:
        return 0.0 if self._state is None else self._state.session.duration_s

    def toggle(self) -> None:
        """Play or pause."""
        if self.playback is not None:
            self.playback.play(not self.playback.playing)

    def step(self, by: int) -> None:
        """Go `by` frames on; back where negative."""
        if self.playback is not None:
            self.playback.step(by)

    def seek(self, time_s: float) -> None:
        """Go to a time of the recording."""
        if self._state is None:
            return
        time_s = min(max(time_s, 0.0), self.duration_s)
        if self.playback is not None:
            self.playback.seek(time_s)
        self._move(time_s)

    def skip(self, seconds: float) -> None:
        self.seek(self.time_s + seconds)

    def set_speed(self, speed: float) -> None:
        if self.playback is not None:
            self.playback.set_speed(speed)

    def jump(self, times: list[float], side: int) -> bool:
        """Pause, and go to the next of `times`, or the one before; False where there is none."""
        now = self.time_s
        at = bisect.bisect_right(times, now + 0.02) if side > 0 else bisect.bisect_left(times, now - 0.02) - 1
        if not 0 <= at < len(times):
            return False
        if self.playback is not None:
            self.playback.play(False)
        self.seek(times[at])
        return True

    def jump_to_marker(self, side: int) -> None:
        if self._state is not None and not self.jump([m.time_s for m in self._state.session.markers], side):
            self.said.emit(self.tr("No further marker."), "info")

    def jump_to_event(self, side: int) -> None:
        """To the next or previous event, which is selected."""
        state = self._state
        if state is None:
            return
        if not self.jump(sorted({event.start_s for event in state.session.coding.events}), side):
            self.said.emit(self.tr("No further event."), "info")
            return
        here = [event for event in state.session.coding.events if abs(event.start_s - self.time_s) < 1e-6]
        state.select_event(here[0].number if here else None)

    def jump_to_peak(self, side: int) -> None:
        """To the next or previous moment at which the selected person showed the selected expression most clearly."""
        state = self._state
        if state is None:
            return
        session = state.session
        names = session.labels if not isinstance(state.label, int) else (session.labels[state.label],)
        people = list(session.tracks) if state.person is None else [state.person]
        times = sorted({peak.time_s for key in people for name in names for peak in session.peaks(key, name)})
        if not self.jump(times, side):
            self.said.emit(self.tr("No further peak of this expression."), "info")

    def _move(self, time_s: float) -> None:
        self.time_s = time_s
        self.moved.emit(time_s)

    def _pull(self) -> None:
        if self.playback is None:
            return
        now = self.playback.now()
        # A frame from before the last seek would set the clock back, and a key pressed then a wrong time.
        new = now is not None and (self.played is None or now.serial != self.played.serial)
        if now is not None and new and now.request == self.playback.request:
            self.played = now
            self._paint()
            self._move(now.time_s)
        self.playing.emit(self.playback.playing)
        if self._audio is not None:
            self._hear(self._audio, self.playback)
        if self.playback.problem:
            self.said.emit(self.playback.problem[:1].upper() + self.playback.problem[1:], "warning")
            self._timer.stop()

    def _hear(self, audio: RecordedAudio, playback: Playback) -> None:
        there = self.played is not None and self.played.request == playback.request
        audio.follow(playback.playing and self.audible and there, self.time_s, playback.speed)
        if audio.problem and audio.problem != self._told:
            self._told = audio.problem
            self.said.emit(audio.problem[:1].upper() + audio.problem[1:], "info")

    # The picture

    @property
    def bare(self) -> bool:
        """Whether something can be drawn on the video."""
        return self.origin is not None and self.origin.bare

    def look(self) -> Look:
        """What is drawn, for exports."""
        from mien.engine.review.video.export import Look

        person = None if self._state is None else self._state.person
        return Look(self.overlay, style=self.style, selected=frozenset() if person is None else frozenset({person}))

    def redraw(self) -> None:
        """Names, hidden people or what is drawn have changed."""
        from mien.engine.review.video.export import Drawing

        if self._state is None:
            return
        if self._audio is not None:
            self._audio.counted = self._state.session.counted
        self._drawing = Drawing(self._state.session, self.look()) if self.bare and self.overlay else None
        self._paint()

    def _paint(self) -> None:
        if self.played is None or self._state is None:
            return
        from mien.engine.review.video.export import covered

        image = self.played.image
        if not self._state.session.counted.hold(self.played.time_s):
            image = covered(image)
        elif self._drawing is not None:
            image = self._drawing.draw(image, self.played.time_s)
        self._image.show_image(image)
