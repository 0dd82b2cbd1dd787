"""Many cameras in one process: what each costs, and whether all are served.

    python -m tests.benchmarks.cameras [--watched 16] [--recorded 8] [--rate 15] [--seconds 60] [--json FILE]

Each camera is a connection of its own to a real RTSP server (1280x720, `--rate` frames a second, H.264 High at 133
kbit a frame, one face) in a process apart, so that only Mien's own work is counted. Where the server's packages are
missing, the same film is played as a file. Watched and recorded are measured one after the other, each in a fresh
process: cores by processor time of all threads, which other programs change little; latency from capture to finished
scene, which they do change.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import numpy as np

from tests.benchmarks.measuring import write_json

RATE = 15
_FRAME_BITS = 2_000_000 // RATE
SIZE = 1280, 720
_WARM_UP_S = 8.0  # until models are loaded, connections stand and windows are full
_MODES = ("watched", "recorded")


def clip(path: Path, seconds: int = 4, rate: int = RATE) -> Path:
    """A film with one face and a keyframe a second: a folder of access units for the server, or an MP4."""
    import av

    from tests.benchmarks.live import images

    mp4 = path.suffix == ".mp4"
    if not mp4:
        path.mkdir()
        (path / "ms").write_text(str(round(1000 / rate)))
    frames = [av.VideoFrame.from_ndarray(image, format="rgb24") for image in images(1)[:: 30 // rate]]
    options = {"g": str(rate), "bf": "0", "preset": "veryfast", "x264-params": "sliced-threads=0:rc-lookahead=0"}
    with av.open(str(path) if mp4 else os.devnull, "w", format="mp4" if mp4 else "h264") as out:
        stream: Any = out.add_stream("libx264", rate=rate, options=options)
        stream.width, stream.height = SIZE
        stream.pix_fmt, stream.bit_rate = "yuv420p", _FRAME_BITS * rate
        number = 0
        for index in range(seconds * rate + 1):
            frame = frames[index % len(frames)] if index < seconds * rate else None
            if frame is not None:
                frame.pts = index
            for packet in stream.encode(frame):
                if not mp4:
                    (path / f"{number:05d}.h264").write_bytes(bytes(packet))
                    number += 1
                out.mux(packet)
    return path


def thread_seconds() -> dict[str, float]:
    """Processor time so far of this process's threads by what they do, where the system tells; those of libraries, such
    as decoders, encoders and MediaPipe's, as "libraries".
    """
    tick = os.sysconf("SC_CLK_TCK")
    named = {thread.native_id: thread.name.removeprefix("mien-").partition("-")[0] for thread in threading.enumerate()}
    found: Counter[str] = Counter()
    for task in Path("/proc/self/task").glob("*"):
        with suppress(OSError):  # it has ended meanwhile
            used = (task / "stat").read_text().rpartition(")")[2].split()[11:13]
            found[named.get(int(task.name), "libraries")] += sum(map(int, used)) / tick
    return dict(found)


def measure(mode: str, count: int, seconds: float, place: str, record: Path) -> dict[str, Any]:
    """Watch `place` as `count` cameras and collect what they say."""
    from mien.app.embedded import embedded_bundle
    from mien.engine.inference.bundle import load_bundle
    from mien.engine.inference.downloads import resolve_detector
    from mien.engine.live.cameras.group import Camera, LiveCameras
    from mien.engine.live.cameras.report import session_report
    from mien.engine.recording.plan import RecordingPlan
    from mien.engine.settings import Settings
    from mien.engine.sources.address import SourceAddress
    from tests.benchmarks.live import rss_mib

    bundle, detector, settings = load_bundle(embedded_bundle()), resolve_detector("auto"), Settings()
    plan = RecordingPlan(record, "{source} {time}") if mode == "recorded" else None
    cameras = [
        Camera(SourceAddress.parse(place, name=f"camera {number}"), bundle, detector, settings, plan=plan)
        for number in range(1, count + 1)
    ]
    latency: list[list[float]] = []
    memory: list[float] = []
    with LiveCameras(cameras) as watched:
        deadline = time.monotonic() + 120
        while any(session.status().model_state == "loading" for session in watched.sessions.values()):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        watched.open()
        time.sleep(_WARM_UP_S)
        before = {name: session_report(session) for name, session in watched.sessions.items()}
        began, used, by_thread = time.monotonic(), time.process_time(), thread_seconds()
        while time.monotonic() - began < seconds:
            time.sleep(2.0)
            told = [session_report(session) for session in watched.sessions.values()]
            latency.append([one["latency_ms"][1] for one in told if one["latency_ms"]])
            memory.append(rss_mib())
        took, used = time.monotonic() - began, time.process_time() - used
        by_thread = {name: value - by_thread.get(name, 0.0) for name, value in thread_seconds().items()}
        after = {name: session_report(session) for name, session in watched.sessions.items()}
        networks = watched.networks
    recorded_s = sum(one["recording"]["seconds"] for one in after.values() if one["recording"])
    written = sum(file.stat().st_size for file in record.iterdir())

    def gained(key: str) -> list[float]:
        return [after[name][key] - before[name][key] for name in after]

    recorded = [one["recording"]["dropped"] for one in after.values() if one["recording"]]
    third = max(1, len(memory) // 3)
    return {
        "mode": mode,
        "cameras": count,
        "seconds": round(took, 1),
        "models_loaded": networks,
        "all_live": all(one["state"] == "live" for one in after.values()),
        "faces": sum(one["faces"] for one in after.values()),
        "cores_in_all": round(used / took, 3),
        "cores_per_camera": round(used / took / count, 4),
        "cores_per_camera_by_thread": {
            name: round(value / took / count, 4) for name, value in sorted(by_thread.items()) if value > 0.01 * used
        },
        "processor_ms_per_frame_looked_at": round(used * 1000 / max(1.0, sum(gained("frames"))), 2),
        "frames_per_second_least": round(min(gained("frames")) / took, 2),
        "frames_dropped": int(sum(gained("dropped"))),
        "recording_dropped": int(sum(recorded)),
        "recording_mbit_per_second": round(written * 8e-6 / recorded_s, 2) if recorded_s else None,
        "predictions_per_second_and_face": round(float(np.mean(gained("predictions"))) / took, 2),
        "predictions_per_second_and_face_least": round(min(gained("predictions")) / took, 2),
        "predictions_dropped": int(sum(gained("predictions_dropped"))),
        "latency_p95_ms": round(float(np.median(np.concatenate(latency))), 1),
        "latency_p95_worst_ms": round(float(np.max(np.concatenate(latency))), 1),
        "rss_mib": round(max(memory), 1),
        "rss_growth_mib": round(float(np.mean(memory[-third:]) - np.mean(memory[:third])), 1),
    }


def main() -> None:
    """Prints a table for each mode, and the load of the machine before and after it."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.cameras", description=__doc__)
    parser.add_argument("--watched", type=int, default=16)
    parser.add_argument("--recorded", type=int, default=8)
    parser.add_argument("--rate", type=int, choices=(5, 15, 30), default=RATE)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--json", type=Path, help="write the figures here")
    parser.add_argument("--mode", choices=_MODES, help=argparse.SUPPRESS)  # in a process of its own
    parser.add_argument("--place", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.mode:
        with tempfile.TemporaryDirectory() as folder:
            count = given.watched if given.mode == "watched" else given.recorded
            print(json.dumps(measure(given.mode, count, given.seconds, given.place, Path(folder))))
        return
    from tests.rtsp import RtspServer, missing_rtsp_server

    results: dict[str, Any] = {"cores": os.cpu_count(), "modes": []}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        if missing := missing_rtsp_server():
            print(f"no RTSP: {missing}")
            place = str(clip(folder / "clip.mp4", round(given.seconds) + 60, given.rate))
        else:
            place = stack.enter_context(RtspServer(clip(folder / "clip", rate=given.rate))).url()
        for mode in _MODES:
            if not (given.watched if mode == "watched" else given.recorded):
                continue
            load = os.getloadavg()[0]
            command = [sys.executable, "-m", "tests.benchmarks.cameras", "--mode", mode, "--place", place]
            command += ["--seconds", str(given.seconds), "--watched", str(given.watched)]
            done = subprocess.run(
                [*command, "--recorded", str(given.recorded)], stdout=subprocess.PIPE, text=True, check=True
            )
            found = json.loads(done.stdout.splitlines()[-1])
            found |= {"load_before": round(load, 2), "load_after": round(os.getloadavg()[0], 2)}
            results["modes"].append(found)
            for name, value in found.items():
                print(f"{name:40} {value}", flush=True)
            print(flush=True)
    write_json(given.json, results)


if __name__ == "__main__":
    from mien.engine.system import detach_native_output

    detach_native_output()
    main()
