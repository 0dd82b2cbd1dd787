"""Makes every fault of a network stream for real, with the settings that users have, and prints what happened.

    python tests/faults/network_faults.py [--reconnects 50]

Needs the packages of the RTSP server (see tests/rtsp.py). Takes about four minutes. Exits with 1 when a promise is
broken: live again within 3 s of the server's return; failed for good only where trying again cannot help; memory and
threads after many reconnects as after one; no password in anything that was printed or said.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import os
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import psutil

sys.path.insert(0, str(Path(__file__).parents[2]))

from mien.engine.sources.address import SourceAddress
from mien.engine.sources.base import LiveSettings
from mien.engine.sources.open import open_live
from mien.engine.types import SourceState
from tests.rtsp import RtspServer, camera_clip
from tests.viewer import Viewer

PASSWORD = "TOPSECRET-word"
LOGIN = f"admin:{PASSWORD}"
RETURN_S = 3.0

said: list[str] = []
broken: list[str] = []


def report(fault: str, what: str, *, kept: bool = True) -> None:
    print(f"{fault:<44} {what}{'' if kept else '   <-- BROKEN PROMISE'}", flush=True)
    if not kept:
        broken.append(fault)


def watch(url: str, settings: LiveSettings | None = None) -> Viewer:
    return Viewer(open_live(SourceAddress.parse(url), settings))


def listen(viewer: Viewer) -> None:
    said.extend([repr(viewer.conditions), repr(viewer.source.info), repr(vars(viewer.source)), repr(viewer.error)])


def check_times(viewer: Viewer, fault: str) -> str:
    """How true the times stayed to the wall over all connections."""
    shifts = sorted(frame.captured_s - frame.time_s for frame in viewer.seen)
    grows = all(after.pts > before.pts for before, after in pairwise(viewer.seen))
    if not grows:
        broken.append(f"{fault}: times do not grow")
    middle, edge = shifts[len(shifts) // 2], len(shifts) // 40
    off_s = max(middle - shifts[edge], shifts[-1 - edge] - middle)
    return f"95 % of all times within {off_s * 1000:.0f} ms of the wall"


def away(fault: str, server: RtspServer, leave: Callable[[], None], come: Callable[[], None], away_s: float) -> None:
    """The server goes and comes: how long until live again, and what the data say of the gap."""
    with watch(server.url(LOGIN)) as viewer:
        viewer.wait_pictures(50)
        count, left = len(viewer.seen), time.monotonic()
        leave()
        # The time that passes is the fault itself.
        viewer.wait(lambda _: time.monotonic() - left > away_s, away_s + 5)
        come()
        count = len(viewer.seen)
        back_s = viewer.wait_pictures(1, 30)
        viewer.wait_pictures(50)
        first = viewer.seen[count]
        states = " ".join(dict.fromkeys(viewer.states))
        report(
            fault,
            f"live {back_s:.2f} s after the return; gap_s {first.gap_s:.2f}, {viewer.source.condition.reconnects} "
            f"reconnects; sizes {viewer.sizes[count - 1]} {viewer.sizes[-1]}; {check_times(viewer, fault)}; {states}",
            kept=back_s < RETURN_S and first.gap_s > 0 and viewer.source.condition.state is SourceState.LIVE,
        )
    listen(viewer)


def refused(fault: str, url: str) -> None:
    with watch(url) as viewer:
        took_s = viewer.wait_end(10)
        condition = viewer.source.condition
        report(fault, f"{condition.state} after {took_s:.2f} s: {condition.message}", kept=condition.state == "failed")
    listen(viewer)


def hopeful(fault: str, url: str, for_s: float = 8.0) -> None:
    """What is no server: tried again and again, and `cancel` ends it quickly at any moment."""
    with watch(url) as viewer:
        began = time.monotonic()
        viewer.wait(lambda _: time.monotonic() - began > for_s, for_s + 5)
        tries = viewer.states.count(SourceState.RECONNECTING)
        condition = viewer.source.condition
        message = next((noted.message for noted in viewer.conditions if noted.retry_in_s is not None), "-")
        viewer.source.cancel()
        ends_s = viewer.wait_end(10)
        report(
            fault,
            f"{condition.state} after {for_s:g} s, {tries} changes; cancel ends it in {ends_s:.2f} s: {message}",
            kept=condition.state is not SourceState.FAILED
            and tries < for_s
            and ends_s < LiveSettings().open_timeout_s + 0.5,
        )
    listen(viewer)


def port_that_says(answer: bytes) -> int:
    listener = socket.create_server(("127.0.0.1", 0))
    peers = []

    def serve() -> None:
        while True:
            peer, _ = listener.accept()
            peers.append(peer)
            if answer:
                peer.recv(100)
                peer.sendall(answer)

    threading.Thread(target=serve, daemon=True).start()
    return int(listener.getsockname()[1])


def many(server: RtspServer, clip: Path, reconnects: int) -> None:
    """Memory and threads (those of native code, too) after one reconnect and after many."""
    process = psutil.Process()
    settings = LiveSettings(backoff_min_s=0.01, backoff_max_s=0.05)
    figures: dict[int, tuple[float, int, int]] = {}
    with watch(server.url(LOGIN), settings) as viewer:
        viewer.wait_pictures(5)
        for turn in range(1, reconnects + 1):
            server.kill()
            server.start(clip)
            viewer.wait(lambda viewer, turn=turn: viewer.source.condition.reconnects >= turn, 30)
            viewer.wait_pictures(5)
            if turn in (1, 10, reconnects // 2, reconnects):
                gc.collect()
                # What the allocator keeps for later differs from time to time by several MB: let it give that back.
                ctypes.CDLL(None).malloc_trim(0)
                figures[turn] = (process.memory_info().rss / 1e6, process.num_threads(), process.num_fds())
        for turn, (memory, threads, files) in figures.items():
            report(f"after {turn} reconnects", f"{memory:.1f} MB resident, {threads} threads, {files} open files")
    listen(viewer)
    first, last = figures[1], figures[reconnects]
    grown = last[0] - first[0]
    report(
        f"growth from 1 to {reconnects} reconnects",
        f"{grown:+.1f} MB, {last[1] - first[1]:+d} threads, {last[2] - first[2]:+d} files",
        kept=grown < 2 and last[1] <= first[1] and last[2] <= first[2],
    )


def run(folder: Path, reconnects: int) -> None:
    small, large = camera_clip(folder / "small"), camera_clip(folder / "large", width=640, height=360)
    noise = camera_clip(folder / "noise", seconds=8)
    for part in sorted(noise.glob("*.h264"))[25:]:
        part.write_bytes(b"\0\0\0\1\x1e" + os.urandom(300).replace(b"\0", b"\1"))
    with RtspServer(small, login=("admin", PASSWORD)) as server:
        many(server, small, reconnects)
        for pause in (1, 10, 40):
            away(f"killed, started after {pause} s", server, server.kill, lambda: server.start(small), pause)
        away("restarted with another size", server, server.kill, lambda: server.start(large), 2)
        for pause in (3, 10, 25):
            away(f"SIGSTOP for {pause} s, then SIGCONT", server, server.freeze, server.thaw, pause)
        refused("no login", server.url())
        refused("wrong password", server.url(f"admin:{PASSWORD}x"))
        refused("unknown path", server.url(LOGIN, "other"))
        port = server.port
    with socket.create_server(("127.0.0.1", 0)) as listener:
        closed = listener.getsockname()[1]
    hopeful("closed port", f"rtsp://{LOGIN}@127.0.0.1:{closed}/cam")
    hopeful("unreachable address", f"rtsp://{LOGIN}@192.0.2.1:{port}/cam")
    for scheme in ("rtsp", "rtmp", "http"):
        hopeful(f"half-open, {scheme}", f"{scheme}://{LOGIN}@127.0.0.1:{port_that_says(b'')}/cam")
        hopeful(f"garbage, {scheme}", f"{scheme}://{LOGIN}@127.0.0.1:{port_that_says(os.urandom(20_000))}/cam")
    with RtspServer(noise) as server:
        hopeful("garbage instead of H.264 after one second", server.url(LOGIN), 12)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--reconnects", type=int, default=50)
    arguments = parser.parse_args()
    # What native libraries write goes the same way as Python's own words, and is searched at the end.
    with tempfile.TemporaryDirectory() as name:
        log = Path(name) / "stderr"
        kept = os.dup(2)
        with log.open("wb") as file:
            os.dup2(file.fileno(), 2)
            try:
                run(Path(name), arguments.reconnects)
            finally:
                sys.stderr.flush()
                os.dup2(kept, 2)
        said.append(log.read_text(errors="replace"))
    found = [text for text in said if PASSWORD in text]
    report("passwords", f"in {len(found)} of {len(said)} texts, {sum(map(len, said))} characters", kept=not found)
    for fault in broken:
        print(f"broken: {fault}")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
