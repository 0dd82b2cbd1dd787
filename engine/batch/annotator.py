"""The main job: a video in; an annotated MP4, a CSV and a JSON out."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from mien.engine.batch.pipeline import Pipeline
from mien.engine.batch.stats import Stats
from mien.engine.drawing.overlay import Overlay
from mien.engine.errors import RecordingError
from mien.engine.faces.detection import open_detector
from mien.engine.faces.landmarks.landmarker import Landmarker
from mien.engine.faces.landmarks.reader import FaceMeasurer
from mien.engine.faces.neutral import NeutralCalibration, NeutralPeriod
from mien.engine.faces.recogniser import Recogniser
from mien.engine.faces.tracker import KEEP_SCORE_RATIO, Tracker
from mien.engine.inference.bundle import Bundle
from mien.engine.inference.predictor import Predictor
from mien.engine.inference.typed_labels import label_note, output_labels
from mien.engine.interrupts import Abandoned, Interrupts
from mien.engine.language import tr
from mien.engine.recording.document import Ended, now, session_about
from mien.engine.recording.file_recorder import Recorder
from mien.engine.recording.files import Outputs
from mien.engine.settings import Settings
from mien.engine.sources.base import Source
from mien.engine.sources.open import open_source
from mien.engine.types import SourceInfo

_POLL_S: Final = 0.1

ProgressCallback = Callable[[SourceInfo, Stats], None]
Interrupted = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Report:
    """How a job ended.

    Attributes:
        outputs: the files written.
        stats: final counts.
        warnings: what was wrong with the source though it could be read, and what failed but was made up for.
        stopped: the user ended it before the source did.
    """

    outputs: Outputs
    stats: Stats
    warnings: tuple[str, ...]
    stopped: bool


class Annotator:
    """The loaded networks, ready for any number of videos, one after the other.

    With `neutral`, every face that is seen in that period of a video is calibrated on it. With `landmarker_file`, faces
    are measured, too, as the settings choose; without, what needs it stays empty.

    Raises:
        ModelError: detector or bundle cannot be used.
    """

    def __init__(
        self,
        bundle: Bundle,
        detector_file: Path,
        settings: Settings,
        *,
        neutral: NeutralPeriod | None = None,
        landmarker_file: Path | None = None,
    ) -> None:
        self._settings = settings
        self._neutral = neutral
        self._detector_file = detector_file
        self._predictor = Predictor(
            bundle, provider=settings.provider, threads=settings.threads or None, expect=settings.expect
        )
        self._detector = open_detector(detector_file, min_score=settings.min_score * KEEP_SCORE_RATIO)
        self._landmarker = None if landmarker_file is None else Landmarker(landmarker_file)
        self._warned = 0

    @property
    def provider(self) -> str:
        """What runs the model, as ONNX Runtime reports it."""
        return self._predictor.provider

    def annotate(
        self,
        spec: str,
        mp4: Path,
        *,
        overwrite: bool = False,
        redo: bool = False,
        progress: ProgressCallback = lambda info, stats: None,
        interrupted: Interrupted = lambda count: None,
    ) -> Report:
        """Annotate one source.

        Ctrl-C, SIGTERM and SIGHUP, where they are heard as `KeyboardInterrupt` is, end the job in order: what was
        read so far is whole and playable, and the report says that it was stopped. The third of them raises
        `Abandoned`: the ``.part`` files are left as they are, and `mien repair` finishes them.

        Args:
            spec: a video file, or "demo".
            mp4: where the MP4 goes; CSV and JSON go beside it.
            overwrite: replace what is there, also what was left unfinished of the same source.
            redo: replace only what was left unfinished of the same source.
            progress: called about ten times a second from the calling thread; a KeyboardInterrupt that it raises
                ends the job in order, too.
            interrupted: called with the number of signals so far.

        Raises:
            SourceError, RecordingError, ModelError: nothing is left under the final names.
            KeyboardInterrupt: stopped before the first frame; nothing is left.
        """
        settings = self._settings
        with open_source(
            spec, threads=settings.threads, max_pixels=settings.max_pixels, keep_decoded=True
        ) as source:  # fmt: skip
            return self.annotate_source(
                source, mp4, path=Path(spec), overwrite=overwrite, redo=redo, progress=progress, interrupted=interrupted
            )

    def annotate_source(
        self,
        source: Source,
        mp4: Path,
        *,
        path: Path | None = None,
        overwrite: bool = False,
        redo: bool = False,
        progress: ProgressCallback = lambda info, stats: None,
        interrupted: Interrupted = lambda count: None,
    ) -> Report:
        """As `annotate`, for a source that is already open; `path` is its file, which must not be overwritten."""
        groups = self._settings.columns
        outputs = Outputs(mp4, "landmarks" in groups)
        manifest = self._predictor.bundle.manifest
        neutral = None
        if self._neutral is not None:
            neutral = NeutralCalibration(manifest, self._neutral, start_s=source.info.start_s)
        about = self._about(source.info)
        with Interrupts(interrupted) as interrupts, outputs.held(overwrite=overwrite, source=path, redo=redo):
            recorder = Recorder(
                outputs,
                source.info,
                output_labels(manifest),
                about,
                crf=self._settings.crf,
                encoder=self._settings.encoder,
                audio_path=source.audio_path,
                threads=self._settings.threads,
                overwrite=overwrite,
                values=manifest.values,
                groups=groups,
            )
            session: Pipeline | None = None
            try:
                session = self._pipeline(source, recorder, neutral)
                self._run(session, source, progress, interrupts)
            except BaseException:
                # While a thread still writes, nothing may be closed or removed under its hands.
                if session is None or session.wait(0):
                    recorder.discard()
                raise
            return self._conclude(session, source, recorder, outputs, neutral)

    def close(self) -> None:
        """Free the networks."""
        self._detector.close()
        if self._landmarker is not None:
            self._landmarker.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if not isinstance(error, Abandoned):  # then threads still use them
            self.close()

    def _pipeline(self, source: Source, recorder: Recorder, neutral: NeutralCalibration | None) -> Pipeline:
        settings, manifest = self._settings, self._predictor.bundle.manifest
        measurer = None
        if self._landmarker is not None:
            measurer = FaceMeasurer(self._landmarker, focal_px=settings.focal_px(source.info.width))
        return Pipeline(
            source,
            self._detector,
            Tracker(min_score=settings.min_score, occlusion_s=settings.occlusion_s, max_faces=settings.max_faces),
            Recogniser(self._predictor, neutral=neutral),
            Overlay(
                manifest.labels,
                steps=manifest.steps,
                note=label_note(manifest),
                values=manifest.values,
                style=settings.overlay_style,
            ),
            recorder,
            measurer,
        )

    def _run(self, session: Pipeline, source: Source, progress: ProgressCallback, interrupts: Interrupts) -> None:
        with session:
            ended = False
            while not ended:
                try:
                    if interrupts.count:
                        session.stop()
                    ended = session.wait(_POLL_S)
                    if not ended:
                        progress(source.info, session.stats())
                except Abandoned:
                    raise
                except KeyboardInterrupt:
                    session.stop()
        with suppress(KeyboardInterrupt):  # it has ended already
            progress(source.info, session.stats())

    def _conclude(
        self,
        session: Pipeline,
        source: Source,
        recorder: Recorder,
        outputs: Outputs,
        neutral: NeutralCalibration | None,
    ) -> Report:
        error, stats = session.error, session.stats()
        if isinstance(error, RecordingError) and recorder.frames_written:
            # The disk may be full: save what can be saved under its .part name rather than remove it.
            recorder.leave()
            part = Outputs.part(outputs.mp4)
            raise RecordingError(
                tr("{error}; what was recorded until then is in {part}", error=error, part=part)
            ) from None
        if error is not None or not recorder.frames_written:
            recorder.discard()
            if error is None and session.stopped:
                raise KeyboardInterrupt
            raise error or RecordingError(
                tr("{path}: the source holds no frame; nothing was written", path=outputs.mp4)
            )
        stopped = session.stopped
        failures = self._predictor.warnings[self._warned :]
        self._warned += len(failures)
        warnings = (*source.warnings, *failures)
        results = self._results(stats, source, stopped, warnings)
        results["video_encoder"] = recorder.encoder
        if neutral is not None:
            results["neutral_offsets"] = neutral.offsets()
        recorder.finish(results, whole=not stopped)
        return Report(outputs, stats, warnings, stopped)

    def _about(self, info: SourceInfo) -> dict[str, Any]:
        """What the JSON file says from the beginning."""
        about = session_about(
            self._predictor.bundle,
            info,
            name=info.name,
            provider=self.provider,
            detector=self._detector_file,
            settings=self._settings,
        )
        return {**about, "neutral_period": None if self._neutral is None else asdict(self._neutral)}

    def _results(self, stats: Stats, source: Source, stopped: bool, warnings: tuple[str, ...]) -> dict[str, Any]:
        """What the JSON file says at the end."""
        return {
            "complete": not stopped and source.complete,
            "ended": Ended.STOPPED if stopped else Ended.END_OF_SOURCE,
            "finished": now(),
            "counts": {
                "frames_read": stats.frames_read,
                "frames_written": stats.frames_done,
                "frames_dropped": stats.frames_dropped,
                "frames_with_face": stats.frames_with_face,
                "encoder_calls": stats.encoder_calls,
                "temporal_calls": stats.temporal_calls,
            },
            "elapsed_s": round(stats.elapsed_s, 3),
            "provider_at_end": self.provider,
            "warnings": list(warnings),
        }
