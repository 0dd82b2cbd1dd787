"""What `devices` runs inside its machine: cameras and a virtual camera that a real kernel gives.

Prints a line for each thing that was tried, "works" or "FAILED" with the reason, and leaves pictures in the folder
that it is given.
"""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import av
import cv2
import numpy as np

from mien.engine.faces.detection import open_detector
from mien.engine.inference.downloads import resolve_detector
from mien.engine.sources.camera import list_cameras

MIEN = [sys.executable, "-m", "mien"]
LOOPBACK = "/dev/video10"
MODULES = {
    "v4l2loopback": ["video_nr=10", "exclusive_caps=1", "card_label=Mien"],
    # One webcam, which only captures.
    "vivid": ["n_devs=1", "node_types=0x1", "num_inputs=1", "input_types=0x00", "vid_cap_nr=0"],
}
_PATIENCE_S = 600.0  # an emulated machine is some thirty times slower
_FAILED: list[str] = []


def tried(what: str, run: Callable[[], str]) -> None:
    """Run one of the trials, and say how it went."""
    began = time.monotonic()
    try:
        result = f"works: {run()}"
    except Exception as error:
        _FAILED.append(what)
        result = f"FAILED: {type(error).__name__}: {error}"
    print(f"{what}: {result} ({time.monotonic() - began:.0f} s)", flush=True)


