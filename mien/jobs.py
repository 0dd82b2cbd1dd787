"""What `mien annotate` and `mien watch --record` do, for programs."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from mien.engine.errors import RecordingError, SettingsError, SourceError
from mien.engine.language import tr
from mien.engine.settings import DetectorRange, Provider
from mien.loading import bundle_of, detector_file, landmarker_file, settings_of

if TYPE_CHECKING:
    from mien.engine.live.session import LiveSession
    from mien.engine.recording.plan import RecordingStatus

_POLL_S: Final = 0.05
_NAME: Final = "{source} {time}"


@dataclass(frozen=True, slots=True)
class Recorded:
    """What was written.

    Attributes:
        mp4: the annotated video.
        csv: a row for each frame and face; see `review`.
        json: where the numbers came from.
        clean: the video with nothing drawn on it, where one was asked for.
        frames: frames written.
        dropped: frames that came too fast to be written; always 0 for files.
        complete: whether the source was read to its end, or the recording ended as asked.
        warnings: what was wrong though it could be read, each in one line.
    """

    mp4: Path
    csv: Path
    json: Path
    clean: Path | None
    frames: int
    dropped: int
    complete: bool
    warnings: tuple[str, ...]


def annotate(
    source: str | Path,
    output: str | Path,
    *,
    model: str | Path | None = None,
    provider: Provider = "auto",
    detector: str | Path | None = None,
    detector_range: DetectorRange = "auto",
    neutral: tuple[float, float] | None = None,
    overwrite: bool = False,
    progress: Callable[[float, float | None], None] | None = None,
    **settings: Any,
) -> Recorded:
    """Annotate a video: an MP4 with boxes and probabilities, and CSV and JSON beside it.

    Ctrl-C ends the job in order: what was read so far is whole, and `Recorded.complete` is False.

    Args:
        source: a video file, or "demo".
        output: the MP4 to write; its folder must exist.
        model, provider, detector, detector_range: as for `mien.read`.
        neutral: start and end, in seconds, of a period in which all faces are neutral; later predictions of each face
            are corrected by it.
        overwrite: replace what is there.
        progress: called about ten times a second with the seconds done and the seconds there are (None: unknown).
        **settings: others of `mien.engine.settings.Settings`: min_score, occlusion_s, max_faces, crf,
            threads, overlay, font_scale, columns and layers (tuples; pose, gaze and the like: see docs/face.md), and
            expect: "balanced", "as-trained", "lab", a TOML file, or a share for each label.

    Raises:
        SourceError: the video cannot be read.
        RecordingError: the result cannot be written; what exists is left alone.
        ModelError: model or detector cannot be used.
        SettingsError: a setting is out of its range.

    >>> result = annotate("demo", folder / "demo.mp4", provider="cpu")
    >>> result.frames, result.complete, result.csv.name
    (300, True, 'demo.csv')
    """
    from mien.engine.batch.annotator import Annotator
    from mien.engine.faces.neutral import NeutralPeriod

    chosen = settings_of(provider, detector_range, settings)
    period = None if neutral is None else NeutralPeriod(*neutral)
    files_of = bundle_of(model), detector_file(detector, detector_range)
    with Annotator(*files_of, chosen, neutral=period, landmarker_file=landmarker_file(chosen)) as annotator:
        report = annotator.annotate(
            str(source),
            Path(output),
            overwrite=overwrite,
            progress=lambda info, stats: progress(stats.time_s, info.duration_s) if progress is not None else None,
        )
    files = report.outputs
    return Recorded(
        files.mp4,
        files.csv,
        files.json,
        None,
        report.stats.frames_done,
        report.stats.frames_dropped,
        not report.stopped,
        report.warnings,
    )


def record(
    source: str,
    folder: str | Path,
    *,
    seconds: float | None = None,
    stop: Callable[[], bool] | None = None,
    name: str = _NAME,
    clean: bool = False,
    privacy: Literal["none", "blur", "pixelate"] = "none",
    audio: bool = True,
    model: str | Path | None = None,
    provider: Provider = "auto",
    detector: str | Path | None = None,
    detector_range: DetectorRange = "auto",
    **settings: Any,
) -> Recorded:
    """Record a live source with its numbers, until it ends, `seconds` are over, `stop()` is true or Ctrl-C is pressed.

    A stream that is lost comes back by itself; the recording then has a gap, which the data name.

    Args:
        source: "camera:0", the address of a stream, a video file (played at its own pace), or "demo".
        folder: where the files go; it is created, with those above it.
        seconds: length, counted from the first frame; None: until the source ends or `stop` says so.
        stop: asked about twenty times a second.
        name: pattern of the files' names: ``{source}``, ``{time}``, ``{date}``.
        clean: write a second video with nothing drawn on it.
        privacy: what is done to all faces before anything is written.
        audio: record the source's audio, where it has one.
        model, provider, detector, detector_range: as for `mien.read`.
        **settings: others of `mien.engine.settings.Settings`.

    Raises:
        SourceError: the source failed for good before anything was recorded: wrong login, unknown path, no such file.
        RecordingError: nothing could be written, or writing ended early (a full disk); what is there is kept.
        ModelError, SettingsError: as for `mien.read`.

    >>> result = record("demo", folder, seconds=1.0, provider="cpu")
    >>> result.frames > 10, result.csv.suffix
    (True, '.csv')
    """
    from mien.engine.batch.inputs import make_output_folder
    from mien.engine.live.session import LiveSession
    from mien.engine.live.status import wait_for_model
    from mien.engine.recording.plan import RecordingPlan
    from mien.engine.sources.address import SourceAddress

    if seconds is not None and not 0 < seconds < float("inf"):
        raise SettingsError(tr("seconds is {seconds:g}; choose a value above 0", seconds=seconds))
    chosen = settings_of(provider, detector_range, settings)
    address = SourceAddress.parse(source)
    style = chosen.overlay_style
    plan = RecordingPlan(
        Path(folder),
        name,
        clean=clean,
        privacy=privacy,
        audio=audio,
        crf=chosen.crf,
        style=style,
        columns=chosen.columns,
    )
    make_output_folder(plan.folder, parents=True)
    bundle, file = bundle_of(model), detector_file(detector, detector_range)
    with LiveSession(bundle, file, chosen, landmarker_file=landmarker_file(chosen)) as session:
        wait_for_model(session.status)
        session.open(address)
        session.record(plan)
        with suppress(KeyboardInterrupt):
            _wait(session, seconds, stop)
        condition = session.status().condition
        warning = session.status().warning
        session.stop_recording()
    status = session.status().recording
    if status is None or not status.files:
        if condition is not None and condition.state == "failed":
            raise SourceError(condition.message)
        raise RecordingError(status.message if status is not None and status.message else tr("nothing was recorded"))
    return _recorded(status, (warning,) if warning else ())


def _wait(session: LiveSession, seconds: float | None, stop: Callable[[], bool] | None) -> None:
    while not session.source_ended and not (stop is not None and stop()):
        if session.error is not None:
            raise session.error
        recording = session.status().recording
        if recording is not None:
            if recording.state in ("done", "failed"):
                return
            if seconds is not None and recording.elapsed_s >= seconds:
                return
        time.sleep(_POLL_S)


def _recorded(status: RecordingStatus, warnings: tuple[str, ...]) -> Recorded:
    if status.state == "failed":
        raise RecordingError(status.message)
    csv = next(path for path in status.files if path.suffix == ".csv")
    videos = [path for path in status.files if path.suffix == ".mp4"]
    annotated = next(path for path in videos if path.stem == csv.stem)
    clean = next((path for path in videos if path != annotated), None)
    return Recorded(
        annotated,
        csv,
        csv.with_suffix(".json"),
        clean,
        status.frames,
        status.dropped,
        not status.message,
        tuple(filter(None, (*warnings, status.message))),
    )
