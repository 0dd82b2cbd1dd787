"""An hour of scenes at eight times the speed: as many samples come out as scenes went in, and memory stays flat.

    python -m tests.faults.outputs_long [--minutes 60] [--speed 8]

Two people, one of whom comes and goes, at 30 frames a second of the source, into Lab Streaming Layer, OSC and JSON
lines, each through the stage that a session uses. Another process pulls the samples and counts them. Prints a line a
minute of the source, and exits with 1 where another number comes out than was sent, or a scene is neither sent nor
counted as dropped (which a busy machine may do), or memory grew by more than 20 MiB after the first tenth.
"""

from __future__ import annotations

import argparse
import os
import socket
import sys
import tempfile
import threading
import time
from pathlib import Path

from mien.engine.outputs.stage import OutputStage
from tests.engine.outputs.scenes import live, prediction
from tests.engine.outputs.test_lsl import NAME, Receiver

RATE = 30
_MOST_GROWTH_MIB = 20.0


def rss_mib() -> float:
    """Memory of this process that is in RAM, in MiB."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--speed", type=float, default=8.0)
    chosen = parser.parse_args()
    happy = prediction(0.9, 0.05, 0.05)
    count = round(chosen.minutes * 60 * RATE)
    got = 0
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.bind(("127.0.0.1", 0))
        udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)

        def count_packets() -> None:
            nonlocal got
            while packet := udp.recv(65536):
                got += b"/mien/frame" in packet

        threading.Thread(target=count_packets, daemon=True).start()
        places = {
            "lsl": f"people=2,name={NAME}",
            "osc": f"127.0.0.1:{udp.getsockname()[1]}",
            "json": f"{folder}/lines.jsonl",
        }
        stages = {kind: OutputStage(kind, target) for kind, target in places.items()}
        receiver: Receiver | None = None
        memory: list[float] = []
        began = time.monotonic()
        for number in range(count + 1):
            if number == 1:  # the first scene opens the streams
                receiver = Receiver(3, 5.0)
                receiver.wait()
                began = time.monotonic()
            seen = {1: happy, 2 + number // 9000: happy} if number // 1800 % 2 else {1: happy}
            scene = live(number, seen)
            for stage in stages.values():
                stage.offer(scene)
            if number % 1800 == 1799:
                memory.append(rss_mib())
                print(f"{number / 1800:5.1f} min  {memory[-1]:7.1f} MiB", flush=True)
            time.sleep(max(0.0, began + number / RATE / chosen.speed - time.monotonic()))
        assert receiver is not None
        samples = receiver.samples()
        receiver.end()
        told = {kind: stage.status() for kind, stage in stages.items()}
        for stage in stages.values():
            stage.close()
        udp.sendto(b"", udp.getsockname())
        lines = Path(places["json"]).read_text(encoding="utf-8").count("\n")
    pulled = {name: len(values) for name, values in samples.items()}
    status = told["lsl"]
    print(f"scenes {count}; lsl: {status.sent - 1} sent, {status.dropped} dropped, pulled {pulled}")
    print(f"osc: {told['osc'].sent} sent, {got} received; json: {lines} lines")
    early = memory[len(memory) // 10] if memory else 0.0
    grown = max(memory, default=0.0) - early
    print(f"memory grew by {grown:.1f} MiB after the first tenth")
    equal = all(one.sent + one.dropped == count + 1 for one in told.values())
    equal &= pulled[f"{NAME} person 1"] == pulled[f"{NAME} person 2"] == status.sent - 1 and lines == told["json"].sent
    sys.exit(0 if equal and grown < _MOST_GROWTH_MIB else 1)


if __name__ == "__main__":
    main()
