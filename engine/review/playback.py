"""Plays a recording, goes to any of its frames, steps back and on. Decodes in a thread of its own."""

from __future__ import annotations

import bisect
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import av
import av.error

from mien.engine.errors import SourceError
from mien.engine.language import tr
from mien.engine.media.colour import colour_of, to_rgb
from mien.engine.media.rationals import time_base
from mien.engine.threads import Stages
from mien.engine.types import RgbImage

_IDLE_S: Final = 0.5
_SLOWEST: Final = 0.1
_FASTEST: Final = 8.0
_SHOWN_S: Final = 0.1
"""However far behind, a frame is shown so often."""
_BACK_S: Final = (0.0, 1.0, 5.0, 30.0)  # before the place that is sought, until a key frame lies before it
_SAME_S: Final = 5e-4  # CSVs hold microseconds, MP4s ticks of their time base; frames are further apart
_LATE_S: Final = 0.25
"""So far behind, playing goes on from where it is instead of rushing."""


@dataclass(frozen=True, slots=True, eq=False)
class Played:
    """A frame of the recording.

    Attributes:
        serial: counts the frames given out; another number means another frame.
        index: of the frame in the recording, from 0.
        time_s: its time on the recording's clock, in seconds.
        image: (H,W,3) uint8 RGB.
        request: which `Playback.request` it answers; while another is under way, it is not the newest that is wanted.
    """

    serial: int
    index: int
    time_s: float
    image: RgbImage
    request: int = 0


