"""One arena for all threads, as glibc itself tells it."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

COUNT_ARENAS = """
import ctypes, sys, threading
from mien.engine.system import share_one_arena

if sys.argv[1] == "shared":
    print(share_one_arena())
libc = ctypes.CDLL(None)
libc.malloc.restype = libc.fopen.restype = ctypes.c_void_p
together = threading.Barrier(5)

def allocate():
    libc.malloc(ctypes.c_size_t(10_000))
    together.wait()

for _ in range(4):
    threading.Thread(target=allocate).start()
together.wait()
stream = ctypes.c_void_p(libc.fopen(sys.argv[2].encode(), b"w"))
libc.malloc_info(0, stream)
libc.fclose(stream)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc has arenas")
@pytest.mark.parametrize("how", ["shared", "default"])
def test_threads_share_one_arena(tmp_path: Path, how: str) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "MALLOC_ARENA_MAX"}
    told = tmp_path / "malloc.xml"
    done = subprocess.run(
        [sys.executable, "-c", COUNT_ARENAS, how, str(told)],
        env=environment,
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    arenas = told.read_text().count("<heap nr=")
    assert (arenas == 1) if how == "shared" else (arenas > 1)
    assert done.stdout.strip() == ("True" if how == "shared" else "")


FILL_AND_FREE = """
import os
import psutil
from mien.engine.system import give_back_memory, share_one_arena

share_one_arena()
me = psutil.Process()
before = me.memory_info().rss
waiting = [os.urandom(60_000) for _ in range(3000)]
kept = waiting[::100]
del waiting
freed = me.memory_info().rss
print(give_back_memory(), freed - before, me.memory_info().rss - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc keeps it")
def test_memory_between_what_is_still_used_is_given_back() -> None:
    done = subprocess.run(
        [sys.executable, "-c", FILL_AND_FREE],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    told, freed, after = done.stdout.split()
    assert told == "True"
    assert int(freed) > 150e6
    assert int(after) < 30e6
