"""The nouns of the engine: what flows from source to recording. All are immutable.

Frames are RGB, uint8, (H,W,3). Coordinates are pixels of the frame, origin top left, x to the right, y down.
Times are seconds of the source's own clock (its PTS), not of the wall clock.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from fractions import Fraction
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from mien.engine.measures import FaceMeasures

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

RgbImage = npt.NDArray[np.uint8]
Part = tuple[int, int, int, int]
"""Of a frame: left, top, right and bottom in pixels, the last two excluded; may reach beyond it."""
FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Colour:
    """Colour tags of a video as FFmpeg's numbers (AVColorSpace and its kin); 2 means "unspecified"."""

    space: int = 2
    primaries: int = 2
    transfer: int = 2
    full_range: bool = False


@dataclass(frozen=True, slots=True)
class VideoFormat:
    """What a video file that is written must know before its first frame.

    Attributes:
        width, height: of the frames, in pixels.
        time_base: seconds per PTS unit of the frames.
        frame_rate: expected frames per second, a hint for rate control; real timing is in the PTS. None where unknown.
        sample_aspect: width : height of one pixel.
        colour: tags of the file.
        start_s: time that is 0 in the file, in seconds of the frames' clock.
    """

    width: int
    height: int
    time_base: Fraction
    frame_rate: Fraction | None = None
    sample_aspect: Fraction = Fraction(1)
    colour: Colour = Colour()
    start_s: float = 0.0


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """What a source says of itself before its first frame.

    Attributes:
        name: for people and for files; never holds a password.
        width, height: of the upright frames that the source gives, in pixels.
        frame_rate: average frames per second; None where the source does not say.
        frames: how many frames there should be; None where unknown. An announcement, not a promise.
        duration_s: announced length in seconds; None where unknown.
        time_base: seconds per PTS unit.
        start_s: PTS of the file's beginning in seconds; usually 0, not so for transport streams.
        sample_aspect: width : height of one pixel.
        colour: how the frames were encoded, so that the recording can say the same.
        codec: name of the video codec, or what the source is.
        audio_codec: name of the audio codec; None: no audio.
        encryption: of a network stream: "verified" (TLS with a trusted certificate), "unverified" (TLS, not checked)
            or "none"; else None.
    """

    name: str
    width: int
    height: int
    frame_rate: Fraction | None
    frames: int | None
    duration_s: float | None
    time_base: Fraction
    start_s: float = 0.0
    sample_aspect: Fraction = Fraction(1)
    colour: Colour = Colour()
    codec: str = ""
    audio_codec: str | None = None
    encryption: str | None = None

    @property
    def video_format(self) -> VideoFormat:
        """That of a recording which keeps the source's size, times and colours."""
        return VideoFormat(
            self.width, self.height, self.time_base, self.frame_rate, self.sample_aspect, self.colour, self.start_s
        )


@dataclass(frozen=True, slots=True, eq=False)
class AudioChunk:
    """A piece of a live source's audio.

    Attributes:
        time_s: of its first sample, on the clock of `Frame.time_s`.
        rate: samples per second.
        samples: (2, n) float32, left and right, full scale from -1 to 1.
    """

    time_s: float
    rate: int
    samples: FloatArray


