"""Finishes the recordings that a killed program left: plain MP4s, whole CSV rows, a JSON that says so."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import av
import av.error

from mien.engine.disk import create_new, is_there, lock_file
from mien.engine.errors import RecordingError
from mien.engine.language import tr
from mien.engine.media.mp4.chapters import Chapter, set_chapters
from mien.engine.recording.document import Ended
from mien.engine.recording.face_data.landmarks_file import finish_stream, landmarks_path
from mien.engine.recording.files import CLEAN, PART, Outputs, RecordingFiles, locked, publish, read_json, write_json
from mien.engine.recording.notes import chapters_of
from mien.engine.recording.remains import Content, Rows, content_of, opened, packets_of, rows_of

_FAILURES: Final = (av.error.FFmpegError, OSError, ValueError)
_PIECE: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Repaired:
    """What came of a repair.

    Attributes:
        files: the finished files.
        frames, duration_s: of the video; the longest, where there are two.
        rows: in the CSV, without its head.
        notes: lines for people: what was missing or cut.
    """

    files: tuple[Path, ...]
    frames: int
    duration_s: float
    rows: int
    notes: tuple[str, ...]


def unfinished_name(path: Path) -> Path:
    """The recording, as a path without ending, that an unfinished file belongs to.

    Raises:
        RecordingError: no such file, or it is not an unfinished recording.
    """
    name = path.stem
    unfinished = path.suffix.lower() in (".mp4", ".csv", ".json") and name.endswith(PART)
    if not path.is_file() and not (unfinished and _was_finished(path.with_name(name.removesuffix(PART)))):
        raise RecordingError(tr("{path}: no such file", path=path))
    if not unfinished:
        raise RecordingError(
            tr("{path}: is not an unfinished recording; give a file whose name ends in .part.mp4", path=path)
        )
    name = name.removesuffix(PART)
    whole = name.removesuffix(CLEAN)
    beside = [path.with_name(f"{stem}{PART}{ending}") for stem in (name, whole) for ending in (".csv", ".json")]
    if whole and name != whole and not any(other.exists() for other in beside[:2]) and any(map(Path.exists, beside)):
        name = whole  # the video without drawings, beside another's data
    return path.with_name(name)


def repair(path: Path) -> Repaired:
    """Finish the recording that `path` (NAME.part.mp4, or the .part.csv or .part.json beside it) belongs to.

    New files are made under other names, read back, and only then given their final names; the unfinished ones are
    removed last. So a repair may be killed at any moment and begun again, any number of times.

    Raises:
        RecordingError: it is still being written or repaired, holds nothing, another file of a final name exists, or
            the disk is full. The unfinished files are as they were.
    """
    name = unfinished_name(path)
    clean = name.with_name(f"{name.name}{CLEAN}{PART}.mp4")
    with locked(name.parent, name.name, *([name.name + CLEAN] if is_there(clean) else [])):
        done = _Repair(path, name).run()
        landmarks = landmarks_path(name.with_name(f"{name.name}.csv"))
        note = finish_stream(landmarks)
        files = (*done.files, landmarks) if note and is_there(landmarks) else done.files
        return replace(done, files=files, notes=(*done.notes, note)) if note else done


class _Repair:
    """One repair, while its names are locked.

    What a repair does is always the same, so a final file that is as this one would make it comes from an earlier
    repair that was killed, and is kept.
    """

    def __init__(self, path: Path, name: Path) -> None:
        self._path = path
        everything = RecordingFiles.named(name.parent, name.name, annotated=True, clean=True)
        self._csv, self._json = everything.csv, everything.json
        self._videos = [video for video in map(_as_named, everything.videos) if self._is_own(video)]
        self._notes: list[str] = []
        self._fresh: list[tuple[Path, Path]] = []  # new files, and their final names

    def run(self) -> Repaired:
        parts = [Outputs.part(file) for file in (*self._videos, self._csv, self._json)]
        for part in parts:
            if part.is_symlink():
                raise RecordingError(tr("{part}: is a link; give the recording itself its place", part=part))
        unfinished = [video for video in self._videos if is_there(Outputs.part(video))]
        about, done = read_json(Outputs.part(self._json)), read_json(self._json)
        if not unfinished:
            return self._conclude(about, done)
        if done is None and is_there(self._json):
            raise RecordingError(tr("{path}: already exists; move it away first", path=self._json))
        if about is None and done is None:
            name = Outputs.part(self._json).name
            self._notes.append(tr("{name}: is missing or unreadable; a new JSON file says what is known", name=name))
        known = about or done or {}
        rows = self._read_rows(_start_of(known), again=done is not None)
        try:
            contents = self._remux_all(unfinished, rows)
            longest = max(contents, key=lambda content: content.duration_s)
            if rows is not None:
                rows = rows.reaching(longest.duration_s)
                self._copy_rows(rows)
            document = _document(known, longest, rows)
            if done is None:
                self._make(self._json, lambda fresh: write_json(fresh, document))
            elif done.get("ended") != Ended.REPAIRED and done != document:
                raise RecordingError(tr("{path}: already exists; move it away first", path=self._json))
            if self._fresh:
                publish(self._fresh)
        except BaseException:
            for fresh, _ in self._fresh:
                with suppress(OSError):
                    fresh.unlink(missing_ok=True)
            raise
        return self._finished(unfinished, longest, rows)

    def _remux_all(self, unfinished: list[Path], rows: Rows | None) -> list[Content]:
        """Make plain MP4s; a video that was cut off before its first frame does not keep the other from it."""
        contents: list[Content] = []
        empty: list[RecordingError] = []
        for video in list(unfinished):
            try:
                before = content_of(Outputs.part(video))
                if before.frames == 0:
                    part = Outputs.part(video)
                    raise RecordingError(
                        tr("{part}: holds no frame, so there is nothing to repair; it can be deleted", part=part)
                    )
            except RecordingError as error:
                empty.append(error)
                unfinished.remove(video)
                continue
            contents.append(self._remux(video, before, rows))
        if not contents:
            raise empty[0]
        self._notes.extend(map(str, empty))
        return contents

    def _is_own(self, video: Path) -> bool:
        """Whether a video belongs to this recording: what ends in "_clean" may be another's, with data of its own."""
        if not video.stem.endswith(CLEAN) or video.stem == self._csv.stem:
            return True
        return not any(is_there(Outputs.part(video).with_suffix(ending)) for ending in (".csv", ".json"))

    def _conclude(self, about: dict[str, Any] | None, done: dict[str, Any] | None) -> Repaired:
        """The video has its final name already: a program was killed while it renamed or removed files."""
        videos = [video for video in self._videos if video.is_file()]
        if not videos:
            missing = Outputs.part(self._videos[0])
            raise RecordingError(
                tr("{path}: the video beside it is missing ({missing})", path=self._path, missing=missing.name)
            )
        contents = [content_of(video) for video in videos]
        longest = max(contents, key=lambda content: content.duration_s)
        said = done if done is not None else about if _is_final(about) else None
        if said is None or _frames_in(said) != longest.frames:
            missing = Outputs.part(self._videos[0])
            raise RecordingError(
                tr("{path}: the video it belongs to is missing ({missing})", path=self._path, missing=missing.name)
            )
        rows = self._read_rows(0.0, again=True) if is_there(Outputs.part(self._csv)) else None
        if rows is not None:
            rows = rows.reaching(longest.duration_s)
            self._copy_rows(rows)
        if done is None:
            self._fresh.append((Outputs.part(self._json), self._json))
        if self._fresh:
            publish(self._fresh)
        if not any(is_there(Outputs.part(file)) for file in (self._csv, self._json)):
            self._notes.append(tr("was finished already"))
        return self._finished(videos, longest, rows)

    def _finished(self, videos: list[Path], longest: Content, rows: Rows | None) -> Repaired:
        # The video goes first: without it, what is left behind by a kill is known to be finished.
        for finished in (*videos, self._csv, self._json):
            part = Outputs.part(finished)
            try:
                if finished.exists():
                    part.unlink(missing_ok=True)
            except OSError as error:
                self._notes.append(tr("{part}: could not be removed ({reason})", part=part, reason=error.strerror))
        files = tuple(file for file in (*videos, self._csv, self._json) if file.exists())
        return Repaired(files, longest.frames, longest.duration_s, rows.count if rows else 0, tuple(self._notes))

    def _make(self, final: Path, write: Callable[[Path], None]) -> Path:
        """Have a new file written under a hidden name, always the same, so that a kill leaves one at most."""
        fresh = lock_file(final.parent, final.name).with_suffix(final.suffix)
        try:
            fresh.unlink(missing_ok=True)
            create_new(fresh).close()
            self._fresh.append((fresh, final))
            write(fresh)
        except OSError as error:
            raise RecordingError(
                tr("{path}: cannot be written ({reason})", path=final, reason=error.strerror)
            ) from None
        return fresh

    def _remux(self, final: Path, before: Content, rows: Rows | None) -> Content:
        """Copy what the part file holds into a plain MP4, and make sure that it is all there."""
        part = Outputs.part(final)
        if is_there(final):
            with suppress(RecordingError, OSError):
                known = content_of(final)
                if not final.is_symlink() and (known.frames, known.digest) == (before.frames, before.digest):
                    return known
            raise RecordingError(tr("{path}: already exists; move it away first", path=final))
        chapters: list[Chapter] = []
        if rows is not None:
            # Where the end was lost, markers in it have no frame any more; they stay in the CSV.
            kept = [marker for marker in rows.markers if marker.time_s <= before.duration_s]
            chapters = chapters_of(kept, 0.0, before.duration_s)
        fresh = self._make(final, lambda fresh: _copy_packets(part, fresh, final, chapters, before.frames))
        after = content_of(fresh)
        if (after.frames, after.digest) != (before.frames, before.digest):
            raise RecordingError(
                tr(
                    "{part}: only {frames} of {frames2} frames could be copied; it was left as it is",
                    part=part,
                    frames=after.frames,
                    frames2=before.frames,
                )
            )
        return after

    def _copy_rows(self, rows: Rows) -> None:
        part, final = Outputs.part(self._csv), self._csv
        if not is_there(final):
            self._make(final, lambda fresh: _copy_head(part, fresh, rows))
        elif final.is_symlink() or not _is_copy(part, final, rows):
            raise RecordingError(tr("{path}: already exists; move it away first", path=final))

    def _read_rows(self, start_s: float, *, again: bool) -> Rows | None:
        """What the CSV holds; `again`: an earlier repair may have finished it."""
        part = Outputs.part(self._csv)
        if not is_there(part):
            if is_there(self._csv) and not again:
                raise RecordingError(tr("{path}: already exists; move it away first", path=self._csv))
            if not is_there(self._csv):
                self._notes.append(tr("{part}: is missing; the video was repaired alone", part=part.name))
            return None
        rows = rows_of(part, start_s, self._notes)
        if rows is None and is_there(self._csv) and not again:
            raise RecordingError(tr("{path}: already exists; move it away first", path=self._csv))
        return rows


