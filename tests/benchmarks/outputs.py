"""What live outputs cost a session, and how near to the capture the stamps of Lab Streaming Layer are.

    python -m tests.benchmarks.outputs [--seconds 6] [--rounds 2] [--json FILE]

A session on moving portraits, in turn without outputs and with all of them: LSL, OSC by UDP, OSC by TCP to a peer that
takes nothing any more, MQTT to a broker that never answers, and where mosquitto is installed to one that does, a
WebSocket with a client that never reads, and a video stream to a server that never answers. Printed
are median and 95th percentile of the latency from capture to the finished scene, and of the distance between a sample's
stamp, as another process receives it, and the capture of its frame, both in milliseconds.
"""

from __future__ import annotations

import argparse
import socket
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from mien.app.embedded import chosen_bundle
from mien.engine.inference.downloads import resolve_detector
from mien.engine.live.session import LiveSession
from mien.engine.settings import Settings
from tests.benchmarks.measuring import write_json
from tests.live_sources import Reel, until
from tests.videos import portrait

RATE = 30


class _Captures:
    """When each frame was captured, by its index: `Reel` notes it here."""

    def __init__(self, reel: Reel) -> None:
        self.at: dict[int, float] = {}
        frames = reel.frames

        def noting(*arguments: object) -> object:
            for frame in frames(*arguments):  # type: ignore[arg-type]
                self.at[frame.index] = frame.captured_s
                yield frame

        reel.frames = noting  # type: ignore[method-assign, assignment]


def latency_ms(session: LiveSession, seconds: float) -> list[float]:
    """95th percentiles of the latency in milliseconds, each over three seconds."""
    found = []
    time.sleep(3.5)  # only then all that is counted is of this time
    ended = time.monotonic() + seconds
    while time.monotonic() < ended:
        now = session.status().latency_ms
        assert now is not None
        found.append(now[1])
        time.sleep(0.25)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=6.0)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--json", type=Path)
    chosen = parser.parse_args()
    from websockets.sync.client import connect

    from tests.engine.outputs.mosquitto import PROGRAM, Broker
    from tests.engine.outputs.test_lsl import NAME, Receiver

    settings = Settings(provider="cpu")
    bundle = chosen_bundle(None, None, "cpu", lambda line: print(line, file=sys.stderr))
    latency: dict[str, list[float]] = {"without outputs": [], "with all, four of them stuck": []}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        deaf = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(2)]
        udp = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        udp.bind(("127.0.0.1", 0))
        ports = [opened.getsockname()[1] for opened in (*deaf, udp)]
        targets = [
            ("lsl", ""), ("osc", f"127.0.0.1:{ports[2]}"), ("osc", f"127.0.0.1:{ports[0]},tcp"),
            ("mqtt", f"mqtt://127.0.0.1:{ports[1]}"),
        ]  # fmt: skip
        ws = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        web_port = ws.getsockname()[1]
        ws.close()
        targets += [("ws", str(web_port)), ("publish", f"rtmp://127.0.0.1:{ports[1]}/live")]
        if PROGRAM is not None:
            broker = stack.enter_context(Broker(folder))
            targets.append(("mqtt", f"mqtt://127.0.0.1:{broker.port}"))
        session = stack.enter_context(LiveSession(bundle, resolve_detector("short"), settings))
        until(lambda: session.status().model_state == "ready")
        reel = Reel(portrait(60), rate=RATE)
        captures = _Captures(reel)
        session.play(reel)  # type: ignore[arg-type]
        until(lambda: session.status().counts.predictions > 20)
        session.outputs.add("lsl", f"name={NAME}")
        until(lambda: session.outputs.status()[0].sent > 2)
        receiver = Receiver(2)
        receiver.wait()
        for _ in range(chosen.rounds):
            latency["without outputs"] += latency_ms(session, chosen.seconds)
            stages = [session.outputs.add(*target) for target in targets]
            (web,) = [stage for stage in stages if stage.name[0] == "ws"]
            stack.enter_context(connect(web.address().replace("http", "ws").replace("/?", "/ws?"), max_queue=1))
            latency["with all, four of them stuck"] += latency_ms(session, chosen.seconds)
            told = session.outputs.status()
            for stage in stages:
                session.outputs.remove(stage)
        dropped = session.status().dropped
        session.close_source()
        got = receiver.samples()
        receiver.end()
        import pylsl

        offset_s = pylsl.local_clock() - time.monotonic()
    (samples,) = [samples for name, samples in got.items() if "person" in name] or [[]]
    apart = [1000 * abs(stamp - offset_s - captures.at[int(values[0])]) for stamp, values in samples]
    results = {
        name: {"median_ms": float(np.median(found)), "p95_ms": float(np.percentile(found, 95))}
        for name, found in latency.items()
    }
    results["stamp against capture"] = {
        "median_ms": float(np.median(apart)), "p95_ms": float(np.percentile(apart, 95)), "samples": len(apart),
    }  # fmt: skip
    for name, found in results.items():
        print(f"{name:32}" + "  ".join(f"{key} {value:.3f}" for key, value in found.items()))
    for status in told:
        print(f"  {status.kind} {status.target}: {status.sent} sent, {status.dropped} dropped. {status.message}")
    print(f"frames that the session dropped: {dropped}")
    write_json(chosen.json, results)


main()