@dataclass(frozen=True, slots=True)
class Discontinuity:
    """A place where the times of a file jump though its frames go on: see `mien.engine.media.timeline`.

    Attributes:
        frame: index of the first frame after it.
        source_s: the PTS that the file gives to that frame, seconds.
        time_s: the PTS that the frame gets, seconds.
        shift_s: what is added to the PTS of the file from this frame on, seconds.
    """

    frame: int
    source_s: float
    time_s: float
    shift_s: float


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One frame of a source. Its times are given once, where it is captured; what later stages know goes beside it.

    Attributes:
        index: counts the frames of the source from 0.
        pts: presentation time in units of `SourceInfo.time_base`; strictly increasing.
        duration: of the frame in the same units; 0 where the source does not say.
        time_s: `pts` in seconds.
        image: (H,W,3) uint8 RGB.
        captured_s: `time.monotonic()` when a live view was there; 0 for files that are annotated.
        gap_s: seconds without signal just before this frame, where a live source was lost; normally 0.
        discontinuity: of a file, where its times jump just before this frame.
        shot: another number than that of the frame before: nothing follows from that one, it is another picture or
            another place in a file, and no face in it is known.
        shift_s: of a file that is played live: what was added to the time that the file gives. Another number than that
            of the frame before: the file is played from another place, or its own times jump.
        decoded: the decoder's own frame, where a recording can take over what nothing was drawn on; see
            `mien.engine.media.colour`. `image` is then nobody else's.
    """

    index: int
    pts: int
    duration: int
    time_s: float
    image: RgbImage
    captured_s: float = 0.0
    gap_s: float = 0.0
    discontinuity: Discontinuity | None = None
    shot: int = 0
    shift_s: float = 0.0
    decoded: VideoFrame | None = None


class SourceState(StrEnum):
    """What a live source is doing."""

    CONNECTING = "connecting"
    LIVE = "live"
    STALLED = "stalled"
    """Connected, but no frame for a while."""
    RECONNECTING = "reconnecting"
    """Lost; waiting to try again."""
    ENDED = "ended"
    """A file has been played to its end."""
    FAILED = "failed"
    """Trying again would not help: wrong password, unknown path."""


@dataclass(frozen=True, slots=True)
class SourceCondition:
    """The state of a live source at one moment.

    Attributes:
        state: what it is doing.
        message: one line for people: why, and what to do; never holds a password.
        retry_in_s: seconds until the next try, while reconnecting.
        reconnects: how often the signal came back after a loss.
    """

    state: SourceState
    message: str = ""
    retry_in_s: float | None = None
    reconnects: int = 0


@dataclass(frozen=True, slots=True)
class Box:
    """An axis-aligned rectangle in pixels; may reach beyond the frame."""

    x: float
    y: float
    width: float
    height: float

    @property
    def right(self) -> float:
        return self.x + self.width

    @property
    def bottom(self) -> float:
        return self.y + self.height

    @property
    def area(self) -> float:
        return max(self.width, 0.0) * max(self.height, 0.0)

    def intersection(self, other: Box) -> float:
        """Area of the overlap with `other` in square pixels."""
        width = min(self.right, other.right) - max(self.x, other.x)
        height = min(self.bottom, other.bottom) - max(self.y, other.y)
        return max(width, 0.0) * max(height, 0.0)

    def iou(self, other: Box) -> float:
        """Intersection over union with `other`, 0 to 1."""
        shared = self.intersection(other)
        union = self.area + other.area - shared
        return shared / union if union > 0 else 0.0


KEYPOINTS = ("right_eye", "left_eye", "nose", "mouth", "right_ear", "left_ear")
"""The order of `Detection.keypoints`; right and left are the subject's own."""


@dataclass(frozen=True, slots=True, eq=False)
class Detection:
    """A face found in one frame.

    Attributes:
        box: around the face.
        keypoints: (6,2) float32 pixels, in the order of `KEYPOINTS`.
        score: the detector's confidence, 0 to 1.
    """

    box: Box
    keypoints: FloatArray
    score: float


@dataclass(frozen=True, slots=True, eq=False)
class Face:
    """A tracked face in one frame.

    Attributes:
        track_id: from 1, the same for one face over time; never given to another within a session.
        box: the tracker's estimate.
        detection: what was found in this frame; None while the face is hidden and `box` is a guess.
    """

    track_id: int
    box: Box
    detection: Detection | None

    @property
    def observed(self) -> bool:
        return self.detection is not None