def until(ready: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while not ready():
        if time.monotonic() > deadline:
            raise TimeoutError(what)
        time.sleep(0.5)


class Watching:
    """`mien watch` with these arguments, beside what is tried; ended with Ctrl-C."""

    def __init__(self, *arguments: str, log: Path) -> None:
        self.log = log
        self._file = log.open("w")
        self._process = subprocess.Popen([*MIEN, "watch", *arguments], stdout=self._file, stderr=subprocess.STDOUT)

    @property
    def said(self) -> str:
        return self.log.read_text()

    def running(self) -> bool:
        return self._process.poll() is None

    def end(self) -> None:
        if self.running():
            self._process.send_signal(signal.SIGINT)
        code = self._process.wait(_PATIENCE_S)
        self._file.close()
        assert code in (0, 130), f"ended with {code}: {self.said[-300:]}"
        assert "Traceback" not in self.said

    def __enter__(self) -> Watching:
        return self

    def __exit__(self, *_: object) -> None:
        if self.running():
            self._process.kill()


def listed() -> str:
    names = [camera.name for camera in list_cameras()]
    assert names, "no camera is listed"
    return ", ".join(names)


def virtual_camera(pictures: Path) -> str:
    """Mien writes, and three others read: OpenCV, FFmpeg, and a second Mien that records what it sees."""
    with Watching("demo", "--virtualcam", LOOPBACK, log=pictures / "writer.log") as writer:
        frames: list[np.ndarray] = []

        def readable() -> bool:
            assert writer.running(), writer.said[-500:]
            reader = cv2.VideoCapture(LOOPBACK, cv2.CAP_V4L2)
            try:
                there, _ = reader.read() if reader.isOpened() else (False, None)
                if not there:
                    return False
                began = time.monotonic()
                while len(frames) < 4 and time.monotonic() - began < 120:
                    there, image = reader.read()
                    if there and (not frames or (image != frames[-1]).any()):
                        frames.append(image.copy())
                return len(frames) == 4
            finally:
                reader.release()

        until(readable, "no pictures came through the virtual camera")
        for number, image in enumerate(frames):
            cv2.imwrite(str(pictures / f"virtual-camera-{number}.png"), image)
        with av.open(LOOPBACK, format="v4l2") as container:
            other = next(container.decode(video=0)).to_ndarray(format="bgr24")
        assert other.shape == frames[0].shape, f"FFmpeg reads {other.shape}"
        detector = open_detector(resolve_detector("auto"))
        faces = [len(detector.detect(cv2.cvtColor(image, cv2.COLOR_BGR2RGB))) for image in frames]
        assert min(faces) >= 1, f"faces in what came through: {faces}"
        height, width = frames[0].shape[:2]
        folder = pictures / "seen"
        with Watching(f"camera:{LOOPBACK}", "--record", str(folder), "--clean", log=pictures / "reader.log") as reader:
            until(lambda: any(folder.glob("*.csv")) and _rows(folder) >= 3, f"no rows: {reader.said[-300:]}")
            reader.end()
        recorded = _frames(folder)
        assert recorded >= 3, f"{recorded} frames recorded"
        labels = {row["label"] for row in _table(folder) if row.get("label")}
        writer.end()
    return f"{width}x{height}, read by OpenCV, FFmpeg and Mien, which recorded {recorded} frames ({', '.join(labels)})"


def unplugged(pictures: Path) -> str:
    """A camera that is pulled out, and comes back."""
    folder = pictures / "unplugged"
    with Watching("camera:0", "--record", str(folder), log=pictures / "unplugged.log") as watching:
        until(lambda: any(folder.glob("*.csv")) and _rows(folder) >= 5, f"nothing recorded: {watching.said[-300:]}")
        subprocess.run(["v4l2-ctl", "-d", "/dev/video0", "-c", "disconnect=1"], check=True)
        until(lambda: "gives no frames any more" in watching.said or "not found" in watching.said, watching.said[-300:])
        before = _rows(folder)
        # vivid is plugged in again as soon as nobody holds it any more.
        until(lambda: _rows(folder) >= before + 5, f"it did not come back: {watching.said[-300:]}")
        watching.end()
    told = json.loads(next(folder.glob("*.json")).read_text())
    rows = _table(folder)
    gaps = [row for row in rows if row["status"] == "gap"]
    assert gaps, "the CSV has no gap"
    return f"{_frames(folder)} frames, {len(gaps)} gap, reconnects {told['reconnects']}"


def forbidden(pictures: Path) -> str:
    """Whoever is not in the group video is told what to do."""
    Path("/dev/video0").chmod(0o660)
    home = Path("/tmp/nobody")
    shutil.copytree(Path.home() / ".cache" / "mien", home / ".cache" / "mien", dirs_exist_ok=True)
    subprocess.run(["chown", "-R", "1000:1000", str(home)], check=True)
    somebody = ["setpriv", "--reuid", "1000", "--regid", "1000", "--clear-groups"]
    done = subprocess.run(
        [*somebody, *MIEN, "watch", "camera:0", "--seconds", "3"],
        capture_output=True, text=True, timeout=_PATIENCE_S, check=False, env=os.environ | {"HOME": str(home)},
    )  # fmt: skip
    said = done.stdout + done.stderr
    (pictures / "forbidden.log").write_text(said)
    assert "group video" in said, said[-400:]
    return "add yourself to the group video"


def _table(folder: Path) -> list[dict[str, str]]:
    with next(folder.glob("*.csv")).open(newline="") as file:
        return list(csv.DictReader(line for line in file if not line.startswith("#")))


def _rows(folder: Path) -> int:
    return len({row.get("frame", "") for row in _table(folder)})


def _frames(folder: Path) -> int:
    with av.open(str(next(folder.glob("*.mp4")))) as container:
        return sum(1 for _ in container.decode(video=0))


def main() -> int:
    pictures = Path(sys.argv[1])
    pictures.mkdir(parents=True, exist_ok=True)
    for module, options in MODULES.items():
        subprocess.run(["modprobe", module, *options], check=True)
    time.sleep(2)  # until the devices are there
    tried("cameras are listed", listed)
    tried("virtual camera", lambda: virtual_camera(pictures))
    tried("unplugged camera", lambda: unplugged(pictures))
    tried("camera without permission", lambda: forbidden(pictures))
    print("all tried", flush=True)
    return 1 if _FAILED else 0


if __name__ == "__main__":
    sys.exit(main())
