"""The files of recordings: their names, checked before anything is written, and how they are written whole."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, Self

from mien.engine.disk import NameHeldError, NameLock, create_new, is_there, rename_new, sync, write_whole
from mien.engine.errors import RecordingError
from mien.engine.interrupts import Abandoned
from mien.engine.language import english, tr, tr_later

PART: Final = ".part"
"""Ends the name, before its ending, of a file that is being written or was left unfinished."""
_LARGEST_JSON: Final = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Outputs:
    """The files of one recording.

    While it runs they carry ``.part`` in their names, so that a file under its final name is always whole. What a
    killed program leaves as ``NAME.part.mp4`` plays, too.
    """

    mp4: Path
    landmarks: bool = False
    """Whether the landmarks of faces are written beside the others; that file has its own way from part to whole: see
    `mien.engine.recording.face_data.landmarks_file`."""

    @property
    def parquet(self) -> Path:
        return self.mp4.with_suffix(".parquet")

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
        return path.with_suffix(f"{PART}{path.suffix}")

    @classmethod
    def checked(
        cls, mp4: Path, *, overwrite: bool, source: Path | None, redo: bool = False, landmarks: bool = False
    ) -> Self:
        """The outputs for `mp4`, after making sure that they can be written and nothing is lost by it.

        Args:
            mp4: the video to write.
            overwrite: files under the final names may be replaced.
            source: what is annotated; an unfinished recording made of the same may be replaced with `overwrite`.
            redo: it may be replaced without, too.
            landmarks: their file is written, too.

        Raises:
            RecordingError: wrong ending, no such folder, not writable, being written, already there, an unfinished
                recording, or the source itself.
        """
        outputs = cls(mp4, landmarks)
        with outputs._locked():
            outputs._check(overwrite, source, redo)
        return outputs

    @contextmanager
    def held(self, *, overwrite: bool, source: Path | None, redo: bool = False) -> Iterator[None]:
        """As `checked`, and until the block ends no other program may write these files; empty part files are there.

        Raises:
            RecordingError: as `checked`.
        """
        with self._locked():
            self._check(overwrite, source, redo)
            made: list[Path] = []
            try:
                for path in map(self.part, (self.mp4, self.csv)):
                    path.unlink(missing_ok=True)
                    create_new(path).close()  # so no link is followed that was put there
                    made.append(path)
            except OSError as error:
                for path in made:
                    path.unlink(missing_ok=True)
                raise RecordingError(
                    tr("{path}: cannot be written to ({reason})", path=self.mp4.parent, reason=error.strerror)
                ) from None
            yield

    def publish(self, *, overwrite: bool) -> None:
        """Give the part files their final names, the video first; only where those are free, unless `overwrite`.

        Raises:
            RecordingError: a final name is taken, or the files cannot be renamed. Those that were not keep their
                ``.part`` names, and `mien repair` finishes the rest.
        """
        publish([(self.part(path), path) for path in self.all()], overwrite=overwrite)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        if self.mp4.suffix.lower() != ".mp4":
            raise RecordingError(tr("{path}: the recording is an MP4; give a name that ends in .mp4", path=self.mp4))
        if self.mp4.stem.endswith(PART):
            raise RecordingError(tr(
                "{path}: names with {part} are for unfinished recordings; give another name",
                path=self.mp4, part=PART
            ))  # fmt: skip
        if not self.mp4.parent.is_dir():
            raise RecordingError(tr("{path}: no such folder; create it first", path=self.mp4.parent))
        with locked(self.mp4.parent, self.mp4.stem):
            yield

    def _check(self, overwrite: bool, source: Path | None, redo: bool) -> None:
        for path in self.all():
            for taken in (path, self.part(path)):
                if taken.is_dir():
                    raise RecordingError(tr("{path}: is a folder; give another name", path=taken))
                if source is not None and taken.exists() and source.exists() and taken.samefile(source):
                    raise RecordingError(tr("{path}: is the source itself; give another name", path=taken))
            if is_there(path) and not overwrite:
                raise RecordingError(
                    tr("{path}: already exists; give another name, or --overwrite to replace it", path=path)
                )
        if self.landmarks and is_there(self.parquet) and not overwrite:
            raise RecordingError(
                tr("{path}: already exists; give another name, or --overwrite to replace it", path=self.parquet)
            )
        left = [part for part in map(self.part, self.all()) if is_there(part)]
        if not left or self._nothing_in(left):
            return
        again = source is not None and self._made_of(source)
        if not (again and (overwrite or redo)):
            text = tr_later(
                "{path}: an unfinished recording is there; finish it (mien repair {name}), move it away, or give "
                "another name"
            )
            if again:
                text = tr_later(
                    "{path}: an unfinished recording is there; finish it (mien repair {name}), move it away, or give "
                    "another name, or --overwrite to make it anew"
                )
            raise RecordingError(tr(text, path=left[0], name=left[0].name))

    def _nothing_in(self, left: list[Path]) -> bool:
        """Whether a program was killed before it had written a frame or a row."""
        try:
            for path in left:
                if not stat.S_ISREG(path.stat(follow_symlinks=False).st_mode):
                    return False
                if path.suffix == ".csv" and path.read_bytes().count(b"\n") > 1:
                    return False
                if path.suffix == self.mp4.suffix and path.stat().st_size > 0:
                    return False
        except OSError:
            return False
        return True

    def _made_of(self, source: Path) -> bool:
        """Whether an unfinished recording was made of that file, so that nothing is lost by making it anew."""
        if any(path.is_symlink() for path in map(self.part, self.all())):
            return False
        about = read_json(self.part(self.json))
        made_of = about.get("source") if about is not None else None
        if about is None or "recording" in about or not isinstance(made_of, dict):
            return False
        name = made_of.get("name")
        try:
            return isinstance(name, str) and (name == str(source) or Path(name).samefile(source))
        except (OSError, ValueError):
            return False


@contextmanager
def locked(folder: Path, *names: str) -> Iterator[None]:
    """Hold the names of recordings, without endings, against other programs until the block ends.

    After `Abandoned` they stay held: threads may still be writing, until the program has ended.

    Raises:
        RecordingError: another program writes or repairs one of them, or the folder cannot be written to.
    """
    lock = lock_names(folder, *names)
    try:
        yield
    except Abandoned:
        raise
    except BaseException:
        lock.release()
        raise
    lock.release()


def lock_names(folder: Path, *names: str) -> NameLock:
    """As `locked`, until the lock is released."""
    try:
        return NameLock(folder, *names)
    except NameHeldError as error:
        raise RecordingError(tr(
            "{folder}.mp4: is still being recorded or repaired ({error}); wait for its end, or use another name",
            folder=folder / names[0], error=error
        )) from None  # fmt: skip
    except OSError as error:
        raise RecordingError(
            tr("{path}: cannot be written to ({reason}); choose another folder", path=folder, reason=error.strerror)
        ) from None


def publish(renames: Sequence[tuple[Path, Path]], *, overwrite: bool = False) -> None:
    """Rename finished files in this order, each in one step, so that they can be found whatever happens in between.

    Raises:
        RecordingError: a final name is taken, or a file cannot be renamed.
    """
    at = renames[0]
    try:
        for at in renames:
            sync(at[0])
        if overwrite:
            # First all of the old, then all of the new: never some of each.
            for at in renames:
                at[1].unlink(missing_ok=True)
        for at in renames:
            if is_there(at[1]):
                raise FileExistsError
        for at in renames:
            rename_new(*at)
    except FileExistsError:
        final = at[1]
        raise RecordingError(tr(
            "{path}: a file of that name has appeared meanwhile and was left as it is; move it away, then"
            " mien repair {outputs} finishes the recording",
            path=final, outputs=Outputs.part(final)
        )) from None  # fmt: skip
    except OSError as error:
        part, final = at
        raise RecordingError(tr(
            "{path}: cannot be replaced ({reason}); the result is {part}",
            path=final, reason=error.strerror, part=part
        )) from None  # fmt: skip


CLEAN: Final = "_clean"
"""Ends the name of the video that nothing is drawn on."""
_TRIES: Final = 1000


@dataclass(frozen=True, slots=True)
class RecordingFiles:
    """The files of one live recording, all in one folder, under their final names.

    Attributes:
        annotated, clean: the videos; None where not wanted.
        csv, json: the data.
        lock: keeps other programs from these names, for files from `reserve`.
    """

    annotated: Path | None
    clean: Path | None
    csv: Path
    json: Path
    lock: NameLock | None = field(default=None, compare=False)

    @classmethod
    def named(cls, folder: Path, name: str, *, annotated: bool, clean: bool) -> Self:
        """The files for a name without ending."""
        return cls(
            folder / f"{name}.mp4" if annotated else None,
            folder / f"{name}{CLEAN}.mp4" if clean else None,
            folder / f"{name}.csv",
            folder / f"{name}.json",
        )

    @classmethod
    def reserve(cls, folder: Path, name: str, *, annotated: bool, clean: bool) -> Self:
        """Files that do not exist, for `name` or `name` with a number; empty part files of them are there.

        Whoever asked releases the lock, when the files have their final names or are gone.

        Raises:
            RecordingError: the folder does not exist or may not be written to.
        """
        for candidate in _numbered(name):
            try:
                lock = NameLock(folder, candidate, *([candidate + CLEAN] if clean else []))
            except NameHeldError:
                continue
            except OSError as error:
                raise RecordingError(
                    tr("{path}: cannot be written to ({reason}); choose another", path=folder, reason=error.strerror)
                ) from None
            # All names are looked at, also those not wanted now: a later clean video must not join another's data.
            everything = cls.named(folder, candidate, annotated=True, clean=True)
            files = replace(cls.named(folder, candidate, annotated=annotated, clean=clean), lock=lock)
            made: list[Path] = []
            try:
                if not any(is_there(path) or is_there(Outputs.part(path)) for path in everything.all()):
                    for path in map(Outputs.part, files.all()):
                        create_new(path).close()
                        made.append(path)
                    return files
            except OSError as error:
                for path in made:
                    path.unlink(missing_ok=True)
                if not isinstance(error, FileExistsError):
                    lock.release()
                    raise RecordingError(tr(
                        "{path}: cannot be written to ({reason}); choose another",
                        path=folder, reason=error.strerror
                    )) from None  # fmt: skip
            lock.release()
        raise RecordingError(
            tr("{path}: holds too many recordings named {name}; choose another name", path=folder, name=name)
        )

    def remove(self) -> None:
        """Remove what was begun, and release the names."""
        for path in self.all():
            with suppress(OSError):
                Outputs.part(path).unlink(missing_ok=True)
        self.release()

    def release(self) -> None:
        """Let other programs have the names. Safe to call twice."""
        if self.lock is not None:
            self.lock.release()

    @classmethod
    def family(cls, path: Path) -> tuple[Path, ...]:
        """All names, final and ``.part``, of the recording that `path` is a file of."""
        stem = path.stem.removesuffix(PART)
        bare = stem.removesuffix(CLEAN)
        files = [cls.named(path.parent, name, annotated=True, clean=True).all() for name in {stem, bare} if name]
        return tuple(dict.fromkeys(name for paths in files for one in paths for name in (one, Outputs.part(one))))

    @property
    def videos(self) -> tuple[Path, ...]:
        return tuple(path for path in (self.annotated, self.clean) if path is not None)

    def all(self) -> tuple[Path, ...]:
        return *self.videos, self.csv, self.json


def _numbered(name: str) -> Iterator[str]:
    yield name
    for number in range(2, _TRIES):
        yield f"{name} ({number})"


def write_json(path: Path, data: Mapping[str, Any]) -> None:
    """Write `data` to `path`: afterwards it holds all of it, and where that fails, what it held before.

    Raises:
        RecordingError: it cannot be written.
    """
    try:
        write_whole(path, json.dumps(english(data), indent=2, ensure_ascii=False, default=str) + "\n")
    except OSError as error:
        raise RecordingError(tr("{path}: cannot be written ({reason})", path=path, reason=error.strerror)) from None


def read_json(path: Path) -> dict[str, Any] | None:
    """What the JSON file beside a recording says; None where it is missing, damaged or no such file."""
    try:
        if path.stat().st_size > _LARGEST_JSON:
            return None
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return data if isinstance(data, dict) else None
