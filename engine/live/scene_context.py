"""What a live session knows beside a scene: all that a recording needs to begin and to end with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

from mien.engine.drawing.overlay import Overlay
from mien.engine.inference.typed_labels import label_note, output_labels
from mien.engine.live.people import WhoIsWho
from mien.engine.live.prediction import Model
from mien.engine.live.status import LiveCounts
from mien.engine.recording.document import now, session_about
from mien.engine.recording.live_recorder import LiveRecorder
from mien.engine.recording.plan import RecordingPlan
from mien.engine.settings import Settings
from mien.engine.types import SourceInfo


@dataclass(frozen=True, slots=True, eq=False)
class SceneContext:
    """Goes along with a scene, which itself stays as it was made.

    Attributes:
        model: whose predictions the scene holds.
        source_name: safe for titles.
        info: what the source says of itself.
        people: their names, who is selected, who is hidden.
        neutral: people's own neutral faces, as `LiveBaselines.as_json` gives them.
        gap_s: seconds without signal since the scene before.
        counts: of the session; the scene itself is captured and still on its way.
        reconnects: how often the signal came back after a loss.
    """

    model: Model
    source_name: str = ""
    info: SourceInfo | None = None
    people: WhoIsWho = field(default_factory=WhoIsWho)
    neutral: Mapping[str, Any] = field(default_factory=dict)
    gap_s: float = 0.0
    counts: LiveCounts = field(default_factory=LiveCounts)
    reconnects: int = 0

    def results(self) -> dict[str, Any]:
        """What the JSON file says of the session at the end of a recording whose last scene this was."""
        neutral = {"neutral_baselines": dict(self.neutral)} if self.neutral else {}
        return {"finished": now(), "session_counts": asdict(self.counts), "reconnects": self.reconnects, **neutral}


def make_recorder(
    plan: RecordingPlan, context: SceneContext, *, detector_file: Path, settings: Settings
) -> LiveRecorder:
    """The recorder for a recording that begins with the scene of `context`.

    Args:
        plan: what to record.
        context: of the first scene.
        detector_file: the face detector's.
        settings: of the session.
    """
    model, info = context.model, context.info
    manifest = model.bundle.manifest
    about = session_about(
        model.bundle,
        info,
        name=context.source_name,
        provider=model.provider,
        detector=detector_file,
        settings=replace(settings, columns=plan.columns),
        expect=model.expect,
    )
    return LiveRecorder(
        plan,
        output_labels(manifest),
        Overlay(
            manifest.labels,
            steps=manifest.steps,
            note=label_note(manifest),
            values=manifest.values,
            style=plan.style,
        ),
        about,
        sample_aspect=Fraction(1) if info is None else info.sample_aspect,
        audio=plan.audio and info is not None and info.audio_codec is not None,
    )
