"""Files appear whole or not at all, links that were planted are not followed, and names are locked."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from mien.engine.disk import (
    NameHeldError,
    NameLock,
    create_new,
    lock_file,
    open_own,
    rename_new,
    utf8,
    whole_file,
    write_whole,
)

ROOT = Path(__file__).parents[2]
posix = pytest.mark.skipif(sys.platform == "win32", reason="links and signals of POSIX")


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_replaced_whole_or_left_as_it_was(tmp_path: Path) -> None:
    file = tmp_path / "data.json"
    write_whole(file, "old")
    file.chmod(0o600)
    with pytest.raises(ZeroDivisionError), whole_file(file) as fresh:
        fresh.write_text("half")
        assert fresh.suffix == ".json"
        raise ZeroDivisionError
    assert file.read_text() == "old"
    write_whole(file, b"new")
    assert file.read_bytes() == b"new"
    assert sys.platform == "win32" or stat.S_IMODE(file.stat().st_mode) == 0o600
    assert names(tmp_path) == ["data.json"]


def test_names_as_long_as_the_file_system_allows(tmp_path: Path) -> None:
    file = tmp_path / ("n" * 250 + ".json")
    write_whole(file, "x")
    with NameLock(tmp_path, "n" * 250):
        assert len(names(tmp_path)) == 2
    assert names(tmp_path) == [file.name]


def test_half_characters_of_odd_file_names_are_replaced() -> None:
    assert utf8("aé\udcff😀") == "aé\ufffd😀".encode()


@posix
def test_a_full_device_is_an_error_and_stays_a_device() -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("this system has no /dev/full")
    with pytest.raises(OSError, match="No space left"):
        write_whole(full, "x" * 10_000)
    assert stat.S_ISCHR(full.stat().st_mode)


@posix
def test_planted_links_are_not_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    link, nowhere = tmp_path / "link", tmp_path / "nowhere"
    link.symlink_to(victim)
    nowhere.symlink_to(tmp_path / "made")
    for path in (link, nowhere):
        with pytest.raises(FileExistsError):
            create_new(path)
        with pytest.raises(OSError):
            open_own(path)
    other = tmp_path / "other"
    other.write_text("other")
    with pytest.raises(FileExistsError):
        rename_new(other, nowhere)
    write_whole(link, "replaced")
    assert not link.is_symlink() and link.read_text() == "replaced"
    assert victim.read_text() == "precious" and other.read_text() == "other"
    assert not (tmp_path / "made").exists()


def test_renaming_never_replaces(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    old.write_text("old")
    new.write_text("new")
    with pytest.raises(FileExistsError):
        rename_new(old, new)
    assert (old.read_text(), new.read_text()) == ("old", "new")
    new.unlink()
    rename_new(old, new)
    assert names(tmp_path) == ["new"]


@posix
def test_renaming_where_there_are_no_hard_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **kwargs: object) -> None:
        raise PermissionError("no hard links here")

    monkeypatch.setattr(os, "link", refuse)
    test_renaming_never_replaces(tmp_path)


def test_a_name_is_held_once(tmp_path: Path) -> None:
    with NameLock(tmp_path, "a", "a_clean"):
        for name in ("a", "a_clean"):
            with pytest.raises(NameHeldError, match=f"process {os.getpid()}"):
                NameLock(tmp_path, "b", name)
        NameLock(tmp_path, "b").release()
    lock = NameLock(tmp_path, "a")
    lock.release()
    lock.release()
    assert names(tmp_path) == []


@posix
def test_a_killed_program_holds_nothing(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from mien.engine.disk import NameLock\n"
        "lock = NameLock(Path(sys.argv[1]), 'a'); print('held', flush=True); time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None and child.stdout.readline() == "held\n"
        with pytest.raises(NameHeldError, match=f"process {child.pid}"):
            NameLock(tmp_path, "a")
        child.send_signal(signal.SIGKILL)
    assert names(tmp_path) == [lock_file(tmp_path, "a").name]  # the file is left, the lock is not
    NameLock(tmp_path, "a").release()
    assert names(tmp_path) == []


@posix
def test_a_link_where_the_lock_should_be_is_refused(tmp_path: Path) -> None:
    lock_file(tmp_path, "a").symlink_to(tmp_path / "made")
    with pytest.raises(OSError):
        NameLock(tmp_path, "a")
    assert not (tmp_path / "made").exists()
