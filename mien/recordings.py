"""Recordings, read back as columns of numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from mien.engine.errors import ReviewError
from mien.engine.language import tr
from mien.engine.review.session import RecordedSession, read_session
from mien.loading import expectation_of

if TYPE_CHECKING:
    import pandas
    import polars


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """A recording with its data; made by `review`.

    Attributes:
        session: everything in it, with peaks, segments, markers and gaps: see `mien.engine.review.session`.
        columns: arrays of equal length n, a row for each frame in which a face was there, ordered by time and face:
            ``time_s`` (float64, seconds from the beginning of the video), ``id`` (int64), ``name`` (str), ``status``
            (str), ``label`` (str, "" where nothing was measured), ``x``, ``y``, ``width``, ``height`` (float32, pixels
            of the video, origin top left), and for each label ``p_LABEL``, as it was shown, and ``raw_LABEL``, by the
            newest window alone (float32, NaN where nothing was measured). Where pose, gaze and the like were
            recorded, a column of float32 for each of them, under its name in the CSV.
    """

    session: RecordedSession
    columns: Mapping[str, npt.NDArray[Any]]

    @property
    def labels(self) -> tuple[str, ...]:
        """Class names of the model that was used."""
        return self.session.labels

    @property
    def warnings(self) -> tuple[str, ...]:
        """One line each on what was wrong with the files but could be skipped."""
        return self.session.warnings

    @property
    def people(self) -> dict[int, str]:
        """Names by id: those that were given, else "Person 1" and so on."""
        return {id: self.session.name_of(id) for id in self.session.tracks}

    def shares(self, id: int) -> dict[str, float]:
        """The part of the time in which a face showed each label, 0 to 1, of the time in which the model was sure.

        Raises:
            ReviewError: there is no such face.
        """
        shares = self.session.shares(id)
        return {label: shares.share(label) for label in self.labels}

    def to_pandas(self) -> pandas.DataFrame:
        """The columns as a pandas DataFrame.

        Raises:
            ReviewError: pandas is not installed.
        """
        try:
            import pandas
        except ImportError:
            raise ReviewError(tr("pandas is not installed; install it: pip install pandas")) from None
        return pandas.DataFrame(dict(self.columns))

    def to_polars(self) -> polars.DataFrame:
        """The columns as a Polars DataFrame.

        Raises:
            ReviewError: Polars is not installed.
        """
        try:
            import polars
        except ImportError:
            raise ReviewError(tr("Polars is not installed; install it: pip install polars")) from None
        return polars.DataFrame(dict(self.columns))


def review(path: str | Path, *, expect: str | Path | Mapping[str, float] | None = None) -> Recording:
    """Read a recording of `mien annotate`, `mien watch` or the window, given its MP4, CSV or JSON file.

    Unfinished recordings (``.part``) are read as far as they go.

    Args:
        path: of one of its files.
        expect: read it as if this had been expected ("balanced", "as-trained", "lab", a TOML file, or a share for each
            label), instead of what was chosen when it was made. The model is not run again, and the files stay as they
            are.

    Raises:
        ReviewError: no data file, or one that is damaged.

    >>> recording = review(demo)
    >>> recording.people
    {1: 'Person 1'}
    >>> recording.columns["time_s"][:3].tolist(), recording.columns["p_happiness"].dtype.name
    ([0.0, 0.04, 0.08], 'float32')
    >>> shares = recording.shares(1)
    >>> round(shares["neutral"] + shares["sadness"], 1) > 0.5
    True
    """
    session = read_session(Path(path), expect=None if expect is None else expectation_of(expect))
    return Recording(session, _columns(session))


def _columns(session: RecordedSession) -> dict[str, npt.NDArray[Any]]:
    tracks = list(session.tracks.values())
    count = len(session.labels)
    ids = np.concatenate([np.full(len(t.times_s), t.track_id, np.int64) for t in tracks] or [np.empty(0, np.int64)])
    times = np.concatenate([t.times_s for t in tracks] or [np.empty(0)])
    order = np.lexsort((ids, times))
    shown = np.concatenate([t.shown for t in tracks] or [np.empty(0, np.int64)])[order]
    boxes = np.concatenate([t.boxes for t in tracks] or [np.empty((0, 4), np.float32)])[order]
    shares = np.concatenate([t.probabilities for t in tracks] or [np.empty((0, count), np.float32)])[order]
    raw = np.concatenate([t.raw for t in tracks] or [np.empty((0, count), np.float32)])[order]
    status = np.concatenate([t.status.astype(np.str_) for t in tracks] or [np.empty(0, np.str_)])[order]
    face = list(tracks[0].face) if tracks else []
    # A label of -1, for none, picks the empty one at the end.
    label_names = np.array([*session.labels, ""])
    names = {track.track_id: session.name_of(track.track_id) for track in tracks}
    ids = ids[order]
    return {
        "time_s": times[order],
        "id": ids,
        "name": np.array([names[id] for id in ids.tolist()], np.str_),
        "status": status,
        "label": label_names[shown],
        **{column: boxes[:, at] for at, column in enumerate(("x", "y", "width", "height"))},
        **{f"p_{label}": shares[:, at] for at, label in enumerate(session.labels)},
        **{f"raw_{label}": raw[:, at] for at, label in enumerate(session.labels)},
        **{name: np.concatenate([track.face[name] for track in tracks])[order] for name in face},
    }
