"""The columns of a CSV that hold what was measured of a face, in groups that can be chosen.

A number stands twice: smoothed under its name, and as it was measured in that frame alone under its name with ``_raw``.
Cells are empty where nothing was measured in that very frame.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from typing import Any, Final

from mien.engine.faces.landmarks.events import AWAY_DEG, CLOSED
from mien.engine.faces.landmarks.reader import MOST_PITCH_DEG, MOST_YAW_DEG
from mien.engine.faces.landmarks.smoothing import smoothing_of_faces
from mien.engine.faces.valence import DEFINITION, Valence
from mien.engine.inference.downloads import LANDMARKER
from mien.engine.measures import COLUMN_GROUPS, INDEX, QUANTITIES, ColumnGroup, FaceMeasures
from mien.engine.types import Face, Scene

RAW: Final = "_raw"
VALENCE: Final = "valence_derived"
BLINK_START: Final = "blink_start_s"
BLINK_LENGTH: Final = "blink_length_s"
FLAGS: Final[dict[ColumnGroup, tuple[str, ...]]] = {
    "pose": ("turned_away",),
    "gaze": ("gaze_away",),
    "eyes": ("eyes_closed",),
    "mouth": ("speaking",),
}
_EXTRA: Final[dict[ColumnGroup, tuple[str, ...]]] = {"valence": (VALENCE,), "eyes": (BLINK_START, BLINK_LENGTH)}
_MEANING: Final = {
    VALENCE: ("", f"derived, not measured: {DEFINITION}"),
    "turned_away": ("", f"1: yaw beyond {MOST_YAW_DEG:g} or pitch beyond {MOST_PITCH_DEG:g} degrees"),
    "gaze_away": ("", f"1: the gaze has been more than {AWAY_DEG:g} degrees from the camera for a moment"),
    "eyes_closed": ("", f"1: the openness of both eyes is below {CLOSED:g}"),
    BLINK_START: ("second", "in the row in which a blink ended: when the eyes closed, as time_s"),
    BLINK_LENGTH: ("second", "in the row in which a blink ended: how long the eyes were closed"),
    "speaking": ("", "1: the mouth has been moving as in speech; the audio is not listened to"),
}


def face_columns(groups: Collection[str]) -> tuple[str, ...]:
    """Names of the columns of these groups, in their order."""
    return tuple(name for group in COLUMN_GROUPS if group in groups for name in _columns_of(group))


def groups_of(columns: Sequence[str]) -> tuple[ColumnGroup, ...] | None:
    """The groups that have just these columns; None where there are none such."""
    there = set(columns)
    groups = tuple(group for group in COLUMN_GROUPS if there.intersection(_columns_of(group)))
    return groups if face_columns(groups) == tuple(columns) else None


def _columns_of(group: ColumnGroup) -> tuple[str, ...]:
    names = tuple(quantity.name for quantity in QUANTITIES if quantity.group == group)
    return (*names, *(name + RAW for name in names), *FLAGS.get(group, ()), *_EXTRA.get(group, ()))


class FaceCells:
    """Fills the columns of a table.

    Args:
        groups: those chosen.
        labels: class names of the model.
        start_s: time on the source's clock that is 0 in the video.
    """

    def __init__(self, groups: Collection[str], labels: Sequence[str], start_s: float) -> None:
        self.columns = face_columns(groups)
        self._valence = Valence(labels)
        self._start_s = start_s

    def cells(self, scene: Scene, face: Face) -> list[str]:
        """The cells of one face in one scene."""
        if not self.columns:
            return []
        measures = scene.measures.get(face.track_id)
        known = {} if measures is None or measures.time_s != scene.frame.time_s else self._known(measures)
        prediction = scene.predictions.get(face.track_id)
        if prediction is not None and face.observed:
            known[VALENCE] = _cell(float(self._valence.of(prediction.probabilities)), 5)
        return [known.get(name, "") for name in self.columns]

    def _known(self, measures: FaceMeasures) -> dict[str, str]:
        found = {}
        for name, index in INDEX.items():
            digits = 2 if name.endswith("_deg") else 4
            found[name] = _cell(float(measures.smoothed.values[index]), digits)
            found[name + RAW] = _cell(float(measures.raw.values[index]), digits)
        for names in FLAGS.values():
            for name in names:
                found[name] = str(int(getattr(measures, name)))
        if measures.blink is not None:
            found[BLINK_START] = _cell(measures.blink.start_s - self._start_s, 6)
            found[BLINK_LENGTH] = _cell(measures.blink.seconds, 6)
        return found


def _cell(value: float, digits: int) -> str:
    if not math.isfinite(value):
        return ""
    text = f"{value:.{digits}f}"
    return text[1:] if text.startswith("-") and not text.strip("-0.") else text


def columns_document(groups: Collection[str]) -> dict[str, Any]:
    """What the JSON beside a recording says of these columns; empty without any but the expressions."""
    chosen = [group for group in COLUMN_GROUPS if group in groups]
    if set(chosen) <= {"expressions"}:
        return {}
    units = {q.name: (q.unit, q.meaning) for q in QUANTITIES}
    described = {
        name: dict(zip(("unit", "meaning"), (units | _MEANING)[name], strict=True))
        for name in face_columns(chosen)
        if not name.endswith(RAW)
    }
    network = {"landmarker": {"name": LANDMARKER.name, "sha256": LANDMARKER.sha256}}
    return {
        **(network if set(chosen) - {"expressions", "valence"} else {}),
        "columns": chosen,
        "face": {
            "axes": "x to the frame's right, y up, z from the face to the camera; angles are 0 along the line from the "
            "face to the camera; left and right in names are the subject's own",
            "raw": f"columns that end in {RAW}: the same in that frame alone, not smoothed",
            "smoothing": smoothing_of_faces(),
            "columns": described,
        },
    }
