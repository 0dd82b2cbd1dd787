"""Hours on a camera, in short: a live session on a looping RTSP stream with a recording, and the books at the end.

    python tests/faults/long_run.py [--minutes 20] [--folder KEPT] [--every 60]

Needs the packages of the RTSP server (see tests/rtsp.py). The stream has audio and 960x540 pixels at 25 frames a
second, in which five faces come and go in turn. At the end every frame must be accounted for: captured = looked at +
dropped; from the first to the last frame recorded = written + dropped by the recorder + never looked at; frames in the
MP4 = in the CSV + those that bridge an outage. Latency and memory are printed as they go. Memory at the end may be at
most 10 MB more than after the first ten minutes (medians of five lines). Ends with 1 when anything does not balance.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import psutil

sys.path.insert(0, str(Path(__file__).parents[2]))

from mien.app.embedded import embedded_bundle
from mien.engine.drawing.view import ViewRequest
from mien.engine.inference.bundle import load_bundle
from mien.engine.inference.downloads import resolve_detector
from mien.engine.live.session import LiveSession
from mien.engine.recording.plan import RecordingPlan
from mien.engine.settings import Settings
from mien.engine.sources.address import SourceAddress
from mien.engine.sources.demo import RATE, DemoSource
from mien.engine.types import SourceState
from tests.rtsp import RtspServer

SECONDS = 24  # of the clip; each face is there for ten of them, and for a moment there is none
PLACES = ((0, 30), (320, 0), (640, 30), (160, 290), (480, 290))


def crowd_clip(folder: Path) -> Path:
    """Five faces that come and go, with a hum, as a folder of H.264 access units and A-law for `RtspServer`."""
    folder.mkdir()
    with DemoSource() as demo:
        portraits = [
            cv2.resize(demo.image(at / RATE), (320, 240), interpolation=cv2.INTER_AREA) for at in range(12 * RATE)
        ]
    with av.open(os.devnull, "w", format="h264") as out:
        options = {"g": str(RATE), "bf": "0", "preset": "veryfast", "tune": "zerolatency"}
        stream: Any = out.add_stream("libx264", rate=RATE, options=options)
        stream.width, stream.height, stream.pix_fmt = 960, 540, "yuv420p"

        def encoded() -> Iterator[Any]:
            for at in range(SECONDS * RATE):
                image = np.full((540, 960, 3), 90, np.uint8)
                for number, (x, y) in enumerate(PLACES):
                    if 3 * number <= at / RATE < 3 * number + 10:
                        image[y : y + 240, x : x + 320] = portraits[(at + 41 * number) % len(portraits)]
                yield from stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24"))
            yield from stream.encode(None)

        count = 0
        for count, packet in enumerate(encoded(), start=1):
            (folder / f"{count:05d}.h264").write_bytes(bytes(packet))
    (folder / "audio.alaw").write_bytes(bytes([0xAA] * 4 + [0x2A] * 4) * 40 * count)
    return folder


def wait_for(what: str, condition: Any, seconds: float) -> None:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise SystemExit(f"waited {seconds:.0f} s in vain for {what}")
        time.sleep(0.05)


def line(session: LiveSession, began: float, memory: float) -> str:
    status = session.status()
    low, high = status.latency_ms or (0.0, 0.0)
    frames = 0 if status.recording is None else status.recording.frames
    return (
        f"{time.monotonic() - began:7.0f} s  {status.source_fps:5.1f} fps  latency {low:5.1f} / {high:5.1f} ms  "
        f"recorded {frames:6}  dropped {status.dropped:4}  waiting {session.queued:4}  {memory:6.1f} MB"
    )


def count_frames(mp4: Path) -> int:
    with av.open(str(mp4)) as container:
        return sum(packet.size > 0 for packet in container.demux(container.streams.video[0]))


def grew_little(memory: list[tuple[float, float]]) -> bool:
    """Whether memory at the end is within 10 MB of that after ten minutes; too short a run proves nothing."""
    first = [used for at, used in memory if at >= 600][:5]
    if len(first) < 5 or len(memory) < 15:
        print("memory: too short a run to tell")
        return True
    before, after = statistics.median(first), statistics.median(used for _, used in memory[-5:])
    print(f"memory: {before:.1f} MB after ten minutes, {after:.1f} MB at the end ({after - before:+.1f} MB)")
    return after - before <= 10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--every", type=float, default=60, help="seconds between two lines")
    parser.add_argument("--folder", type=Path, help="keep the recording here")
    given = parser.parse_args()
    me = psutil.Process()
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.folder or Path(temporary)
        server = RtspServer(crowd_clip(Path(temporary) / "clip"))
        bundle, detector = load_bundle(embedded_bundle()), resolve_detector("short")
        with LiveSession(bundle, detector, Settings(provider="cpu")) as session:
            session.set_view(ViewRequest(960, 540))
            session.open(SourceAddress.parse(f"rtsp://127.0.0.1:{server.port}/cam"))
            wait_for("the model", lambda: session.status().model_state == "ready", 60)
            wait_for("images", lambda: session.status().counts.tracked > 50, 60)
            session.record(RecordingPlan(folder, "long {time}"))
            began = time.monotonic()
            memory: list[tuple[float, float]] = []  # seconds since the beginning, MB
            while (passed := time.monotonic() - began) < given.minutes * 60:
                time.sleep(min(given.every, given.minutes * 60 - passed))
                memory.append((time.monotonic() - began, me.memory_info().rss / 1e6))
                print(line(session, began, memory[-1][1]), flush=True)
            session.stop_recording()
            wait_for("the recording's end", lambda: session.status().recording.state in ("done", "failed"), 1800)  # type: ignore[union-attr]
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
        told = about["counts"]
        books = {
            "captured = looked at + dropped": (counts.captured, counts.tracked + counts.dropped),
            "frames in MP4 = in CSV + bridging": (in_mp4, in_csv + told["frames_repeated"]),
            "frames in CSV = in JSON": (in_csv, told["frames_written"]),
            "dropped in JSON = in status": (told["frames_dropped"], recording.dropped),
            "first to last = in CSV + dropped + skipped": (
                int(of_frames[-1]["frame"]) - int(of_frames[0]["frame"]) + 1,
                in_csv + told["frames_dropped"] + told["frames_skipped"],
            ),
        }
        broken = 0
        for name, (left, right) in books.items():
            print(f"{name:50}{left:8} {right:8}  {'' if left == right else '<-- DOES NOT BALANCE'}")
            broken += left != right
        people = len({row["track_id"] for row in of_frames if row["track_id"]})
        print(f"{people} faces came and went; dropped {told['frames_dropped']}, skipped {told['frames_skipped']}")
        with av.open(str(mp4)) as container:
            audio = container.streams.audio[0]
            heard_s = float((audio.duration or 0) * (audio.time_base or 0))
        print(f"audio of {heard_s:.1f} s in a recording of {about['duration_s']:.1f} s")
        broken += not grew_little(memory)
        print(f"source {SourceState(status.condition.state) if status.condition else 'left'}; {len(rows)} rows")
    if broken:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
