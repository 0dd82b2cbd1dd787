"""Reading files: every frame, its own time, upright, in its own colours; and clear words for what is no video."""

from __future__ import annotations

import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from mien.engine.errors import SourceError
from mien.engine.media.geometry import letterbox
from mien.engine.sources.file import VideoFile
from mien.engine.sources.open import open_source
from tests.videos import plain, portrait, write_video


def read(path: Path) -> tuple[VideoFile, list]:
    with VideoFile(path) as video:
        return video, list(video.frames())


def test_every_frame_with_its_own_uneven_time(tmp_path: Path) -> None:
    pts = [0, 40, 45, 200, 1000, 1001, 2500]
    path = write_video(tmp_path / "v.mp4", plain(7), pts=pts, time_base=Fraction(1, 1000))
    video, frames = read(path)
    assert [round(frame.time_s * 1000) for frame in frames] == pts
    assert [frame.index for frame in frames] == list(range(7))
    assert (video.info.width, video.info.height) == (320, 240)
    assert video.warnings == ()
    assert video.audio_path is None


@pytest.mark.parametrize(("suffix", "codec", "pix_fmt"), [
    (".mp4", "libx264", "yuv420p"), (".mkv", "ffv1", "yuv444p"), (".avi", "mpeg4", "yuv420p"),
    (".mov", "libx265", "yuv420p"), (".ts", "libx264", "yuv420p"), (".mkv", "ffv1", "bgr0"),
])  # fmt: skip
def test_formats_people_have(tmp_path: Path, suffix: str, codec: str, pix_fmt: str) -> None:
    images = [np.full((240, 320, 3), (200, 60, 30), np.uint8)] * 12
    path = write_video(tmp_path / f"v{suffix}", images, codec=codec, pix_fmt=pix_fmt)
    video, frames = read(path)
    assert len(frames) == 12
    assert video.warnings == ()
    assert np.abs(frames[5].image.reshape(-1, 3).mean(axis=0) - (200, 60, 30)).max() < 6
    gaps = np.diff([frame.time_s for frame in frames])
    assert np.allclose(gaps, 0.04, atol=0.002)


@pytest.mark.parametrize(("rotation", "corner"), [(0, (0, 0)), (90, (-1, 0)), (180, (-1, -1)), (-90, (0, -1))])
def test_a_phone_video_is_turned_upright(tmp_path: Path, rotation: int, corner: tuple[int, int]) -> None:
    """A white top left corner ends where the display matrix says: counter-clockwise for positive angles."""
    image = np.zeros((240, 320, 3), np.uint8)
    image[:60, :60] = 255
    path = write_video(tmp_path / "v.mp4", [image] * 3, rotation=rotation)
    video, frames = read(path)
    expected = (240, 320) if rotation % 180 == 0 else (320, 240)
    assert frames[0].image.shape[:2] == expected == (video.info.height, video.info.width)
    shrunk = frames[0].image[20::40, 20::40, 0]
    white = shrunk[corner]
    assert white > 200
    assert (shrunk > 200).sum() <= 4
    with av.open(str(path)) as raw:
        assert (next(raw.decode(video=0)).rotation - rotation) % 360 == 0


def test_a_cut_off_file_is_read_as_far_as_it_goes_and_says_where(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    noise = [random.integers(0, 256, (240, 320, 3), dtype=np.uint8) for _ in range(50)]
    path = write_video(tmp_path / "whole.mp4", noise, movflags="faststart")
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(path.read_bytes()[: int(path.stat().st_size * 0.6)])
    video, frames = read(cut)
    assert 20 < len(frames) < 40
    (warning,) = video.warnings
    assert "cut off" in warning
    assert f"up to {len(frames) / 25:.1f} s of 2.0 s" in warning


def test_damage_in_the_middle_is_passed_over(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    noise = [random.integers(0, 256, (120, 160, 3), dtype=np.uint8) for _ in range(50)]
    path = write_video(tmp_path / "v.mp4", noise)
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 20_000] = bytes(20_000)
    path.write_bytes(data)
    _, frames = read(path)
    assert len(frames) > 25
    times = [frame.time_s for frame in frames]
    assert times == sorted(set(times))


def test_a_size_that_changes_is_fitted_and_said(tmp_path: Path) -> None:
    one = write_video(tmp_path / "1.ts", plain(10))
    two = write_video(tmp_path / "2.ts", plain(10, width=160, height=240), pts=list(range(10, 20)))
    joined = tmp_path / "joined.ts"
    joined.write_bytes(one.read_bytes() + two.read_bytes())
    video, frames = read(joined)
    assert {frame.image.shape for frame in frames} == {(240, 320, 3)}
    assert any("changes its size" in warning for warning in video.warnings)


def test_letterbox_keeps_the_aspect() -> None:
    out = letterbox(np.full((100, 50, 3), 9, np.uint8), 200, 100)
    assert out.shape == (100, 200, 3)
    assert (out[:, 75:125] == 9).all()
    assert (out[:, :75] == 0).all()


def write_text(path: Path) -> None:
    path.write_text("This is not a video.\n" * 100)


def write_playlist(path: Path) -> None:
    path.write_text("#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nhttp://127.0.0.1:9/x.ts\n#EXT-X-ENDLIST\n")


def write_image(path: Path) -> None:
    import cv2

    path.write_bytes(cv2.imencode(".png", np.zeros((64, 64, 3), np.uint8))[1].tobytes())


def write_sound(path: Path) -> None:
    with av.open(str(path), "w", format="mp4") as out:
        audio = out.add_stream("aac", rate=44100, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 44100), np.int16), format="s16", layout="mono")
        frame.sample_rate = 44100
        out.mux(audio.encode(frame))
        out.mux(audio.encode(None))


