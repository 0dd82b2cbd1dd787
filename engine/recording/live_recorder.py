"""Records a live session so that it survives: a killed program, a full disk, a lost signal, another frame size."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import datetime
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import numpy as np

from mien.engine.disk import rename_new
from mien.engine.drawing.overlay import Overlay
from mien.engine.drawing.privacy import Anonymiser
from mien.engine.errors import RecordingError
from mien.engine.faces.people import PeopleBook
from mien.engine.language import tr, tr_later
from mien.engine.media.geometry import fitted
from mien.engine.recording.disk_watch import DiskWatch
from mien.engine.recording.document import Ended
from mien.engine.recording.face_data.data_files import DataFiles
from mien.engine.recording.files import Outputs, RecordingFiles, write_json
from mien.engine.recording.live_video import TIME_BASE, LiveVideos, live_format
from mien.engine.recording.notes import Notes
from mien.engine.recording.plan import RecordingPlan, RecordingStatus, file_name
from mien.engine.recording.table import GAP, MARKER, one_line
from mien.engine.types import AudioChunk, RgbImage, Scene

_NOBODY: Final = PeopleBook()
_SURELY_LOST_S: Final = 0.5  # from one frame to the next; more, where the signal was seen to be lost, is a gap


class LiveRecorder:
    """Writes scenes as they come, at their own times; `finish` gives the files their final names.

    While it runs the files carry ``.part`` in their names. After a kill they play, and `mien repair` gives them their
    final form. For one thread at a time, but for `status`. Files are created with the first scene.

    Args:
        plan: what to record.
        labels: class names of the model.
        overlay: draws on the annotated video; this recorder's own, as it remembers where it drew.
        about: what is known at the beginning; opens the JSON file. Holds no secrets.
        sample_aspect: width : height of one pixel.
        audio: the videos get an audio track, for `write_audio`.
    """

    def __init__(
        self,
        plan: RecordingPlan,
        labels: tuple[str, ...],
        overlay: Overlay,
        about: Mapping[str, Any],
        *,
        sample_aspect: Fraction = Fraction(1),
        audio: bool = False,
    ) -> None:
        self._plan, self._audio = plan, audio
        self._heads = tuple(labels), overlay.values
        self._overlay = overlay
        self._about = dict(about)
        self._sample_aspect = sample_aspect
        self._anonymiser = Anonymiser(plan.privacy, plan.privacy_scope)
        self._notes = Notes()
        self._files: RecordingFiles | None = None
        self._table: DataFiles | None = None
        self._videos: LiveVideos | None = None
        self._size = self._newest_size = (0, 0)
        self._start_s = 0.0
        self._last: tuple[Scene, RgbImage] | None = None  # the newest scene written, and its image as written
        self._gaps: dict[int, float] = {}  # seconds without signal before a scene, by the index of its frame
        self._first_index = self._taken = self._with_face = 0
        self._failure = ""
        self._names: Mapping[int, str] = {}
        self._hidden: frozenset[int] = frozenset()
        self._persons: Mapping[int, int] = {}
        self._disk = DiskWatch(plan.folder, plan.min_free_bytes)
        self._finished: tuple[Path, ...] | None = None
        self._lock = threading.Lock()
        self._status = RecordingStatus("recording", (), 0.0, 0, 0, 0, "")

    def write(
        self, scene: Scene, *, names: Mapping[int, str], selected: frozenset[int],
        hidden: frozenset[int] = frozenset(), book: PeopleBook = _NOBODY, gap_s: float | None = None,
    ) -> None:  # fmt: skip
        """Add one scene.

        Args:
            scene: times must not go back; its frame is not changed.
            names: what people are called, by track id.
            selected: tracks whose faces stay visible where the plan conceals the unselected.
            hidden: tracks of which nothing is drawn; their numbers are in the CSV all the same.
            book: which track ids are one person.
            gap_s: seconds without signal since the scene before; None: what the frame says.

        Raises:
            DiskFullError: too little space is left.
            RecordingError: the files cannot be created, or the encoder failed. `finish` saves what is there.
        """
        if self._finished is not None:
            raise RecordingError(tr("the recording is finished; start another"))
        self._hidden, self._persons = hidden, book.persons()
        self._notes.meet(book)
        with self._failure_noted():
            self._take(scene, names, selected, scene.frame.gap_s if gap_s is None else gap_s)

    def _take(self, scene: Scene, names: Mapping[int, str], selected: frozenset[int], gap_s: float) -> None:
        try:
            self._disk.look()
        finally:
            self._set(free_bytes=self._disk.free_bytes)
        height, width = scene.frame.image.shape[:2]
        if self._files is None:
            self._open(scene, width, height)
        if (width, height) != self._newest_size:
            self._newest_size = width, height
            self._notes.size(scene.frame.time_s, width, height)
        if dict(names) != self._names:
            self._names = dict(names)
            self._notes.call(names)
        self._gaps |= {scene.frame.index: gap_s} if gap_s > 0 else {}
        self._count(scene.frame.index)
        for ready, image in self._anonymiser.push(fitted(scene, *self._size), selected):
            self._write(ready, image)
        self._save_notes()

    def write_audio(self, audio: AudioChunk) -> None:
        """Add a piece of audio; what lies before the first scene is left out.

        Raises:
            RecordingError: the disk is full. `finish` saves what is there.
        """
        with self._failure_noted():
            if self._videos is not None:
                self._videos.write_audio(audio)

    def lose_signal(self, text: str, time_s: float | None = None) -> None:
        """Show from now on, until the next scene, that there is no signal.

        The annotated video shows the last scene dimmed with `text` on it, the clean one turns black, so that nobody
        and no program takes an old face for a new one.

        Args:
            text: for people, such as "no signal since 18:03:11".
            time_s: a time on the source's clock before which no frame can come any more: the videos then reach up to
                it. None: frames from right after the last one may still come.

        Raises:
            RecordingError: the disk is full.
        """
        if self._videos is None or self._finished is not None:
            return
        with self._failure_noted():
            if not self._videos.without_signal:
                for ready, image in self._anonymiser.flush():
                    self._write(ready, image)
                if self._last is None:
                    return
                scene, image = self._last
                self._videos.lose_signal(self._annotated(scene, image, no_signal=text), np.zeros_like(image))
            if time_s is not None:
                self._videos.bridge(time_s)
        self._set(elapsed_s=self._end_s - self._start_s)

    def mark(self, time_s: float, text: str) -> None:
        """Put a marker at `time_s` seconds of the source's clock: a CSV row, a chapter, an entry in the JSON.

        Raises:
            RecordingError: the disk is full.
        """
        marker = self._notes.mark(time_s, one_line(text))
        if self._table is not None:
            self._table.note(marker.time_s, MARKER, marker.text)
            self._save_notes()

    def note_dropped(self, count: int) -> None:
        """Count frames, next after those written so far, that came faster than they could be written."""
        with self._lock:
            self._status = replace(self._status, dropped=self._status.dropped + count)

    def status(self) -> RecordingStatus:
        """How it goes; from any thread."""
        with self._lock:
            return self._status

    def finish(self, results: Mapping[str, Any], *, end_s: float | None = None) -> tuple[Path, ...]:
        """Close the files and give them their final names. Safe to call again, and after `write` failed.

        Where the disk is full, each file is cut to its last whole piece, so that it plays.

        Args:
            results: what is known at the end; completes the JSON file.
            end_s: when the recording was ended, on the source's clock, where that was while the signal was lost.

        Returns:
            The files; none where there never was a scene.

        Raises:
            RecordingError: a file could not be saved; it keeps its ``.part`` name.
        """
        if self._finished is not None:
            return self._finished
        self._set(state="finishing")
        trouble: list[str] = []
        if self._files is None:
            self._finished = ()
            self._set(state="failed", message=self._failure or tr("no frame came; nothing was recorded"))
            return ()
        try:
            with suppress(RecordingError):  # said by `write`, where it is the reason to finish
                for ready, image in self._anonymiser.flush():
                    self._write(ready, image)
                self._end_without_signal(end_s)
            trouble += self._close(results)
            self._files.release()
        except RecordingError as error:
            self._files.release()
            self._finished = ()
            self._set(state="failed", message=str(error))
            raise
        self._set(
            state="failed" if trouble and not self._finished else "done",
            files=self._finished or (),
            message="; ".join(filter(None, [self._failure, *trouble])),
        )
        return self._finished or ()

    def _open(self, scene: Scene, width: int, height: int) -> None:
        plan = self._plan
        if not plan.folder.is_dir():
            raise RecordingError(tr("{path}: no such folder; create it or choose another", path=plan.folder))
        source = self._about.get("source", {}).get("name", "")
        name = file_name(plan.name, now=datetime.now().astimezone(), source=str(source))
        files = RecordingFiles.reserve(plan.folder, name, annotated=plan.annotated, clean=plan.clean)
        self._size = width + width % 2, height + height % 2
        self._newest_size = width, height
        self._start_s = scene.frame.time_s
        self._first_index = scene.frame.index
        self._notes.begin(self._start_s, width, height)
        rate = self._about.get("source", {}).get("frame_rate")
        try:
            write_json(Outputs.part(files.json), self._document({}, complete=False, files=files))
            self._table = DataFiles(files.csv, *self._heads, start_s=self._start_s, groups=plan.columns, notes=True)
            for marker in self._notes.markers:
                self._table.note(marker.time_s, MARKER, marker.text)
            video = live_format(self._size, self._start_s, rate=rate, sample_aspect=self._sample_aspect)
            annotated, clean = (path and Outputs.part(path) for path in (files.annotated, files.clean))
            self._videos = LiveVideos(annotated, clean, video, plan, audio=self._audio)
        except RecordingError:
            self._discard(files)
            raise
        self._files = files
        self._set(files=files.all())

    def _discard(self, files: RecordingFiles) -> None:
        if self._table is not None:
            self._table.discard()
        if self._videos is not None:
            self._videos.close()
        self._videos, self._table = None, None
        files.remove()

    def _write(self, scene: Scene, image: RgbImage) -> None:
        """Write a scene that is fitted; `image` is its frame, concealed."""
        assert self._table is not None and self._videos is not None
        frame = scene.frame
        gap_s = self._gaps.pop(frame.index, 0.0)
        if self._last is not None:
            before_s = self._last[0].frame.time_s
            if self._videos.without_signal and frame.time_s - before_s > _SURELY_LOST_S:
                gap_s = max(gap_s, frame.time_s - before_s)
            if gap_s > 0:
                self._lose(max(frame.time_s - gap_s, before_s), frame.time_s)
        self._videos.write(self._annotated(scene, image), image, frame.time_s, frame.duration)
        if self._notes.follow(frame):
            self._table.note(frame.time_s, GAP, "0")  # nothing is missing: the recording goes on without the jump
        self._table.write(scene)
        self._last = scene, image
        self._with_face += any(face.observed for face in scene.faces)
        with self._lock:
            status = self._status
            self._status = replace(status, frames=status.frames + 1, elapsed_s=frame.time_s - self._start_s)

    def _annotated(self, scene: Scene, image: RgbImage, *, no_signal: str = "") -> RgbImage:
        if not self._plan.annotated:
            return image
        image = image.copy()
        self._overlay.draw_over(
            image, scene, names=self._names, hidden=self._hidden, persons=self._persons, no_signal=no_signal
        )
        return image

    def _end_without_signal(self, end_s: float | None) -> None:
        """The end of a recording in which the signal had not come back."""
        if self._videos is None or not self._videos.without_signal or self._last is None:
            return
        if end_s is not None:
            self._videos.bridge(end_s)
        self._lose(self._last[0].frame.time_s, self._videos.shown_s)

    def _lose(self, start_s: float, end_s: float) -> None:
        assert self._table is not None
        gap = self._notes.lose(start_s, end_s)
        self._table.note(gap.start_s, GAP, f"{gap.seconds:.3f}")

    def _count(self, index: int) -> None:
        """Frames of the source that are missing between those written were dropped, or never came this far."""
        self._taken += 1
        with self._lock:
            missing = index - self._first_index + 1 - self._taken
            self._status = replace(self._status, skipped=max(missing - self._status.dropped, 0))

    def _close(self, results: Mapping[str, Any]) -> list[str]:
        """Close, complete and rename everything; says what was lost by it."""
        assert self._files is not None and self._table is not None and self._videos is not None
        trouble = self._videos.close(self._notes.chapters(self._start_s, self._end_s))
        try:
            self._table.close()
        except RecordingError as error:
            trouble.append(str(error))
        document = self._document(results, complete=not (trouble or self._failure), files=self._files)
        try:
            write_json(Outputs.part(self._files.json), document)
        except RecordingError as error:
            trouble.append(str(error))
        self._finished = self._rename(trouble)
        return trouble

    def _rename(self, trouble: list[str]) -> tuple[Path, ...]:
        assert self._files is not None and self._table is not None
        done: list[Path] = []
        for path in self._files.all():
            part = Outputs.part(path)
            if not part.exists() or (path.suffix == ".mp4" and part.stat().st_size == 0):
                with suppress(OSError):
                    part.unlink(missing_ok=True)
                trouble.append(tr("{path}: holds nothing and was removed", path=path))
                continue
            try:
                rename_new(part, path)
                done.append(path)
            except OSError as error:
                text = tr_later("{path}: cannot be given its name ({reason}); the result is {part}")
                trouble.append(tr(text, path=path, reason=error.strerror, part=part))
                done.append(part)
        return *done, *self._table.publish_landmarks(trouble=trouble)

    @property
    def _end_s(self) -> float:
        return self._start_s if self._videos is None else max(self._start_s, self._videos.shown_s)

    def _document(self, results: Mapping[str, Any], *, complete: bool, files: RecordingFiles) -> dict[str, Any]:
        plan, status = self._plan, self.status()
        width, height = self._size
        return {
            **self._about,
            "recording": {
                "start_s": self._start_s,
                "time_base": str(TIME_BASE),
                "width": width,
                "height": height,
                "videos": [path.name for path in files.videos],
                **plan.document(),
                "audio": self._audio,
            },
            **({"ended": Ended.IN_ORDER} if complete else {"ended": self._failure} if self._failure else {}),
            "complete": complete,
            **results,
            **self._notes.as_json(),
            "video_encoder": "" if self._videos is None else self._videos.encoder,
            "duration_s": round(self._end_s - self._start_s, 6),
            "counts": {
                "frames_written": status.frames,
                "frames_dropped": status.dropped,
                "frames_skipped": status.skipped,
                "frames_with_face": self._with_face,
                "frames_repeated": 0 if self._videos is None else self._videos.repeated,
            },
        }

    def _save_notes(self) -> None:
        """What must survive a kill and is not in the CSV: names, sizes. Seldom, as it rewrites the JSON."""
        if self._files is not None and self._notes.take_changed():
            write_json(Outputs.part(self._files.json), self._document({}, complete=False, files=self._files))

    @contextmanager
    def _failure_noted(self) -> Iterator[None]:
        try:
            yield
        except RecordingError as error:
            self._failure = str(error)
            raise

    def _set(self, **changes: Any) -> None:
        with self._lock:
            self._status = replace(self._status, **changes)
