"""Writes a session to disk: the annotated MP4, its CSV and its JSON, all or nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from mien.engine.errors import RecordingError
from mien.engine.media.mp4.trial import choose_encoder
from mien.engine.media.mp4.writer import Mp4Writer
from mien.engine.recording.face_data.data_files import DataFiles
from mien.engine.recording.files import Outputs, write_json
from mien.engine.recording.notes import jump_as_json
from mien.engine.recording.table import GAP
from mien.engine.settings import Encoder
from mien.engine.types import Part, RgbImage, Scene, SourceInfo


class Recorder:
    """Writes scenes as they come; ends with `finish` (the files get their final names), `discard` or `leave`.

    For one thread at a time: whoever ends it makes sure that nobody writes any more.

    Args:
        outputs: where to; held with `Outputs.held` until the end.
        info: of the source.
        labels: class names of the model.
        about: what is known before the first frame; begins the JSON file.
        crf: constant rate factor of the MP4.
        encoder: what makes it, one of `mien.engine.settings.ENCODERS`.
        audio_path: file whose audio goes along; None: no audio.
        threads: of the encoder; 0: as it likes.
        overwrite: files under the final names are replaced at the end.
        values: names of what the model predicts beside the classes.
        groups: of what was measured of a face, those to write; the landmarks go into a file of their own.

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
        encoder: Encoder = "x264",
        audio_path: Path | None,
        threads: int = 0,
        overwrite: bool = False,
        values: tuple[str, ...] = (),
        groups: Sequence[str] = (),
    ) -> None:
        self._outputs = outputs
        self._overwrite = overwrite
        self._about = dict(about)
        self._video: Mp4Writer | None = None
        self._table: DataFiles | None = None
        self.frames_written = 0
        self.encoder = ""
        """FFmpeg's name of the one that makes the MP4."""
        self._jumps: list[dict[str, Any]] = []
        self._start_s = info.start_s
        try:
            self._write_json({"complete": False})
            self._table = DataFiles(outputs.csv, labels, values, start_s=info.start_s, groups=groups)
            chosen = choose_encoder(encoder, info.width, info.height, crf=crf, live=False)
            self.encoder = chosen.name
            self._video = Mp4Writer(
                Outputs.part(outputs.mp4), info.video_format, crf=crf, audio_path=audio_path, threads=threads,
                encoder=chosen,
            )  # fmt: skip
        except BaseException:
            self.discard()
            raise

    def write(self, scene: Scene, image: RgbImage, drawn: Sequence[Part] | None = None) -> None:
        """Add one scene with its annotated `image` ((H,W,3) uint8 RGB).

        With `drawn`, nothing but these parts of it differs from the scene's `Frame.decoded`, which gives the rest.

        Raises:
            RecordingError: the disk is full or the encoder failed; `finish` can still save what is there.
        """
        assert self._video is not None and self._table is not None
        jump = scene.frame.discontinuity
        if jump is not None:
            self._video.jump(jump.shift_s)
        decoded = None if drawn is None else scene.frame.decoded
        self._video.write(image, scene.frame.pts, scene.frame.duration, decoded=decoded, drawn=drawn or ())
        if jump is not None:
            # Nothing is missing: the recording goes on without the jump, so the gap has no length.
            self._table.note(jump.time_s, GAP, "0")
            self._jumps.append(jump_as_json(jump, self._start_s))
        self._table.write(scene)
        self.frames_written += 1

    def finish(self, results: Mapping[str, Any], *, whole: bool) -> None:
        """Close the files and give them their final names.

        Args:
            results: what is known at the end; completes the JSON file.
            whole: the source was read to its end, so its audio is taken to its end, too.

        Raises:
            RecordingError: an end could not be written; what is there keeps its ``.part`` name.
        """
        assert self._video is not None and self._table is not None
        try:
            self._video.close(rest_of_audio=whole)
        finally:
            self._table.close()
        self._write_json({**results, "discontinuities": self._jumps})
        self._outputs.publish(overwrite=self._overwrite)
        self._table.publish_landmarks(overwrite=self._overwrite)

    def leave(self) -> None:
        """Leave the ``.part`` files as they are, for `mien repair`: the disk may be full."""
        if self._table is not None:
            self._table.leave()

    def discard(self) -> None:
        """Close and remove everything."""
        with suppress(RecordingError):
            if self._video is not None:
                self._video.close(rest_of_audio=False)
        if self._table is not None:
            self._table.discard()
        for path in self._outputs.all():
            Outputs.part(path).unlink(missing_ok=True)

    def _write_json(self, results: Mapping[str, Any]) -> None:
        write_json(Outputs.part(self._outputs.json), {**self._about, **results})