def write_without_frames(path: Path) -> None:
    """An index that announces frames, and zeros where they should be."""
    data = write_video(path, plain(5), movflags="faststart").read_bytes()
    start = data.index(b"mdat") + 4
    path.write_bytes(data[:start] + bytes(len(data) - start))


def write_headless(path: Path) -> None:
    whole = write_video(path.with_name("whole.mp4"), plain(20))
    path.write_bytes(whole.read_bytes()[:800])


def write_of_unknown_kind(path: Path) -> None:
    """As a camera maker's own codec: a video track of a name that no decoder has."""
    write_video(path, plain(3))
    path.write_bytes(path.read_bytes().replace(b"avc1", b"zzzz"))


@pytest.mark.parametrize(
    ("name", "make", "message"),
    [
        ("none.mp4", lambda path: None, "no such file"),
        ("folder.mp4", lambda path: path.mkdir(), "not a file"),
        ("empty.mp4", lambda path: path.write_bytes(b""), "empty"),
        ("text.mp4", write_text, "not a video"),
        ("list.mp4", write_playlist, "not a video"),
        ("list.m3u8", write_playlist, "not a video"),
        ("random.mp4", lambda path: path.write_bytes(np.random.default_rng(0).bytes(50_000)), "not a video"),
        ("headless.mp4", write_headless, ""),
        ("image.mp4", write_image, "still image"),
        ("audio.mp4", write_sound, "no video"),
        ("thin.mkv", lambda path: write_video(path, plain(3, width=10_000, height=1), codec="ffv1", pix_fmt="bgr0"),
         "10000x1"),
        ("no_frames.mp4", write_without_frames, ""),
        ("unknown.mp4", write_of_unknown_kind, "cannot be decoded"),
    ],
)  # fmt: skip
def test_what_is_no_video_is_said_in_one_line(tmp_path: Path, name: str, make, message: str) -> None:
    path = tmp_path / name
    make(path)
    with pytest.raises(SourceError) as caught:
        open_source(str(path)).close()
    text = str(caught.value)
    assert message in text
    assert name in text
    assert "\n" not in text


def test_a_name_that_looks_like_a_protocol_is_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if sys.platform == "win32":
        pytest.skip("Windows file names cannot hold a colon")
    write_video(tmp_path / "v.mp4", plain(3)).rename(tmp_path / "concat:a|b.mp4")
    monkeypatch.chdir(tmp_path)
    with open_source("concat:a|b.mp4") as video:
        assert len(list(video.frames())) == 3


def test_the_demo_is_always_the_same_and_has_a_face_throughout(detector) -> None:
    with open_source("demo") as demo:
        frames = list(demo.frames())
        assert len(frames) == demo.info.frames
    assert all(len(detector.detect(frame.image)) == 1 for frame in frames[::10])
    with open_source("demo") as again:
        assert (next(again.frames()).image == frames[0].image).all()
    assert np.allclose(np.diff([frame.time_s for frame in frames]), 0.04)
    # It moves: no frame is like the one a second before.
    moved = [np.abs(a.image.astype(int) - b.image).mean() for a, b in zip(frames, frames[25:], strict=False)]
    assert min(moved) > 1


def test_opening_a_source_needs_neither_mediapipe_nor_a_runtime() -> None:
    code = """
import sys
from mien.engine.sources.open import open_source
open_source("demo").close()
print([name for name in ("mediapipe", "onnxruntime", "PySide6", "torch", "matplotlib.pyplot") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_portrait_pictures_hold_a_face(detector) -> None:
    assert detector.detect(portrait(1)[0])


LEAVE = """
import sys
from pathlib import Path
from mien.engine.sources.file import VideoFile

left = []
for count in range(12):
    video = VideoFile(Path(sys.argv[1]))
    frames = video.frames()
    for _ in range(2 * count):
        next(frames, None)
    left.append((video, frames))
    if count % 2:
        video.close()
print("left")
"""


def test_leaving_videos_half_read_never_hangs(tmp_path: Path) -> None:
    """Its decoder's threads may still have something to say while the program ends."""
    path = write_video(tmp_path / "v.mp4", portrait(60))
    for _ in range(3):
        done = subprocess.run(
            [sys.executable, "-c", LEAVE, str(path)],
            cwd=Path(__file__).parents[3], capture_output=True, text=True, timeout=60, check=True,
        )  # fmt: skip
        assert done.stdout == "left\n"