def _as_named(video: Path) -> Path:
    """The video with the ending it has on the disk: .mp4, or .MP4 where the user wrote it so."""
    upper = video.with_suffix(".MP4")
    there = is_there(Outputs.part(upper)) or is_there(upper)
    return upper if there and not is_there(Outputs.part(video)) and not is_there(video) else video


def _was_finished(name: Path) -> bool:
    return all(name.with_name(name.name + ending).is_file() for ending in (".mp4", ".json"))


def _is_final(about: dict[str, Any] | None) -> bool:
    """Whether the JSON was written at the end of a recording that was closed in order."""
    return about is not None and (about.get("complete") is True or "ended" in about)


def _frames_in(about: dict[str, Any]) -> int | None:
    """How many frames a JSON says that the video has; format 1 called those that bridge long gaps pictures."""
    counts = about.get("counts")
    if not isinstance(counts, dict) or not isinstance(counts.get("frames_written"), int):
        return None
    repeated = counts.get("frames_repeated", counts.get("pictures_repeated", 0))
    return int(counts["frames_written"]) + (repeated if isinstance(repeated, int) else 0)


def _copy_packets(part: Path, fresh: Path, final: Path, chapters: list[Chapter], frames: int) -> None:
    # With a single frame, FFmpeg from 8.1 on writes an edit list without length, which hides that frame.
    options = {"use_editlist": "1" if frames > 1 else "0"}
    try:
        with (
            opened(part) as source,
            av.open(f"file:{fresh}", "w", format="mp4", options=options) as target,
        ):
            streams = {
                stream.index: target.add_stream_from_template(stream)
                for stream in (*source.streams.video, *source.streams.audio)
            }
            set_chapters(target, chapters)
            for packet in packets_of(source):
                packet.stream = streams[packet.stream.index]
                target.mux(packet)
    except _FAILURES as error:
        raise RecordingError(tr("{path}: cannot be written ({reason})", path=final, reason=_reason(error))) from None


