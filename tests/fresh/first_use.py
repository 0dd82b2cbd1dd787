"""What a new user does first, on the installed program: `.venv/bin/python -m tests.fresh.first_use`.

A file with audio is annotated, an RTSP stream is watched and recorded, and the window is opened under Xvfb. Prints a
line for each; ends with 1 if one of them fails. Needs the test extra, Debian's `python3-gi gir1.2-gst-rtsp-server-1.0`
for the server, and `xvfb`.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.rtsp import RtspServer, camera_clip
from tests.videos import portrait, probe, write_video

MIEN = Path(sys.executable).parent / "mien"
SAMPLE = Path(__file__).parents[2].parent / "shared" / "data" / "videos" / "WolfgangLanger_Pexels.mp4"
DISPLAY = ":77"


def main() -> int:
    failed = 0
    for use in (annotate_a_file, record_a_stream, open_the_window):
        with tempfile.TemporaryDirectory(prefix="mien-first-use-") as folder:
            began = time.monotonic()
            try:
                result = use(Path(folder))
            except Exception as error:
                failed += 1
                result = f"FAILED: {type(error).__name__}: {error}"
        print(f"{use.__name__.replace('_', ' ')}: {result} ({time.monotonic() - began:.0f} s)", flush=True)
    return 1 if failed else 0


def annotate_a_file(folder: Path) -> str:
    """A video of a real face where this machine has one, else one that is made of the demo's portrait."""
    source = SAMPLE if SAMPLE.is_file() else write_video(folder / "talk.mp4", portrait(100), audio="aac")
    done = mien("annotate", source, "-o", folder / "out.mp4")
    before, after = probe(source), probe(folder / "out.mp4")
    expect(after["frames"] == before["frames"], f"{after['frames']} of {before['frames']} frames")
    expect(max(map(off, before["times"], after["times"])) < 0.002, "the frames have other times")
    expect(after["audio_codec"] == before["audio_codec"] == "aac", f"audio: {after['audio_codec']}")
    expect(abs(after["audio_duration"] - before["audio_duration"]) < 0.1, "the audio has another length")
    expect("a face in" in done and not done.startswith("mien: warning"), done)
    return f"{source.name}, {after['frames']} frames, audio {after['audio_codec']} {after['audio_duration']:.2f} s"


def record_a_stream(folder: Path) -> str:
    clip = camera_clip(folder / "clip", audio=True)
    with RtspServer(clip) as server:
        mien("watch", server.url(), "--record", folder / "taken", "--seconds", "12")
    (recorded,) = (folder / "taken").glob("*.mp4")
    found = probe(recorded)
    expect(found["frames"] > 100, f"{found['frames']} frames in 12 s")
    expect(found["audio_codec"] == "aac", f"audio: {found['audio_codec']}")
    expect(recorded.with_suffix(".csv").stat().st_size > 0, "no data")
    return f"{found['frames']} frames over {found['times'][-1]:.1f} s, audio {found['audio_codec']}"


def open_the_window(folder: Path) -> str:
    screen = subprocess.Popen(["Xvfb", DISPLAY, "-screen", "0", "1600x1000x24"], stderr=subprocess.DEVNULL)
    try:
        environment = {name: value for name, value in os.environ.items() if name != "QT_QPA_PLATFORM"}
        environment |= {"DISPLAY": DISPLAY, "MIEN_STARTUP": "1", "MIEN_CONFIG": str(folder)}
        wait_for(lambda: Path(f"/tmp/.X11-unix/X{DISPLAY[1:]}").exists(), 20)
        window = subprocess.Popen(
            [MIEN], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=folder
        )
        assert window.stdout is not None
        lines = []
        try:
            for line in window.stdout:  # ends with the window, or with the last of these lines
                lines.append(line.strip())
                if line.startswith("first bars"):
                    break
            time.sleep(2)
            expect(window.poll() is None, f"the window ended with {window.poll()}")
        finally:
            window.send_signal(signal.SIGTERM)
            _, complaints = window.communicate(timeout=30)
        expect(window.returncode == 0, f"exit code {window.returncode}: {complaints}")
        expect(not complaints.strip(), complaints)
        return ", ".join(lines)
    finally:
        screen.terminate()
        screen.wait()


def mien(*arguments: object) -> str:
    """Standard error of the installed command, which must succeed."""
    done = subprocess.run([MIEN, *map(str, arguments)], capture_output=True, text=True, timeout=300, check=False)
    expect(done.returncode == 0, f"mien {arguments[0]} ended with {done.returncode}: {done.stderr.strip()[-500:]}")
    return done.stderr


def off(before: float, after: float) -> float:
    return abs(before - after)


def expect(fact: bool, otherwise: str) -> None:
    if not fact:
        raise RuntimeError(otherwise)


def wait_for(condition: Callable[[], bool], seconds: float) -> None:
    end = time.monotonic() + seconds
    while not condition():
        expect(time.monotonic() < end, "the screen did not come up")
        time.sleep(0.1)


if __name__ == "__main__":
    if not MIEN.exists() or shutil.which("Xvfb") is None:
        sys.exit("needs the installed program beside this Python, and Xvfb")
    sys.exit(main())
