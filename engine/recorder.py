"""Writes a session to disk: the annotated MP4, its CSV and its JSON, all or nothing."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from engine.errors import RecordingError
from engine.mp4 import Mp4Writer
from engine.records import Picture, Scene, SourceInfo
from engine.table import TableWriter


@dataclass(frozen=True, slots=True)
class Outputs:
    """The files of one recording.

    While it runs they carry ``.part`` in their names, so that a file under its final name is always whole. What a
    killed program leaves as ``NAME.part.mp4`` plays, too.
    """

    mp4: Path

    @property
    def csv(self) -> Path:
        return self.mp4.with_suffix(".csv")

    @property
    def json(self) -> Path:
        return self.mp4.with_suffix(".json")

    def all(self) -> tuple[Path, Path, Path]:
        return self.mp4, self.csv, self.json

    @staticmethod
    def part(path: Path) -> Path:
        """The name of `path` while it is being written."""
        return path.with_suffix(f".part{path.suffix}")

    @classmethod
    def checked(cls, mp4: Path, *, overwrite: bool, source: Path | None) -> Self:
        """The outputs for `mp4`, after making sure that they can be written and nothing is lost by it.

        Raises:
            RecordingError: wrong ending, no such folder, not writable, already there, or the source itself.
        """
        if mp4.suffix.lower() != ".mp4":
            raise RecordingError(f"{mp4}: the recording is an MP4; give a name that ends in .mp4")
        folder = mp4.parent
        if not folder.is_dir():
            raise RecordingError(f"{folder}: no such folder; create it first")
        outputs = cls(mp4)
        for path in outputs.all():
            if path.is_dir():
                raise RecordingError(f"{path}: is a folder; give another name")
            if source is not None and path.exists() and source.exists() and path.samefile(source):
                raise RecordingError(f"{path}: is the source itself; give another name")
            if path.exists() and not overwrite:
                raise RecordingError(f"{path}: already exists; give another name, or --overwrite to replace it")
        probe = cls.part(outputs.json)
        try:
            probe.touch()
            probe.unlink()
        except OSError as error:
            raise RecordingError(f"{folder}: cannot be written to ({error.strerror})") from None
        return outputs


class Recorder:
    """Writes scenes as they come; ends with `finish` (the files get their final names) or `discard`.

    Args:
        outputs: where to.
        info: of the source.
        labels: class names of the model.
        about: what is known before the first frame; begins the JSON file.
        crf: constant rate factor of the MP4.
        audio_path: file whose sound goes along; None: no sound.
        threads: of the encoder; 0: as it likes.

    Raises:
        RecordingError: a file cannot be created; nothing is left behind.
    """

    def __init__(
        self,
        outputs: Outputs,
        info: SourceInfo,
        labels: tuple[str, ...],
        about: Mapping[str, Any],
        *,
        crf: int,
        audio_path: Path | None,
        threads: int = 0,
    ) -> None:
        self._outputs = outputs
        self._about = dict(about)
        self._video: Mp4Writer | None = None
        self._table: TableWriter | None = None
        self.frames_written = 0
        try:
            self._write_json({"complete": False})
            self._table = TableWriter(Outputs.part(outputs.csv), labels)
            self._video = Mp4Writer(Outputs.part(outputs.mp4), info, crf=crf, audio_path=audio_path, threads=threads)
        except BaseException:
            self.discard()
            raise

    def write(self, scene: Scene, picture: Picture) -> None:
        """Add one scene with its annotated `picture` ((H,W,3) uint8 RGB).

        Raises:
            RecordingError: the disk is full or the encoder failed; `finish` can still save what is there.
        """
        assert self._video is not None and self._table is not None
        self._video.write(scene.frame, picture)
        self._table.write(scene)
        self.frames_written += 1

    def finish(self, results: Mapping[str, Any], *, whole: bool) -> None:
        """Close the files and give them their final names.

        Args:
            results: what is known at the end; completes the JSON file.
            whole: the source was read to its end, so its sound is taken to its end, too.

        Raises:
            RecordingError: an end could not be written; what is there keeps its ``.part`` name.
        """
        assert self._video is not None and self._table is not None
        try:
            self._video.close(rest_of_audio=whole)
        finally:
            self._table.close()
        self._write_json(results)
        for path in self._outputs.all():
            try:
                Outputs.part(path).replace(path)
            except OSError as error:
                part = Outputs.part(path)
                raise RecordingError(f"{path}: cannot be replaced ({error.strerror}); the result is {part}") from None

    def discard(self) -> None:
        """Close and remove everything."""
        for writer in (self._video, self._table):
            with suppress(RecordingError):
                if isinstance(writer, Mp4Writer):
                    writer.close(rest_of_audio=False)
                elif writer is not None:
                    writer.close()
        for path in self._outputs.all():
            Outputs.part(path).unlink(missing_ok=True)

    def _write_json(self, results: Mapping[str, Any]) -> None:
        write_json(Outputs.part(self._outputs.json), {**self._about, **results})


def write_json(path: Path, data: Mapping[str, Any]) -> None:
    """Write `data` to `path`: afterwards it holds all of it, and where that fails, what it held before.

    Raises:
        RecordingError: it cannot be written.
    """
    text = json.dumps(data, indent=2, ensure_ascii=False, default=str) + "\n"
    fresh = path.with_name(path.name + "~")
    try:
        try:
            with fresh.open("w", encoding="utf-8", newline="\n") as stream:
                stream.write(text)
                stream.flush()
                os.fsync(stream.fileno())
            fresh.replace(path)
        except OSError:
            with suppress(OSError):
                fresh.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise RecordingError(f"{path}: cannot be written ({error.strerror})") from None
