"""What `index_in_place` makes of a fragmented MP4 equals what FFmpeg makes of the same packets."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mien.engine.errors import RecordingError
from mien.engine.media.mp4.boxes import read_head, whole_length
from mien.engine.media.mp4.chapters import Chapter
from mien.engine.media.mp4.index import index_in_place
from mien.engine.recording.live_video import LiveVideo, live_format
from mien.engine.types import AudioChunk

FRAGMENTED = {"movflags": "empty_moov+default_base_moof+skip_trailer", "frag_duration": "300000"}
Packets = dict[int, list[tuple[int | None, int | None, int | None, bool, bytes]]]


def fragmented(path: Path, *, b_frames: int = 0, audio: bool = True, count: int = 50) -> Path:
    """Uneven frames, with B-frames where asked, and AAC that begins with what its encoder puts before the audio."""
    options = {**FRAGMENTED, "use_editlist": "0"}
    with av.open(str(path), "w", format="mp4", options=options) as target:
        video = target.add_stream("libx264", rate=30, options={"bf": str(b_frames), "crf": "40"})
        video.width, video.height, video.pix_fmt, video.time_base = 64, 48, "yuv420p", Fraction(1, 90_000)
        video.codec_context.gop_size = 12
        sound = target.add_stream("aac", rate=48_000, layout="mono") if audio else None
        random = np.random.default_rng(1)
        for index in range(count):
            image = random.integers(0, 255, (48, 64, 3), dtype=np.uint8)
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = index * 3000 + (700 if index % 3 == 0 else 0), Fraction(1, 90_000)
            target.mux(video.encode(frame))
            if sound is not None:
                piece = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
                piece.sample_rate, piece.pts, piece.time_base = 48_000, 1024 * (index + 1), Fraction(1, 48_000)
                target.mux(sound.encode(piece))
        target.mux(video.encode(None))
        if sound is not None:
            target.mux(sound.encode(None))
    return path


def packets(path: Path) -> Packets:
    found: Packets = {}
    with av.open(str(path)) as source:
        for packet in source.demux():
            if packet.size:
                found.setdefault(packet.stream.index, []).append(
                    (packet.pts, packet.dts, packet.duration, packet.is_keyframe, bytes(packet))
                )
    return found


def boxes(path: Path) -> Iterator[tuple[bytes, int]]:
    at, end = 0, path.stat().st_size
    with path.open("rb") as stream:
        while at < end:
            size, kind = read_head(stream, at, end)
            yield kind, size
            at += size


@pytest.mark.parametrize("audio", [False, True])
@pytest.mark.parametrize("b_frames", [0, 2])
def test_every_packet_is_as_it_was(tmp_path: Path, b_frames: int, audio: bool) -> None:
    path = fragmented(tmp_path / "a.mp4", b_frames=b_frames, audio=audio)
    before = packets(path)
    length = path.stat().st_size
    media = path.read_bytes()[2000:length]
    index_in_place(path)
    assert packets(path) == before
    assert [kind for kind, _ in boxes(path)] == [b"ftyp", b"mdat", b"moov"]
    assert path.read_bytes()[2000:length] == media  # nothing was moved
    assert whole_length(path) == path.stat().st_size


def test_it_is_seekable_by_frame_as_a_file_that_ffmpeg_wrote(tmp_path: Path) -> None:
    path = fragmented(tmp_path / "a.mp4")
    index_in_place(path)
    capture = cv2.VideoCapture(str(path))
    assert capture.get(cv2.CAP_PROP_FRAME_COUNT) == 50
    with av.open(str(path)) as source:
        video, sound = source.streams.video[0], source.streams.audio[0]
        assert (video.frames, sound.frames) == (50, 51)
        assert source.duration == pytest.approx(50 / 30 * 1e6, abs=2)
        source.seek(1_000_000)
        assert next(source.decode(video=0)).key_frame


def live(path: Path, times: list[float], *, chapters: tuple[Chapter, ...] = (), audio: bool = True) -> LiveVideo:
    video = LiveVideo(path, live_format((64, 48), times[0], rate=30), crf=40, audio=audio)
    for time_s in times:
        video.write(np.full((48, 64, 3), int(time_s * 7) % 200, np.uint8), time_s)
        if audio:
            video.write_audio(AudioChunk(time_s, 48_000, np.zeros((2, 1600), np.float32)))
    video.close(chapters)
    return video


def test_a_live_recording_ends_as_a_plain_mp4_with_chapters(tmp_path: Path) -> None:
    named = (Chapter(0.0, 1.0, "Aufgabe „eins“"), Chapter(1.0, 2.0, "x" * 400))
    live(tmp_path / "a.mp4", [5 + index / 30 for index in range(60)], chapters=named)
    assert [kind for kind, _ in boxes(tmp_path / "a.mp4")] == [b"ftyp", b"mdat", b"moov"]
    with av.open(str(tmp_path / "a.mp4")) as source:
        found = source.chapters()
        assert [chapter["metadata"]["title"] for chapter in found] == ["Aufgabe „eins“", "x" * 255]
        assert [float(chapter["start"] * chapter["time_base"]) for chapter in found] == [0.0, 1.0]
        assert source.streams.video[0].frames == 60


def test_times_beyond_32_bits_are_kept(tmp_path: Path) -> None:
    last_s = 60_000.0  # 5.4e9 units of 1/90,000 s
    video = live(tmp_path / "a.mp4", [0.0, 1.0, last_s], audio=False)
    with av.open(str(tmp_path / "a.mp4")) as source:
        times = [packet.pts for packet in source.demux(video=0) if packet.size]
        assert source.duration == pytest.approx((last_s + 1 / 30) * 1e6, abs=50)
    assert (times[0], times[1], times[-1]) == (0, 90_000, round(last_s * 90_000))
    assert len(times) == 3 + video.repeated


def test_places_beyond_4_gib_are_kept(tmp_path: Path) -> None:
    path = fragmented(tmp_path / "a.mp4")
    before = packets(path)
    content, at, heads = path.read_bytes(), 0, []
    for kind, size in boxes(path):
        heads += [at] if kind == b"moof" else []
        at += size
    hole = 5 << 30
    with path.open("wb") as stream:  # sparse: it takes no room on the disk
        stream.write(content[: heads[1]])
        stream.write((1).to_bytes(4, "big") + b"free" + hole.to_bytes(8, "big"))
        stream.seek(heads[1] + hole)
        stream.write(content[heads[1] :])
    index_in_place(path)
    assert packets(path) == before
    with path.open("rb") as stream:
        stream.seek(-6000, 2)
        assert stream.read().count(b"co64") == 2


@pytest.mark.skipif(sys.platform == "win32", reason="has no limit for the size of files")
def test_a_full_disk_leaves_the_fragments_as_they_were(tmp_path: Path) -> None:
    path = fragmented(tmp_path / "a.mp4")
    before = path.read_bytes()
    import resource

    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 100, limits[1]))
    try:
        with pytest.raises(OSError, match="large"):
            index_in_place(path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.read_bytes() == before


def test_killed_between_its_two_writes_it_still_plays(tmp_path: Path) -> None:
    path = fragmented(tmp_path / "a.mp4")
    before, fragments = packets(path), path.read_bytes()
    index_in_place(path)
    path.write_bytes(fragments + path.read_bytes()[len(fragments) :])  # the index is there, but does not hold yet
    assert packets(path) == before


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return fragmented(tmp_path_factory.mktemp("index") / "a.mp4", count=12).read_bytes()


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_what_is_damaged_is_left_alone(
    tmp_path_factory: pytest.TempPathFactory, whole: bytes, data: st.DataObject
) -> None:
    spoilt = bytearray(whole[: data.draw(st.integers(0, len(whole)))])
    for _ in range(data.draw(st.integers(0, 4))):
        if spoilt:
            spoilt[data.draw(st.integers(0, min(len(spoilt) - 1, 2500)))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp("spoilt") / "a.mp4"
    path.write_bytes(spoilt)
    try:
        index_in_place(path)
    except ValueError:
        assert path.read_bytes() == spoilt


@pytest.mark.parametrize("spoil", [lambda path: path.write_bytes(b""), lambda path: path.unlink()])
def test_a_file_that_was_taken_away_is_one_line(tmp_path: Path, spoil: Callable[[Path], object]) -> None:
    path = tmp_path / "a.mp4"
    video = LiveVideo(path, live_format((64, 48), 0.0, rate=30), crf=40)
    video.write(np.zeros((48, 64, 3), np.uint8), 0.0)
    shutil.copy(path, tmp_path / "kept.mp4")
    spoil(path)
    with pytest.raises(RecordingError, match="cannot be finished"):
        video.close()