class Status(StrEnum):
    """How far the numbers of one face in one frame can be trusted."""

    OK = "ok"
    WARMING = "warming"
    """Seen for less than the model's window: the earliest step is repeated in place of the missing ones."""
    UNCERTAIN = "uncertain"
    """Even the most probable class is less probable than the model's threshold: better no answer than a wrong one."""
    OCCLUDED = "occluded"
    """Not found in this frame; the box is where the tracker expects it, and there are no new numbers."""
    NO_FACE = "no face"


class Flaw(StrEnum):
    """What makes a face hard to read; see `mien.engine.faces.quality` for the limits."""

    SMALL = "small"
    DARK = "dark"
    OVEREXPOSED = "overexposed"
    BLURRED = "blurred"
    NOISY = "noisy"
    TURNED_AWAY = "turned away"
    EYES_CLOSED = "eyes closed"
    """Measured on landmarks, as is the next; neither makes the numbers less certain."""
    SPEAKING = "speaking"
    MOUTH_COVERED = "mouth covered"
    """Seen in the picture, as is the next: see `mien.engine.faces.covered`."""
    EYES_COVERED = "eyes covered"
    """One eye or both: a hand, dark glasses, hair."""


REMARKS: Final = frozenset({Flaw.EYES_CLOSED, Flaw.SPEAKING})
"""What is said of a face beside its numbers, but does not make them less certain."""


@dataclass(frozen=True, slots=True, eq=False)
class Prediction:
    """What the model read in the last window of one face.

    Attributes:
        time_s: time of the newest frame in the window.
        logits: (C,) float32, before temperature.
        raw: (C,) float32, sum 1: what the model says of this window alone.
        probabilities: (C,) float32, sum 1: `raw` steadied over time, as they are shown; see
            `mien.engine.faces.steadying`. The most probable class has no equal.
        steps: how many of the T steps are filled by time, 1 to T; fewer than T means "warming up".
        warming: steps < T.
        uncertain: the largest of the probabilities shown is below the model's threshold.
        flaws: what was wrong with the newest frame in the window.
        values: what the model predicts beside the classes, such as valence, by name and in its own unit, of this window
            alone; most models predict none.
    """

    time_s: float
    logits: FloatArray
    raw: FloatArray
    probabilities: FloatArray
    steps: int
    warming: bool
    uncertain: bool = False
    flaws: tuple[Flaw, ...] = ()
    values: Mapping[str, float] = field(default_factory=dict)

    @property
    def label(self) -> int:
        """Index of the class to show: always the one that is the most probable by the numbers shown."""
        return int(self.probabilities.argmax())


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """One frame with everything known about it.

    Attributes:
        frame: the frame.
        faces: the tracked faces, by track id.
        predictions: the newest prediction of each face that has one, by track id.
        others: boxes of what was found but is not followed: faces that are not sure yet, or one too many.
        measures: pose, gaze and the like, by track id, of each face that was measured in this frame or, where faces
            take turns, just before: `FaceMeasures.time_s` says when.
    """

    frame: Frame
    faces: tuple[Face, ...]
    predictions: Mapping[int, Prediction]
    others: tuple[Box, ...] = ()
    measures: Mapping[int, FaceMeasures] = field(default_factory=dict)

    def without_measures(self, tracks: Collection[int]) -> Scene:
        """The same, with nothing that was measured on the landmarks of these faces."""
        if not self.measures.keys() & tracks and not any(
            REMARKS.intersection(self.predictions[key].flaws) for key in tracks if key in self.predictions
        ):
            return self
        predictions = {
            key: replace(one, flaws=tuple(flaw for flaw in one.flaws if flaw not in REMARKS)) if key in tracks else one
            for key, one in self.predictions.items()
        }
        measures = {key: one for key, one in self.measures.items() if key not in tracks}
        return replace(self, predictions=predictions, measures=measures)

    def status(self, face: Face) -> Status:
        """How far the numbers of `face` can be trusted in this frame."""
        if not face.observed:
            return Status.OCCLUDED
        prediction = self.predictions.get(face.track_id)
        if prediction is None or prediction.warming:
            return Status.WARMING
        return Status.UNCERTAIN if prediction.uncertain else Status.OK
