"""Recordings that ask for everything at once: pre-roll, clean copy, blur and audio, from a camera of 720p30.

    python -m tests.faults.pre_roll [--recordings 50] [--seconds 8] [--pre-roll 5] [--faces 2]

Needs the packages of the RTSP server (see tests/rtsp.py). Each recording begins as soon as the pre-roll is full, with
the view rendered at 1280x720. Counted are the frames of the camera that are missing between the first and the last of
a recording, by the CSV; those that the JSON calls dropped (the encoder or the disk lagged) and skipped (no faces were
looked for in them) must be the same. Ends with 1 where a frame was lost or the files disagree. The machine should have
nothing else to do; where it does, the load is printed beside each recording.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av

from mien.app.embedded import embedded_bundle
from mien.engine.drawing.view import ViewRequest
from mien.engine.inference.bundle import load_bundle
from mien.engine.inference.downloads import resolve_detector
from mien.engine.live.session import LiveSession
from mien.engine.recording.plan import RecordingPlan
from mien.engine.settings import Settings
from mien.engine.sources.address import SourceAddress
from tests.benchmarks.live import HEIGHT, WIDTH, images
from tests.live_sources import until
from tests.rtsp import RtspServer

STEP_MS = 33


def camera(folder: Path, faces: int) -> Path:
    """Four seconds of 720p with moving faces and a hum, for `RtspServer`."""
    folder.mkdir()
    with av.open(os.devnull, "w", format="h264") as out:
        options = {"g": "30", "bf": "0", "preset": "veryfast", "tune": "zerolatency"}
        stream: Any = out.add_stream("libx264", rate=30, options=options)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        frames = [av.VideoFrame.from_ndarray(image, format="rgb24") for image in images(faces)]
        packets = [packet for frame in [*frames, None] for packet in stream.encode(frame)]
    for index, packet in enumerate(packets):
        (folder / f"{index:05d}.h264").write_bytes(bytes(packet))
    (folder / "audio.alaw").write_bytes(bytes([0xAA] * 4 + [0x2A] * 4) * STEP_MS * len(packets))
    (folder / "ms").write_text(str(STEP_MS))
    return folder


@dataclass(frozen=True)
class Result:
    """One recording.

    Attributes:
        frames: in the CSV.
        lost: frames of the camera between its first and last that are not in the CSV.
        dropped, skipped: what the JSON says of them.
        pre_roll_s: how much of the recording lies before the key.
        finish_s: from the second press of the key to the finished files.
        trouble: what does not fit together.
    """

    frames: int
    lost: int
    dropped: int
    skipped: int
    pre_roll_s: float
    finish_s: float
    trouble: tuple[str, ...]


def record(session: LiveSession, folder: Path, name: str, given: argparse.Namespace) -> Result:
    """Record once."""
    session.keep_pre_roll(given.pre_roll)
    time.sleep(given.pre_roll + 0.3)
    scene = session.scene()
    assert scene is not None
    pressed_s = scene.frame.time_s
    session.record(RecordingPlan(folder, name, clean=True, privacy="blur", pre_roll_s=given.pre_roll))
    time.sleep(given.seconds)
    session.stop_recording()
    stopped = time.monotonic()
    until(lambda: (r := session.status().recording) is not None and r.state in ("done", "failed"), 600)
    finish_s = time.monotonic() - stopped
    status = session.status().recording
    assert status is not None
    trouble = [f"{status.state}: {status.message}"] if status.state != "done" or status.message else []
    counts = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))["counts"]
    with (folder / f"{name}.csv").open(encoding="utf-8", newline="") as stream:
        rows = [row for row in csv.DictReader(stream) if row["frame"]]
    indices = {int(row["frame"]) for row in rows}
    for video in (folder / f"{name}.mp4", folder / f"{name}_clean.mp4"):
        with av.open(str(video)) as opened:
            seen = sum(packet.size > 0 for packet in opened.demux(opened.streams.video[0]))
            if not opened.streams.audio:
                trouble.append(f"{video.name} has no audio")
        if seen != len(indices) + counts["frames_repeated"]:
            trouble.append(f"{video.name} holds {seen} frames")
    lost = max(indices) - min(indices) + 1 - len(indices)
    if counts["frames_dropped"] != status.dropped or lost != status.dropped + status.skipped:
        trouble.append(f"the counts disagree: {counts}, {status}")
    began_s = float(rows[0]["session_s"])
    for path in folder.iterdir():
        path.unlink()
    return Result(
        len(indices), lost, status.dropped, status.skipped, pressed_s - began_s, finish_s, tuple(trouble)
    )  # fmt: skip


def main() -> None:
    """Prints a line for each recording."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.pre_roll", description=__doc__)
    parser.add_argument("--recordings", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--pre-roll", type=float, default=5.0)
    parser.add_argument("--faces", type=int, default=2)
    given = parser.parse_args()
    bad = 0
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "recordings"
        folder.mkdir()
        bundle, detector = load_bundle(embedded_bundle()), resolve_detector("short")
        with (
            RtspServer(camera(Path(temporary) / "camera", given.faces)) as server,
            LiveSession(bundle, detector, Settings(provider="cpu")) as session,
        ):
            session.set_view(ViewRequest(WIDTH, HEIGHT, mirrored=True))
            session.open(SourceAddress.parse(server.url()))
            until(lambda: session.status().model_state == "ready" and session.status().source_fps > 25, 60)
            for number in range(1, given.recordings + 1):
                result = record(session, folder, f"take {number}", given)
                bad += bool(result.lost or result.trouble)
                print(
                    f"{number:3}  {result.frames:4} frames, {result.pre_roll_s:4.1f} s before the key; lost "
                    f"{result.lost:3} (dropped {result.dropped}, skipped {result.skipped}); finished in "
                    f"{result.finish_s:4.1f} s; load {os.getloadavg()[0]:.1f}  {'; '.join(result.trouble)}",
                    flush=True,
                )
    print(f"{given.recordings - bad} of {given.recordings} recordings are whole")
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    from mien.engine.system import detach_native_output

    detach_native_output()
    main()
