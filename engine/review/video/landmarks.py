"""What was measured of faces, as it was live: from the columns of a recording, and from its landmarks where they were
written.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from mien.engine.drawing.face_layers import head_rotation
from mien.engine.measures import FACE_LAYERS, INDEX, POINTS, FaceLayer, FaceMeasures, FaceNumbers
from mien.engine.recording.face_data.landmarks_file import landmarks_path
from mien.engine.review.measures import Track
from mien.engine.review.session import RecordedSession
from mien.engine.types import FloatArray, Status

_SAME_S: Final = 1e-4  # CSVs hold microseconds
_HELD_S: Final = 0.15  # as live, where more than two faces take turns: then what was measured last goes with the box
_FURTHEST: Final = 1e5  # pixels; what is further away is damage, as is NaN
_KEPT: Final = 3  # pieces of the file; each is some seconds of a recording, and 6 MB

# Landmarks that axes and rays begin at, of a head that looks ahead: from the middle of the detector's box, x right, y
# up, z towards the camera, in parts of its width. Medians of 140 faces of the sample videos and of FairFace whose heads
# were within 35 degrees of the camera, turned back by their pose; standard deviations are 0.02 to 0.08.
_PLACES: Final = {
    168: (0.0, 0.26, 0.09),  # between the eyes
    468: (-0.22, 0.24, -0.02),  # irises
    473: (0.22, 0.24, -0.02),
    234: (-0.47, 0.11, -0.41),  # ends of the face
    454: (0.47, 0.11, -0.41),
    10: (0.0, 0.58, 0.04),
    152: (0.0, -0.51, -0.01),
}


class RecordedMeasures:
    """The measures of every row of a recording, as far as they were written.

    Args:
        session: the recording.

    Attributes:
        layers: which of `mien.engine.measures.FACE_LAYERS` can be drawn.
    """

    def __init__(self, session: RecordedSession) -> None:
        there = {name for track in session.tracks.values() for name in track.face}
        self._points = _Points.of(session)
        points, pose, gaze = self._points is not None, "pose_yaw_deg" in there, "gaze_right_yaw_deg" in there
        can: dict[FaceLayer, bool] = {
            "mesh": points, "contours": points, "axes": pose, "gaze": gaze and (pose or points),
        }  # fmt: skip
        self.layers: tuple[FaceLayer, ...] = tuple(layer for layer in FACE_LAYERS if can[layer])

    def at(self, track: Track, row: int) -> FaceMeasures | None:
        """What was measured in one row, or just before; None where nothing was."""
        if not self.layers or track.status[row] == str(Status.OCCLUDED):
            return None
        first = int(np.searchsorted(track.times_s, track.times_s[row] - _HELD_S))
        for before in range(row, first - 1, -1):
            found = self._measured(track, before)
            if found is not None:
                return replace(found, points=found.points + _moved(track, before, row))
        return None

    def _measured(self, track: Track, row: int) -> FaceMeasures | None:
        values = np.full(len(INDEX), np.nan, np.float32)
        for name, column in track.face.items():
            if name in INDEX:
                values[INDEX[name]] = column[row]
        time_s = float(track.times_s[row])
        points = None if self._points is None else self._points.at(track.track_id, time_s)
        if points is None and np.isfinite(values[INDEX["pose_yaw_deg"]]):
            points = _about(track.boxes[row], FaceNumbers(values))
        if points is None:
            return None
        numbers = FaceNumbers(values)
        closed = track.face.get("eyes_closed")
        return FaceMeasures(
            time_s, points, numbers, numbers, eyes_closed=closed is not None and bool(closed[row] > 0.5)
        )


def _moved(track: Track, before: int, row: int) -> FloatArray:
    """(3,) float32: how far the middle of a face's box has moved between two rows."""
    x, y = (track.boxes[[before, row], at] + track.boxes[[before, row], at + 2] / 2 for at in (0, 1))
    return np.array((x[1] - x[0], y[1] - y[0], 0), np.float32)


def _about(box: FloatArray, numbers: FaceNumbers) -> FloatArray:
    """(478,3) float32 landmarks of which the few are known that `_PLACES` names; the others are NaN."""
    x, y, width, height = (float(value) for value in box)
    rotation = head_rotation(numbers["pose_yaw_deg"], numbers["pose_pitch_deg"], numbers["pose_roll_deg"])
    points = np.full((POINTS, 3), np.nan, np.float32)
    for index, place in _PLACES.items():
        turned = rotation @ np.array(place) * width
        points[index] = x + width / 2 + turned[0], y + height / 2 - turned[1], -turned[2]
    return points


@lru_cache(maxsize=2)
def _heads(path: Path, changed_ns: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Time and track id of every row; `changed_ns`: when the file was changed last."""
    from pyarrow import parquet

    heads = parquet.ParquetFile(path).read(columns=["time_s", "track_id"])
    return np.asarray(heads["time_s"].to_numpy(), np.float64), np.asarray(heads["track_id"].to_numpy(), np.int64)


class _Points:
    """The landmarks file of a recording; the pieces that are looked at are read when they are."""

    def __init__(self, path: Path, session: RecordedSession) -> None:
        from pyarrow import parquet

        times, tracks = _heads(path, path.stat().st_mtime_ns)
        self._index: dict[int, tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]] = {}
        keys = np.unique(tracks).tolist()
        leaders = {key: session.coding.leader(key) for key in keys}
        for person in set(leaders.values()):
            rows = np.flatnonzero(np.isin(tracks, [key for key in keys if leaders[key] == person]))
            rows = rows[np.argsort(times[rows], kind="stable")]
            self._index[person] = times[rows], rows
        file = self._file = parquet.ParquetFile(path)
        self._groups: OrderedDict[int, FloatArray] = OrderedDict()
        counts = [file.metadata.row_group(number).num_rows for number in range(file.num_row_groups)]
        self._starts = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)

    @classmethod
    def of(cls, session: RecordedSession) -> _Points | None:
        """Those beside the recording; None where this recording has none, or nothing can read them."""
        path = landmarks_path(session.csv)
        if not session.about.landmarks or not path.is_file() or find_spec("pyarrow") is None:
            return None
        try:
            return cls(path, session)
        except (OSError, ValueError, KeyError):  # pyarrow's errors of damaged files are ValueErrors
            return None

    def at(self, track_id: int, time_s: float) -> FloatArray | None:
        """(478,3) float32, as `FaceMeasures.points`; None where none were found in that frame."""
        times, rows = self._index.get(track_id, (np.zeros(0), np.zeros(0, np.int64)))
        at = int(np.searchsorted(times, time_s - _SAME_S))
        if at >= len(times) or times[at] > time_s + _SAME_S:
            return None
        row = int(rows[at])
        group = int(np.searchsorted(self._starts, row, "right")) - 1
        try:
            points = np.asarray(self._piece(group)[row - int(self._starts[group])], np.float32)
        except (OSError, ValueError, IndexError):  # this piece is damaged
            return None
        return points if (np.abs(points) < _FURTHEST).all() else None

    def _piece(self, group: int) -> FloatArray:
        """(n,478,3) of one piece of the file."""
        found = self._groups.get(group)
        if found is None:
            table = self._file.read_row_group(group, columns=["x", "y", "z"])
            axes = [table[name].combine_chunks().flatten().to_numpy().reshape(-1, POINTS) for name in ("x", "y", "z")]
            found = self._groups[group] = np.stack(axes, axis=-1)
        self._groups.move_to_end(group)
        while len(self._groups) > _KEPT:
            self._groups.popitem(last=False)
        return found