class Playback:
    """A recording that can be looked at in any order. All calls return at once; `now` gives the newest frame.

    All times are on the recording's clock, that of `mien.engine.review.session`: in the videos that Mien writes it is
    the PTS itself, even where the first frame comes later than 0, as where the audio begins first.

    Args:
        path: the video.
        start_s: the PTS that is 0 on the recording's clock, where the video is not one of the recording's own: the file
            that was annotated begins at `RecordedSession.start_s`.

    Raises:
        SourceError: the file is no video that can be read.
    """

    def __init__(self, path: Path, *, start_s: float = 0.0) -> None:
        self._path = path
        self._start_s = start_s
        self._times = [time_s - start_s for time_s in _times(path)]
        self._changed = threading.Condition()
        self._wanted: int | None = 0
        self._aim = 0  # what was wanted last
        self._playing = False
        self._speed = 1.0
        self._request = 0  # counts what was asked for
        self._answered = 0  # the one that the thread works on
        self._closing = False
        self._now: Played | None = None
        self._error = ""
        self._stages = Stages({"playback": self._run}, on_error=lambda: None)
        self._stages.start()

    @property
    def times_s(self) -> list[float]:
        """Times of all frames, in seconds."""
        return self._times

    @property
    def duration_s(self) -> float:
        """Time of the last frame."""
        return self._times[-1]

    @property
    def playing(self) -> bool:
        with self._changed:
            return self._playing

    @property
    def problem(self) -> str:
        """One line for the user where the recording cannot be read any further; "" while all is well."""
        with self._changed:
            return self._error

    @property
    def request(self) -> int:
        """Counts the frames that were asked for; a frame with an older number is one from before."""
        with self._changed:
            return self._request

    @property
    def speed(self) -> float:
        """How fast it plays; 1 is as recorded."""
        with self._changed:
            return self._speed

    def set_speed(self, speed: float) -> None:
        """Play `speed` times as fast, 0.1 to 8, from the present frame on.

        Raises:
            ValueError: another speed.
        """
        if not _SLOWEST <= speed <= _FASTEST:
            raise ValueError(f"a speed of {speed:g} is not between {_SLOWEST:g} and {_FASTEST:g}")
        with self._changed:
            self._speed = speed
            self._changed.notify_all()

    def now(self) -> Played | None:
        """The newest frame; the same object until there is a newer one."""
        with self._changed:
            return self._now

    def play(self, on: bool = True) -> None:
        """Go on from the present frame, or from the beginning after the last one."""
        with self._changed:
            if on and self._now is not None and self._now.index == len(self._times) - 1:
                self._wanted = 0
            self._playing = on
            self._changed.notify_all()

    def seek(self, time_s: float) -> None:
        """Go to the frame shown at `time_s` seconds."""
        self.go_to(bisect.bisect_right(self._times, time_s + _SAME_S) - 1)

    def step(self, by: int) -> None:
        """Stop, and go `by` frames on, or back."""
        with self._changed:
            self._playing = False
            # What was asked for last counts as long as it is on its way, or fast steps would be lost.
            there = self._now is not None and self._now.request == self._request
            at = self._now.index if self._now is not None and there else self._aim
        self.go_to(at + by)

    def go_to(self, index: int) -> None:
        """Go to one frame; beyond the ends, to the first or last one."""
        with self._changed:
            self._wanted = self._aim = min(max(index, 0), len(self._times) - 1)
            self._request += 1
            self._changed.notify_all()

    def close(self) -> None:
        """End the thread and let go of the file."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._stages.join(10.0)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _run(self) -> None:
        try:
            with av.open(str(self._path)) as container:
                self._serve(container)
        except (av.error.FFmpegError, OSError, ValueError) as error:
            with self._changed:
                self._error = tr(
                    "{path}: cannot be read any further ({error})", path=self._path.name, error=type(error).__name__
                )
                self._playing = False

    def _serve(self, container: Any) -> None:
        """Do what is wanted: a frame that was asked for goes before playing on."""
        stream = container.streams.video[0]
        stream.thread_type = "SLICE"
        images: Iterator[tuple[int, Any]] | None = None
        at, began, speed = -1, 0.0, 1.0
        shown_s = 0.0  # when the last frame was given out
        while True:
            with self._changed:
                if self._wanted is None and not self._playing and not self._closing:
                    self._changed.wait(_IDLE_S)
                    began = 0.0
                    continue
                if self._closing:
                    return
                wanted, self._wanted, playing = self._wanted, None, self._playing
                self._answered = self._request
                if speed != self._speed:
                    speed, began = self._speed, 0.0
            if wanted is not None:
                if images is None or not 0 < wanted - at <= 12:
                    images = self._from(container, stream, wanted)
                frame = None
                for at, frame in images:  # noqa: B007 (goes on where it is)
                    if at >= wanted:
                        break
                began = 0.0
            else:
                images = images or self._from(container, stream, at + 1)
                at, frame = next(images, (at, None))
            if frame is None:
                images = None
                with self._changed:
                    self._playing = False
                continue
            if playing and wanted is None:
                began = began or time.monotonic() - self._times[at] / speed
                wait = began + self._times[at] / speed - time.monotonic()
                if wait < -_LATE_S:
                    began -= wait
                elif wait > 0 and not self._sleep(wait):
                    # Something else is wanted meanwhile; this frame is shown all the same, it is the next one.
                    began = 0.0
                elif time.monotonic() - shown_s < _SHOWN_S and self._over(at, began, speed):
                    continue  # at a high speed not every frame can be shown
            self._publish(at, frame)
            shown_s = time.monotonic()

    def _over(self, at: int, began: float, speed: float) -> bool:
        """Whether it is already time for the frame after `at`."""
        return at + 1 < len(self._times) and began + self._times[at + 1] / speed < time.monotonic()

    def _sleep(self, seconds: float) -> bool:
        """Wait; False when it was cut short."""
        with self._changed:
            return not self._changed.wait_for(
                lambda: self._closing or self._wanted is not None or not self._playing, seconds
            )

    def _from(self, container: Any, stream: Any, index: int) -> Iterator[tuple[int, Any]]:
        """Frames from `index` on, with their indices; those before it since the last key frame are left out."""
        target = round((self._times[min(index, len(self._times) - 1)] + self._start_s) / time_base(stream))
        for frame in self._decoded_from(container, stream, target):
            if frame.pts is None or frame.pts < target:
                continue
            found = bisect.bisect_left(self._times, float(frame.pts * time_base(stream)) - self._start_s - 1e-4)
            yield min(found, len(self._times) - 1), frame

    def _decoded_from(self, container: Any, stream: Any, target: int) -> Iterator[Any]:
        """All frames from the last key frame before `target` on; formats without an index land too late at first."""
        for back_s in _BACK_S:
            container.seek(target - round(back_s / time_base(stream)), stream=stream, backward=True)
            frames = container.decode(stream)
            first = next(frames, None)
            if first is not None and first.pts is not None and first.pts <= target:
                break
        if first is not None:
            yield first
            yield from frames

    def _publish(self, index: int, frame: Any) -> None:
        image = to_rgb(frame, colour_of(frame))
        with self._changed:
            serial = 1 if self._now is None else self._now.serial + 1
            self._now = Played(serial, index, self._times[index], image, self._answered)
            if index == len(self._times) - 1:
                self._playing = False


def _times(path: Path) -> list[float]:
    """Times of all frames in seconds, sorted, without decoding any."""
    try:
        with av.open(str(path)) as container:
            if not container.streams.video:
                raise SourceError(tr("{path}: holds no video", path=path.name))
            stream = container.streams.video[0]
            packets = container.demux(stream)
            pts = sorted(packet.pts for packet in packets if packet.pts is not None and not packet.is_discard)
            base = float(time_base(stream))
    except (av.error.FFmpegError, OSError, ValueError) as error:
        raise SourceError(
            tr("{path}: cannot be opened as a video ({error})", path=path.name, error=type(error).__name__)
        ) from None
    if not pts:
        raise SourceError(tr("{path}: holds no frames", path=path.name))
    return [value * base for value in pts]
