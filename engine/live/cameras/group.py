"""Many sources in one process: a session for each, and one model for all of them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

from mien.engine.interrupts import Abandoned
from mien.engine.live.cameras.inference import Inference
from mien.engine.live.session import CLOSE_S, LiveSession
from mien.engine.outputs.pictures import PictureLook
from mien.engine.outputs.stage import OutputStage
from mien.engine.settings import Settings
from mien.engine.threads import Stages, Turns

if TYPE_CHECKING:
    from mien.engine.inference.bundle import Bundle
    from mien.engine.recording.plan import RecordingPlan
    from mien.engine.sources.address import SourceAddress

_LINGER_S: Final = 0.02  # a sixth of a step of the embedded model: what comes within it is read in one batch


@dataclass(frozen=True, slots=True, eq=False)
class Camera:
    """One source of several, and what is done with it.

    Attributes:
        address: where its frames come from; its name is the camera's, and no other camera's.
        bundle: the model; cameras with the same object share its networks.
        detector_file: of the face detector.
        settings: of its session.
        landmarker_file: measure faces, too.
        neutral_first_s: see `LiveSession`.
        plan: record it; None: do not.
        outputs: kind and target of each of its own.
        look: how pictures for those look.
    """

    address: SourceAddress
    bundle: Bundle
    detector_file: Path
    settings: Settings
    landmarker_file: Path | None = None
    neutral_first_s: float = 0.0
    plan: RecordingPlan | None = None
    outputs: tuple[tuple[str, str], ...] = ()
    look: PictureLook = field(default_factory=PictureLook)

    @property
    def name(self) -> str:
        """What it is called in files, lines and logs."""
        return self.address.name


class LiveCameras:
    """Sessions on many sources that share model, detectors and the thread that predicts. A context manager.

    Each source has its own thread, tracker, numbers, recording and outputs, and comes back by itself; one that fails,
    stands still or sends too much costs the others nothing but the processor's time. Looking for faces goes by turns,
    as many at once as there are cores, so a source with more frames than its share loses those, newest first, and
    counts them. Nothing is opened before `open`.

    Args:
        cameras: with different names.
        shared: kind and target of outputs that get the scenes of all cameras.

    Attributes:
        sessions: by the camera's name, in the order given.

    Raises:
        SettingsError: an output cannot be understood, or lacks a package.
        ValueError: two cameras have one name.
    """

    def __init__(self, cameras: Sequence[Camera], shared: Iterable[tuple[str, str]] = ()) -> None:
        self._cameras = {camera.name: camera for camera in cameras}
        if len(self._cameras) < len(cameras):
            raise ValueError("two cameras have one name")
        cores = os.cpu_count() or 1
        self._recorded = sum(camera.plan is not None for camera in cameras)
        # With more threads than cores, encoders only get in each other's way.
        self._encoder_threads = max(1, cores // self._recorded) if self._recorded > 1 else 0
        self._turns = Turns(cores)
        self._linger_s = _LINGER_S if len(cameras) > 1 else 0.0
        self._inferences: dict[object, Inference] = {}
        self._shared: list[OutputStage] = []
        self.sessions: dict[str, LiveSession] = {}
        stages: dict[str, Callable[[], None]] = {}
        for camera in cameras:
            inference = self._inference_for(camera)
            self.sessions[camera.name] = LiveSession(
                camera.bundle, camera.detector_file, camera.settings, neutral_first_s=camera.neutral_first_s,
                landmarker_file=camera.landmarker_file, inference=inference,
            )  # fmt: skip
        for number, inference in enumerate(self._inferences.values(), start=1):
            stages |= {f"{name}-{number}": run for name, run in inference.stages.items()}
        self._stages = Stages(stages, on_error=self._close_inferences)
        self._stages.start()
        try:
            for kind, target in shared:
                self._shared.append(OutputStage(kind, target, sessions=len(cameras)))
            for name, session in self.sessions.items():
                camera = self._cameras[name]
                session.outputs.set_look(camera.look)
                for kind, target in camera.outputs:
                    session.outputs.add(kind, target)
                for stage in self._shared:
                    session.outputs.share(stage)
        except BaseException:
            self.close()
            raise

    def open(self) -> None:
        """Open all sources, and begin the recordings that are planned."""
        for name, session in self.sessions.items():
            session.open(self._cameras[name].address)
        self.record()

    def record(self) -> None:
        """Begin the recordings that are planned with the next frame of each source."""
        for name, session in self.sessions.items():
            plan = self._cameras[name].plan
            if plan is not None:
                session.record(replace(plan, threads=plan.threads or self._encoder_threads))

    @property
    def shared(self) -> tuple[OutputStage, ...]:
        """The outputs that all cameras feed."""
        return tuple(self._shared)

    @property
    def networks(self) -> int:
        """How many models are loaded: one, where all cameras have the same wishes about it."""
        return len(self._inferences)

    @property
    def error(self) -> BaseException | None:
        """A fault in what all share; None while all is well. That of one session is its own `error`."""
        return self._stages.error

    def over(self, name: str) -> bool:
        """Whether nothing more is to come of a camera: its source ended or failed for good, its recording ended by
        itself, or its session has a fault."""
        session = self.sessions[name]
        recording = session.status().recording
        ended = recording is not None and recording.state in ("done", "failed")
        return session.source_ended or ended or session.error is not None

    def close(self) -> bool:
        """Leave all sources, finish all recordings, end all threads; True when that was done in time."""
        # All are told before any is waited for: what one is held back by, the others need not wait for in turn.
        for session in self.sessions.values():
            session.stop_recording()
        for session in self.sessions.values():
            session.close_source()
        closed = [session.close() for session in self.sessions.values()]
        for stage in self._shared:
            stage.finish()
        closed += [stage.close() for stage in self._shared]
        self._close_inferences()
        done = self._stages.join(CLOSE_S) and all(closed)
        if done:
            for inference in self._inferences.values():
                inference.models.free()
        return done

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if not isinstance(error, Abandoned):  # then nobody waits: the program is about to end
            self.close()

    def _inference_for(self, camera: Camera) -> Inference:
        """That of an earlier camera with the same wishes, or a new one."""
        settings = camera.settings
        key: tuple[Any, ...] = (
            id(camera.bundle), camera.detector_file, camera.landmarker_file, settings.min_score, settings.provider,
            settings.expect,
        )  # fmt: skip
        if key not in self._inferences:
            self._inferences[key] = Inference(
                camera.bundle, camera.detector_file, settings, lambda: None, camera.landmarker_file,
                turns=self._turns, linger_s=self._linger_s, recordings=max(1, self._recorded),
            )  # fmt: skip
        return self._inferences[key]

    def _close_inferences(self) -> None:
        for inference in self._inferences.values():
            inference.close()