def _start_of(about: dict[str, Any]) -> float:
    """Time of the video's beginning on the source's clock."""
    for part in ("recording", "source"):
        value = about.get(part, {}).get("start_s") if isinstance(about.get(part), dict) else None
        if isinstance(value, int | float) and abs(value) < 1e12:
            return float(value)
    return 0.0


def _copy_head(part: Path, fresh: Path, rows: Rows) -> None:
    """Copy the whole rows, and add what is to follow them."""
    left = rows.length
    with part.open("rb") as source, fresh.open("r+b") as target:
        while left and (data := source.read(min(left, _PIECE))):
            target.write(data)
            left -= len(data)
        target.write(rows.tail)


def _is_copy(part: Path, final: Path, rows: Rows) -> bool:
    """Whether `final` is what `_copy_head` makes."""
    if final.stat().st_size != rows.length + len(rows.tail):
        return False
    left = rows.length
    with part.open("rb") as one, final.open("rb") as other:
        while left:
            data = one.read(min(left, _PIECE))
            if not data or data != other.read(len(data)):
                return False
            left -= len(data)
        return other.read() == rows.tail


def _document(about: dict[str, Any], content: Content, rows: Rows | None) -> dict[str, Any]:
    if _is_final(about) and _frames_in(about) == content.frames:
        return about  # it was closed in order, and only its names were not final
    counts = about.get("counts")
    document = {
        **about,
        "complete": False,
        "ended": Ended.REPAIRED,
        "duration_s": round(content.duration_s, 6),
        "counts": {**(counts if isinstance(counts, dict) else {}), "frames_written": content.frames},
    }
    if rows is not None and "recording" in about:
        # Before format 3 a JSON file, too, had them on the source's clock.
        zero_s = _start_of(about) if rows.format < 3 else 0.0
        document["markers"] = [{"time_s": round(m.time_s + zero_s, 6), "text": m.text} for m in rows.markers]
        document["gaps"] = [{"start_s": round(s + zero_s, 6), "seconds": seconds} for s, seconds in rows.gaps]
    return document


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or type(error).__name__
