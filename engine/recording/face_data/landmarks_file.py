"""The file with the landmarks of all faces, as Parquet beside the CSV.

A Parquet file can be read only once its end was written. So what comes is first written to a stream of Arrow, which a
killed program leaves readable up to its last piece, and becomes Parquet at the end; `mien repair` does that, too.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import nullcontext, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import numpy as np

from mien.engine.disk import is_there, open_own, rename_new, sync
from mien.engine.errors import RecordingError, SettingsError
from mien.engine.language import tr
from mien.engine.measures import POINTS
from mien.engine.types import Scene

ENDING: Final = ".parquet"
_STREAM: Final = ".part.arrow"
_PART: Final = ".part.parquet"
_FLUSH_S: Final = 0.2  # as often as the CSV
_MOST_ROWS: Final = 256
_ROWS_OF_A_GROUP: Final = 1024
_STEP: Final = 32  # parts of a pixel that are kept: finer than any landmark is known, and half the size on the disk
_ABOUT: Final = {
    "mien": json.dumps(
        {
            "points": f"{POINTS} landmarks of MediaPipe's face mesh, in its order; the last ten are the irises",
            "x": "pixel of the frame, from its left edge to the right",
            "y": "pixel of the frame, from its top edge down",
            "z": "on the same scale; smaller is nearer to the camera",
            "time_s": "second of the video beside this file",
            "session_s": "second on the source's clock",
        }
    )
}


def require_parquet() -> None:
    """Refuse landmarks where nothing can write them.

    Raises:
        SettingsError: pyarrow is not installed.
    """
    if find_spec("pyarrow") is None:
        raise SettingsError(tr("landmarks are written as Parquet, which takes pyarrow: pip install 'mien[parquet]'"))


def landmarks_path(csv: Path) -> Path:
    """Where the landmarks of the recording with that CSV are."""
    return csv.with_suffix(ENDING)


def stream_path(final: Path) -> Path:
    """Where they are while it is being made."""
    return final.with_suffix(_STREAM)


class LandmarksFile:
    """Writes the landmarks of scenes as they come; `close` makes the Parquet file, `publish` gives it its name.

    For one thread at a time.

    Args:
        final: the file's name in the end.
        start_s: time on the source's clock that is 0 in the video.

    Raises:
        RecordingError: it cannot be created.
    """

    def __init__(self, final: Path, *, start_s: float) -> None:
        import pyarrow

        self.final = final
        self._start_s = start_s
        self._path = stream_path(final)
        self._rows: list[tuple[float, float, int, int, Any]] = []
        self._flushed = time.monotonic()
        self._schema = _schema()
        try:
            self._path.unlink(missing_ok=True)
            self._file = open_own(self._path)
            self._writer = pyarrow.ipc.new_stream(self._file, self._schema)
        except OSError as error:
            raise RecordingError(
                tr("{path}: cannot be written ({reason})", path=self._path, reason=error.strerror)
            ) from None

    def write(self, scene: Scene) -> None:
        """Add the faces of a scene that were measured in its very frame.

        Raises:
            RecordingError: the disk is full.
        """
        time_s, index = scene.frame.time_s, scene.frame.index
        for track_id, measures in scene.measures.items():
            if measures.time_s == time_s:
                self._rows.append((time_s - self._start_s, time_s, index, track_id, measures.points))
        if time.monotonic() - self._flushed > _FLUSH_S or len(self._rows) >= _MOST_ROWS:
            self._flush()

    def close(self) -> None:
        """Make the Parquet file, still under the name of an unfinished one. Safe to call twice.

        Raises:
            RecordingError: it cannot be written; the stream is left for `mien repair`.
        """
        if self._file.closed:
            return
        try:
            self._flush()
            self._end()
            _convert(self._path, self.final.with_suffix(_PART))
        except OSError as error:
            raise RecordingError(
                tr("{path}: cannot be finished ({reason})", path=self.final, reason=error.strerror or error)
            ) from None

    def publish(self, *, overwrite: bool = False) -> Path:
        """Give the finished file its final name.

        Raises:
            RecordingError: the name is taken, or it cannot be renamed.
        """
        part = self.final.with_suffix(_PART)
        try:
            sync(part)
            if overwrite:
                self.final.unlink(missing_ok=True)
            rename_new(part, self.final)
            self._path.unlink()
        except OSError as error:
            raise RecordingError(
                tr(
                    "{path}: cannot be given its name ({reason}); it is {part}",
                    path=self.final,
                    reason=error.strerror,
                    part=part,
                )
            ) from None
        return self.final

    def leave(self) -> None:
        """Leave the stream as it is, for `mien repair`."""
        with suppress(RecordingError, OSError):
            self._flush()
        self._end()

    def discard(self) -> None:
        """Close and remove everything."""
        self._end()
        for path in (self._path, self.final.with_suffix(_PART)):
            with suppress(OSError):
                path.unlink(missing_ok=True)

    def _end(self) -> None:
        with suppress(OSError):
            self._writer.close()
        with suppress(OSError):
            self._file.close()

    def _flush(self) -> None:
        import pyarrow

        self._flushed = time.monotonic()
        if not self._rows:
            return
        rows, self._rows = self._rows, []
        times, sessions, frames, tracks, points = zip(*rows, strict=True)
        found = np.round(np.stack(points) * _STEP) / np.float32(_STEP)
        axes = [
            pyarrow.FixedSizeListArray.from_arrays(
                pyarrow.array(np.ascontiguousarray(found[:, :, axis], np.float32).ravel()), POINTS
            )
            for axis in range(3)
        ]
        columns = [
            pyarrow.array(np.asarray(values, kind))
            for values, kind in ((times, np.float64), (sessions, np.float64), (frames, np.int64), (tracks, np.int32))
        ]
        try:
            self._writer.write_batch(pyarrow.record_batch([*columns, *axes], schema=self._schema))
            self._file.flush()
        except OSError as error:
            raise RecordingError(
                tr("{path}: cannot be written any further ({reason})", path=self._path, reason=error.strerror or error)
            ) from None


def finish_stream(final: Path) -> str:
    """Make the Parquet file `final` of what a killed program left; a line that says what came of it, "" for nothing.

    Raises:
        RecordingError: it cannot be written; the stream is left.
    """
    stream = stream_path(final)
    if not is_there(stream):
        return ""
    if find_spec("pyarrow") is None:
        return tr(
            "{path}: holds landmarks; pip install 'mien[parquet]' and repair again for {final}",
            path=stream.name,
            final=final.name,
        )
    if is_there(final):
        if _rows_in(final) == _convert(stream, None):  # killed just after it was finished
            stream.unlink()
            return ""
        return tr("{path}: already exists; {stream} was left as it is", path=final.name, stream=stream.name)
    part = final.with_suffix(_PART)
    try:
        part.unlink(missing_ok=True)
        rows = _convert(stream, part)
        if rows == 0:
            part.unlink(missing_ok=True)
            stream.unlink()
            return tr("{path}: holds no landmarks", path=stream.name)
        sync(part)
        rename_new(part, final)
        stream.unlink()
    except OSError as error:
        raise RecordingError(
            tr("{path}: cannot be written ({reason})", path=final, reason=error.strerror or error)
        ) from None
    return tr("{path}: landmarks of {rows} rows", path=final.name, rows=rows)


def _convert(stream: Path, final: Path | None) -> int:
    """Copy all whole pieces of a stream into a Parquet file, if one is given; returns how many rows there are."""
    import pyarrow
    from pyarrow import parquet

    rows = 0
    with parquet.ParquetWriter(final, _schema(), compression="zstd") if final is not None else nullcontext() as target:
        waiting: list[Any] = []
        for batch in _pieces(stream):
            rows += batch.num_rows
            waiting.append(batch)
            if sum(one.num_rows for one in waiting) >= _ROWS_OF_A_GROUP:
                if target is not None:
                    target.write_table(pyarrow.Table.from_batches(waiting))
                waiting = []
        if waiting and target is not None:
            target.write_table(pyarrow.Table.from_batches(waiting))
    return rows


def _pieces(stream: Path) -> Iterator[Any]:
    """The whole pieces of a stream that may be cut off anywhere."""
    import pyarrow

    with stream.open("rb") as source, suppress(pyarrow.ArrowInvalid, EOFError):
        pieces = iter(pyarrow.ipc.open_stream(source))
        while True:
            try:
                piece = next(pieces)
            except (StopIteration, OSError):  # pyarrow's word for a piece that is cut off
                return
            yield piece


def _rows_in(final: Path) -> int:
    import pyarrow
    from pyarrow import parquet

    try:
        return int(parquet.ParquetFile(final).metadata.num_rows)
    except (OSError, pyarrow.ArrowInvalid):
        return -1


def _schema() -> Any:
    import pyarrow

    points = pyarrow.list_(pyarrow.float32(), POINTS)
    return pyarrow.schema(
        [
            ("time_s", pyarrow.float64()),
            ("session_s", pyarrow.float64()),
            ("frame", pyarrow.int64()),
            ("track_id", pyarrow.int32()),
            ("x", points),
            ("y", points),
            ("z", points),
        ],
        metadata=_ABOUT,
    )
