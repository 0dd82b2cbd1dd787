"""Files on disk: written whole or not at all, never through a planted link, and locked against other programs."""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final, Self

from mien.engine.language import tr

# Windows has neither flag: there, links need a privilege that users do not have, and text mode has to be left.
_NO_LINK: Final = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
_TRIES: Final = 100


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Yields a fresh file beside `path` to write; when the block ends, it takes the place of `path` in one step.

    So `path` holds all of the new content or what it held before, also when the disk is full or the program is killed.
    A link at `path` is replaced, not followed. A device or a pipe, such as /dev/stdout, is written directly.

    Raises:
        OSError: it cannot be written; what the block raises comes through as well. The fresh file is gone then.
    """
    try:
        kind = path.stat().st_mode
    except OSError:
        kind = 0
    if kind and not stat.S_ISREG(kind):
        if stat.S_ISDIR(kind):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        yield path
        return
    # Short, as the name of `path` may already be as long as the file system allows; the ending tells libraries how.
    fresh = path.with_name(f".mien-{secrets.token_hex(8)}{path.suffix[:20]}")
    create_new(fresh).close()
    try:
        if kind:
            with suppress(OSError):
                fresh.chmod(stat.S_IMODE(kind))
        yield fresh
        sync(fresh)
        fresh.replace(path)
    except BaseException:
        with suppress(OSError):
            fresh.unlink(missing_ok=True)
        raise


def write_whole(path: Path, content: str | bytes) -> None:
    """Write `content` as `whole_file` does; text as UTF-8, in which what cannot be encoded becomes U+FFFD.

    Raises:
        OSError: it cannot be written.
    """
    with whole_file(path) as fresh, fresh.open("r+b" if fresh != path else "wb") as stream:
        stream.write(utf8(content) if isinstance(content, str) else content)


def utf8(text: str) -> bytes:
    """`text` in UTF-8. Half characters, which stand for the odd bytes of a file name, become U+FFFD."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").encode()


def create_new(path: Path) -> BinaryIO:
    """Create a file that does not exist yet and open it for writing, unbuffered.

    Raises:
        FileExistsError: something is there, be it a link that points nowhere.
        OSError: it cannot be created.
    """
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NO_LINK, 0o666), "wb", buffering=0)


def open_own(path: Path) -> BinaryIO:
    """Open a file for writing from its beginning, unbuffered, and create it where it is missing.

    Raises:
        OSError: it is a link, or cannot be written.
    """
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | _NO_LINK, 0o666), "wb", buffering=0)


def is_there(path: Path) -> bool:
    """Whether anything has that name, be it a link that points nowhere."""
    return os.path.lexists(path)


def rename_new(old: Path, new: Path) -> None:
    """Give `old` the name `new`, which nothing may have yet.

    Where that is interrupted, the file has both names for a moment, and none is lost.

    Raises:
        FileExistsError: something has that name already.
        OSError: it cannot be renamed.
    """
    if sys.platform == "win32":
        old.rename(new)  # refuses by itself
        return
    try:
        os.link(old, new, follow_symlinks=False)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        if is_there(new):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(new)) from None
        old.rename(new)
        return
    old.unlink()


def sync(path: Path) -> None:
    """Wait until the content of a file is on the disk, as far as the system can tell.

    Raises:
        OSError: it could not be written.
    """
    with path.open("rb+") as stream:
        os.fsync(stream.fileno())


class NameHeldError(Exception):
    """Another program holds one of the names; the message names it by its process id, where that is known."""


class NameLock:
    """Keeps names in a folder for this program, until `release` or the program's end, however that comes.

    Every program that asks here for one of these names is refused; nobody waits. A name stands for all files that
    belong together, whatever their endings. The lock is a hidden file in the folder, so that it holds for all users
    and, where the file system supports it, all machines that see the folder. A killed program leaves the hidden file,
    but not the lock.

    Args:
        folder: has to exist.
        names: without endings.

    Raises:
        NameHeldError: another program, or another part of this one, holds one of the names.
        OSError: the folder cannot be written to.
    """

    def __init__(self, folder: Path, *names: str) -> None:
        self._held: list[tuple[Path, int]] = []
        try:
            for name in dict.fromkeys(names):
                self._take(lock_file(folder, name))
        except BaseException:
            self.release()
            raise

    def release(self) -> None:
        """Let others have the names. Safe to call twice."""
        while self._held:
            path, handle = self._held.pop()
            if sys.platform == "win32":  # which removes no file that is open
                os.close(handle)
                with suppress(OSError):
                    path.unlink()
            else:
                with suppress(OSError):
                    path.unlink()
                os.close(handle)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.release()

    def _take(self, path: Path) -> None:
        for _ in range(_TRIES):
            handle = os.open(path, os.O_RDWR | os.O_CREAT | _NO_LINK, 0o666)
            try:
                if not _lock(handle):
                    number = os.read(handle, 20).decode(errors="replace").strip()
                    raise NameHeldError(
                        tr("process {number}", number=number) if number.isdigit() else tr("another program")
                    )
                if _is(path, handle):
                    os.ftruncate(handle, 0)
                    os.write(handle, f"{os.getpid()}\n".encode())
                    self._held.append((path, handle))
                    return
            except BaseException:
                os.close(handle)
                raise
            os.close(handle)  # its holder removed it just then
        raise NameHeldError(tr("another program"))


def lock_file(folder: Path, name: str) -> Path:
    """The hidden file that stands for `name`; of the same length for all names, however long."""
    return folder / f".mien-{hashlib.sha256(os.fsencode(os.path.normcase(name))).hexdigest()[:16]}.lock"


def _is(path: Path, handle: int) -> bool:
    """Whether the open file still has that name."""
    try:
        there = path.stat(follow_symlinks=False)
    except OSError:
        return False
    return os.path.samestat(there, os.fstat(handle))


if sys.platform == "win32":
    import msvcrt

    def _lock(handle: int) -> bool:
        os.lseek(handle, 1 << 20, os.SEEK_SET)  # the beginning stays readable for others
        try:
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        finally:
            os.lseek(handle, 0, os.SEEK_SET)
        return True

else:
    import fcntl

    def _lock(handle: int) -> bool:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:  # some network file systems know no locks
            return True
        return True
