"""Hours on a camera, in short: a live session on a looping RTSP stream with a recording, and the books at the end.

    python tests/faults/long_run.py [--minutes 20] [--folder KEPT] [--every 60]

Needs the packages of the RTSP server (see tests/rtsp.py). The stream is the demo at 640x480 and 25 frames a second.
At the end every frame must be accounted for: captured = looked at + dropped; looked at while recording = written +
dropped by the recorder; frames in the MP4 = in the CSV = in the JSON. Latency and memory are printed as they go. Ends
with 1 when the books do not balance.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import av
import psutil

sys.path.insert(0, str(Path(__file__).parents[2]))

from mien.app.embedded import embedded_bundle
from mien.engine.drawing.view import ViewRequest
from mien.engine.inference.bundle import load_bundle
from mien.engine.inference.downloads import resolve_detector
from mien.engine.live.session import LiveSession
from mien.engine.live.status import LiveStatus
from mien.engine.recording.plan import RecordingPlan
from mien.engine.settings import Settings
from mien.engine.sources.address import SourceAddress
from mien.engine.sources.demo import RATE, DemoSource
from mien.engine.types import SourceState
from tests.rtsp import RtspServer


def demo_clip(folder: Path) -> Path:
    """The demo as a folder of H.264 access units, for `RtspServer`."""
    folder.mkdir()
    with DemoSource() as demo, av.open(str(folder.with_suffix(".h264")), "w", format="h264") as out:
        options = {"g": str(RATE), "bf": "0", "preset": "veryfast", "tune": "zerolatency"}
        stream: Any = out.add_stream("libx264", rate=RATE, options=options)
        stream.width, stream.height, stream.pix_fmt = demo.info.width, demo.info.height, "yuv420p"
        images = (av.VideoFrame.from_ndarray(frame.image, format="rgb24") for frame in demo.frames())
        packets = [packet for image in images for packet in stream.encode(image)] + stream.encode(None)
        for index, packet in enumerate(packets):
            (folder / f"{index:05d}.h264").write_bytes(bytes(packet))
            out.mux(packet)
    return folder


def wait_for(what: str, condition: Any, seconds: float) -> None:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise SystemExit(f"waited {seconds:.0f} s in vain for {what}")
        time.sleep(0.05)


def line(status: LiveStatus, began: float, memory: float) -> str:
    low, high = status.latency_ms or (0.0, 0.0)
    frames = 0 if status.recording is None else status.recording.frames
    return (
        f"{time.monotonic() - began:7.0f} s  {status.source_fps:5.1f} fps  latency {low:5.1f} / {high:5.1f} ms  "
        f"recorded {frames:6}  dropped {status.dropped:4}  {memory:6.1f} MB"
    )


def count_frames(mp4: Path) -> int:
    with av.open(str(mp4)) as container:
        return sum(packet.size > 0 for packet in container.demux(container.streams.video[0]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--every", type=float, default=60, help="seconds between two lines")
    parser.add_argument("--folder", type=Path, help="keep the recording here")
    given = parser.parse_args()
    me = psutil.Process()
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.folder or Path(temporary)
        server = RtspServer(demo_clip(Path(temporary) / "clip"))
        bundle, detector = load_bundle(embedded_bundle()), resolve_detector("short")
        with LiveSession(bundle, detector, Settings(provider="cpu")) as session:
            session.set_view(ViewRequest(640, 480))
            session.open(SourceAddress.parse(f"rtsp://127.0.0.1:{server.port}/cam"))
            wait_for("the model", lambda: session.status().model_state == "ready", 60)
            wait_for("images", lambda: session.status().counts.tracked > 50, 60)
            dropped_before = session.status().counts.dropped
            session.record(RecordingPlan(folder, "long {time}"))
            began = time.monotonic()
            while time.monotonic() - began < given.minutes * 60:
                time.sleep(min(given.every, given.minutes * 60))
                print(line(session.status(), began, me.memory_info().rss / 1e6), flush=True)
            session.stop_recording()
            wait_for("the recording's end", lambda: session.status().recording.state in ("done", "failed"), 120)  # type: ignore[union-attr]
            session.close_source()
            time.sleep(1)
            status = session.status()
        server.kill()
        recording, counts = status.recording, status.counts
        assert recording is not None
        print(f"recording: {recording.state} {recording.message}")
        mp4 = next(file for file in recording.files if file.suffix == ".mp4")
        about = json.loads(mp4.with_suffix(".json").read_text(encoding="utf-8"))
        with mp4.with_suffix(".csv").open(encoding="utf-8", newline="") as stream:
            rows = list(csv.DictReader(stream))
        of_frames = [row for row in rows if row["status"] not in ("marker", "gap")]
        in_csv = len({row["frame"] for row in of_frames})
        in_mp4 = count_frames(mp4)
        books = {
            "captured = looked at + dropped": (counts.captured, counts.tracked + counts.dropped),
            "frames in MP4 = in CSV": (in_mp4, in_csv),
            "frames in MP4 = in JSON": (in_mp4, about["counts"]["frames_written"]),
            "indices in CSV, first to last = frames + dropped": (
                int(of_frames[-1]["frame"]) - int(of_frames[0]["frame"]) + 1,
                in_csv + about["counts"]["frames_dropped"] + counts.dropped - dropped_before,
            ),
        }
        broken = 0
        for name, (left, right) in books.items():
            print(f"{name:50}{left:8} {right:8}  {'' if left == right else '<-- DOES NOT BALANCE'}")
            broken += left != right
        print(f"source {SourceState(status.condition.state) if status.condition else 'left'}; {len(rows)} rows")
    if broken:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
