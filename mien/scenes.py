"""Goes through a source and says, frame by frame, which faces are there and what they show."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from mien.engine.faces.detection import open_detector
from mien.engine.faces.recogniser import Recogniser
from mien.engine.faces.tracker import KEEP_SCORE_RATIO, Tracker
from mien.engine.inference.bundle import Bundle
from mien.engine.inference.predictor import Predictor
from mien.engine.settings import DetectorRange, Provider, Settings
from mien.engine.sources.address import LIVE_SOURCES, SourceAddress
from mien.engine.sources.arrays import ArraySource
from mien.engine.sources.base import LiveSettings
from mien.engine.sources.open import open_live, open_source
from mien.engine.types import Box, FloatArray, RgbImage
from mien.engine.types import Scene as EngineScene
from mien.feeds import FileFeed, LiveFeed
from mien.loading import bundle_of, detector_file, settings_of

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


@dataclass(frozen=True, slots=True, eq=False)
class Face:
    """A face in one frame.

    Attributes:
        id: from 1, the same for one face over time; never given to another while the source is read.
        box: in pixels of the frame, origin top left; a guess while the face is hidden.
        keypoints: (6,2) float32 pixels: right eye, left eye (the subject's own), nose, mouth, right ear, left ear; None
            while the face is hidden.
        score: the detector's confidence, 0 to 1; None while the face is hidden.
        status: "ok"; "warming": seen for less than the model's window; "uncertain": no label is probable enough;
            "occluded": hidden in this frame.
        quality: what makes the face hard to read: "small", "dark", "overexposed", "blurred", "noisy", "turned away";
            empty if nothing does.
        label: the label to show: always the one with the largest of `probabilities`; None where nothing was measured.
        probabilities: by label, sum 1, steadied over time; empty while the face is hidden, and until it was read for
            the first time.
        raw: as `probabilities`, by the newest window alone.
        prediction_s: time of the newest frame that the probabilities rest on, on the clock of `Scene.time_s`.
        values: what the model predicts beside the classes, such as valence; most models predict nothing.
    """

    id: int
    box: Box
    keypoints: FloatArray | None
    score: float | None
    status: str
    quality: tuple[str, ...]
    label: str | None
    probabilities: Mapping[str, float]
    raw: Mapping[str, float]
    prediction_s: float | None
    values: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """One frame with its faces.

    Attributes:
        index: counts the frames of the source from 0.
        time_s: seconds: a file's own time (PTS), the time that came with the frame, or seconds since a live source was
            opened.
        image: (H,W,3) uint8 RGB.
        faces: by id.
        gap_s: seconds without a signal just before this frame, where a live source was lost; normally 0.
    """

    index: int
    time_s: float
    image: RgbImage
    faces: tuple[Face, ...]
    gap_s: float = 0.0

    def face(self, id: int) -> Face | None:
        """The face `id`, or None where it is not in this frame."""
        return next((face for face in self.faces if face.id == id), None)


class SceneReader:
    """Gives the scenes of one source; made by `read`. An iterator, and a context manager whose end frees everything.

    Leaving the loop ends every thread. It is used up after one pass. For one thread at a time.

    Attributes:
        labels: class names of the model, in its order.
        live: whether the source does not wait: then frames that came too fast are dropped, and counted in `dropped`.
    """

    def __init__(self, feed: FileFeed | LiveFeed, bundle: Bundle, detector: Path, settings: Settings) -> None:
        self._closed = True  # until there is something to close
        self._feed = feed
        self._predictor = Predictor(
            bundle, provider=settings.provider, threads=settings.threads or None, expect=settings.expect
        )
        self._recogniser = Recogniser(self._predictor)
        self._shot = 0
        self._tracker = Tracker(
            min_score=settings.min_score, occlusion_s=settings.occlusion_s, max_faces=settings.max_faces
        )
        self._detector = open_detector(detector, min_score=settings.min_score * KEEP_SCORE_RATIO)
        self._frames = feed.frames()
        self._closed = False
        self.labels = bundle.manifest.labels
        self.live = isinstance(feed, LiveFeed)

    @property
    def name(self) -> str:
        """Of the source; holds no login."""
        return self._feed.name

    @property
    def provider(self) -> str:
        """What runs the model, as ONNX Runtime reports it."""
        return self._predictor.provider

    @property
    def dropped(self) -> int:
        """Frames of a live source that a newer one replaced before they were looked at; always 0 for files."""
        return self._feed.dropped

    @property
    def warnings(self) -> tuple[str, ...]:
        """What was wrong with the source or a provider though reading went on; for files complete at the end."""
        return (*self._feed.warnings, *self._predictor.warnings)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Scene:
        if self._closed:
            raise StopIteration
        frame = next(self._frames)
        if frame.shot != self._shot:
            self._shot = frame.shot
            self._tracker.forget()
            self._detector.forget()
        faces = self._tracker.update(self._detector.detect(frame.image), frame.time_s)
        return _scene(EngineScene(frame, faces, self._recogniser.update(frame, faces)), self.labels)

    def close(self) -> None:
        """Leave the source, end its thread, free the networks. Safe to call twice."""
        if self._closed:
            return
        self._closed = True
        self._frames.close()
        self._feed.close()
        self._detector.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def __del__(self) -> None:
        # Whoever breaks out of a loop over `read(...)` holds no reference any more, and nothing may go on running.
        if not getattr(self, "_closed", True):
            self.close()


def read(
    source: str | Path | Iterable[tuple[npt.NDArray[np.uint8], float]],
    *,
    model: str | Path | None = None,
    provider: Provider = "auto",
    detector: str | Path | None = None,
    detector_range: DetectorRange = "auto",
    **settings: Any,
) -> SceneReader:
    """Iterate over the scenes of a source.

    A file and frames of your own are read frame by frame, none is left out, and the same frames give the same numbers.
    A camera and a stream are live: whoever takes long gets the newest frame, and a stream that is lost comes back by
    itself.

    Args:
        source: a video file, "demo", "camera:0", the address of a stream (``rtsp://...``), or an iterable of
            ``(frame, time)``: frames as (H,W,3) uint8 RGB, all of one size, times in seconds, increasing.
        model: folder of a bundle; None: the model that ships with Mien.
        provider: what runs the model: one of `mien.engine.settings.PROVIDERS`.
        detector: face detector file; None: MediaPipe's, which is downloaded once.
        detector_range: "short" finds faces within about two metres of the camera, "full" within about five,
            "auto" both, "tiles" also very small ones, slowly.
        **settings: others of `mien.engine.settings.Settings`: min_score, occlusion_s, max_faces,
            threads, and expect: "balanced", "as-trained", "lab", a TOML file, or a share for each label.

    Raises:
        SourceError: the source cannot be opened. While reading: it cannot be read on, or a stream's login or path is
            wrong.
        ModelError: model or detector cannot be used.
        SettingsError: a setting is out of its range.

    >>> import numpy as np
    >>> frames = [(np.zeros((120, 160, 3), np.uint8), number / 25) for number in range(3)]
    >>> [(scene.index, round(scene.time_s, 2), len(scene.faces)) for scene in read(frames)]
    [(0, 0.0, 0), (1, 0.04, 0), (2, 0.08, 0)]
    >>> for scene in read("demo"):
    ...     for face in scene.faces:
    ...         print(face.id, face.status)
    ...     break
    1 warming
    """
    chosen = settings_of(provider, detector_range, settings)
    bundle = bundle_of(model)
    file = detector_file(detector, detector_range)
    feed = _feed(source, chosen)
    try:
        return SceneReader(feed, bundle, file, chosen)
    except BaseException:
        feed.close()
        raise


def _feed(
    source: str | Path | Iterable[tuple[npt.NDArray[np.uint8], float]], settings: Settings
) -> FileFeed | LiveFeed:
    if isinstance(source, Path):
        return FileFeed(open_source(str(source), threads=settings.threads, max_pixels=settings.max_pixels))
    if not isinstance(source, str):
        # Asked for in the caller's own thread: nobody expects a generator to be run in another.
        return FileFeed(ArraySource(source), ahead=0)
    address = SourceAddress.parse(source)
    if address.kind in LIVE_SOURCES:
        return LiveFeed(open_live(address, LiveSettings(max_pixels=settings.max_pixels)))
    return FileFeed(
        open_source(
            source if address.kind == "demo" else address.target,
            threads=settings.threads,
            max_pixels=settings.max_pixels,
        )
    )


def _scene(scene: EngineScene, labels: tuple[str, ...]) -> Scene:
    faces = []
    for face in scene.faces:
        # While a face is hidden nothing is measured, and old numbers would pass for new ones.
        prediction = scene.predictions.get(face.track_id) if face.observed else None
        detection = face.detection
        faces.append(
            Face(
                id=face.track_id,
                box=face.box,
                keypoints=None if detection is None else detection.keypoints,
                score=None if detection is None else detection.score,
                status=str(scene.status(face)),
                quality=() if prediction is None else tuple(map(str, prediction.flaws)),
                label=None if prediction is None else labels[prediction.label],
                probabilities={} if prediction is None else _shares(labels, prediction.probabilities),
                raw={} if prediction is None else _shares(labels, prediction.raw),
                prediction_s=None if prediction is None else prediction.time_s,
                values={} if prediction is None else dict(prediction.values),
            )
        )
    frame = scene.frame
    return Scene(frame.index, frame.time_s, frame.image, tuple(faces), frame.gap_s)


def _shares(labels: tuple[str, ...], values: FloatArray) -> dict[str, float]:
    return dict(zip(labels, values.tolist(), strict=True))
