"""The audio track of a live recording: at its times, whatever the network loses."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from mien.engine.media.audio_track import RATE, AudioTrack


@contextmanager
def track(path: Path) -> Iterator[AudioTrack]:
    """A file with nothing but the track."""
    with av.open(str(path), "w") as out:
        made = AudioTrack(out)
        yield made
        made.close()


def tone(seconds: float, rate: int, *, hertz: float = 440.0) -> NDArray[np.float32]:
    """(2,n) a sine, half of full scale."""
    wave = 0.5 * np.sin(np.arange(round(seconds * rate)) * (2 * np.pi * hertz / rate))
    return np.stack([wave, wave]).astype(np.float32)


def write(made: AudioTrack, start_s: float, samples: NDArray[np.float32], rate: int) -> None:
    """In pieces of 20 ms, as a network brings them."""
    step = rate // 50
    for at in range(0, samples.shape[1], step):
        made.write(start_s + at / rate, rate, samples[:, at : at + step])


def heard(path: Path) -> NDArray[np.float32]:
    """(n,) the first channel at its own times, `RATE` per second from the file's zero on."""
    with av.open(str(path)) as opened:
        pieces = [(round(frame.time * RATE), frame.to_ndarray()[0]) for frame in opened.decode(audio=0)]
    out = np.zeros(pieces[-1][0] + len(pieces[-1][1]), np.float32)
    for at, samples in pieces:
        out[max(at, 0) : at + len(samples)] = samples[max(-at, 0) :]
    return out


def loud(path: Path) -> list[tuple[float, float]]:
    """Stretches in which something is heard, in seconds."""
    level = np.abs(heard(path))
    at = np.flatnonzero(level > 0.1) / RATE
    cuts = np.flatnonzero(np.diff(at) > 0.03)
    return list(zip(at[[0, *(cuts + 1)]].tolist(), at[[*cuts, -1]].tolist(), strict=True))


@pytest.mark.parametrize("rate", [8000, 16_000, 44_100, 48_000])
def test_a_tone_keeps_its_time_and_its_pitch(tmp_path: Path, rate: int) -> None:
    with track(tmp_path / "a.mp4") as made:
        write(made, 0.5, tone(2, rate), rate)
    ((start_s, end_s),) = loud(tmp_path / "a.mp4")
    assert (start_s, end_s) == pytest.approx((0.5, 2.5), abs=0.03)
    spectrum = np.abs(np.fft.rfft(heard(tmp_path / "a.mp4")[RATE : 2 * RATE]))
    assert abs(int(spectrum.argmax()) - 440) <= 1
    with av.open(str(tmp_path / "a.mp4")) as opened:
        context = opened.streams.audio[0].codec_context
        assert (context.name, context.sample_rate, context.layout.name) == ("aac", RATE, "stereo")


def test_what_is_missing_is_silent(tmp_path: Path) -> None:
    with track(tmp_path / "a.mp4") as made:
        write(made, 0.0, tone(1, 16_000), 16_000)
        write(made, 3.0, tone(1, 16_000), 16_000)
    first, second = loud(tmp_path / "a.mp4")
    assert first[1] == pytest.approx(1.0, abs=0.05) and second == pytest.approx((3.0, 4.0), abs=0.05)


def test_over_a_long_gap_the_times_jump_and_nothing_is_encoded(tmp_path: Path) -> None:
    with track(tmp_path / "a.mp4") as made:
        write(made, 0.0, tone(1, 16_000), 16_000)
        write(made, 7200.0, tone(1, 16_000), 16_000)
    with av.open(str(tmp_path / "a.mp4")) as opened:
        packets = [packet for packet in opened.demux(audio=0) if packet.size]
        stream = opened.streams.audio[0]
        assert float(stream.duration * stream.time_base) == pytest.approx(7201, abs=0.1)
        # MP4 keeps a packet's duration in 32 bits.
        assert max(float((packet.duration or 0) * packet.time_base) for packet in packets) <= 3600.1
    assert len(packets) < 150
    times = [float(packet.pts * packet.time_base) for packet in packets]
    assert sum(time > 7199.9 for time in times) > 40


def test_what_lies_before_the_first_frame_is_left_out(tmp_path: Path) -> None:
    with track(tmp_path / "a.mp4") as made:
        write(made, -2.0, tone(1.5, 16_000), 16_000)
        write(made, -0.5, tone(1.5, 16_000, hertz=880), 16_000)
    ((start_s, end_s),) = loud(tmp_path / "a.mp4")
    assert start_s < 0.05 and end_s == pytest.approx(1.0, abs=0.05)
    spectrum = np.abs(np.fft.rfft(heard(tmp_path / "a.mp4")[: RATE // 2]))
    assert abs(2 * int(spectrum.argmax()) - 880) <= 2


def test_another_rate_in_mid_stream_goes_on_in_time(tmp_path: Path) -> None:
    with track(tmp_path / "a.mp4") as made:
        write(made, 0.0, tone(1, 8000), 8000)
        write(made, 1.0, tone(1, 44_100), 44_100)
    whole = loud(tmp_path / "a.mp4")
    assert whole[0][0] < 0.05 and whole[-1][1] == pytest.approx(2.0, abs=0.05)
    assert sum(end - start for start, end in whole) > 1.85


def test_a_clock_that_drifts_is_followed(tmp_path: Path) -> None:
    """The sender's clock is 1 % slow: a minute of its samples takes 0.6 s longer."""
    samples, rate = tone(0.02, 16_000), 16_000
    with track(tmp_path / "a.mp4") as made:
        for piece in range(1500):
            made.write(piece * 0.0202, rate, samples)
    with av.open(str(tmp_path / "a.mp4")) as opened:
        stream = opened.streams.audio[0]
        assert float(stream.duration * stream.time_base) == pytest.approx(30.3, abs=0.1)


def test_a_track_without_a_sound_is_no_fault(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "a.mp4"), "w") as out:
        made = AudioTrack(out)
        made.write(-1.0, 8000, tone(0.5, 8000))
        made.close()


@settings(max_examples=15, deadline=None)
@given(
    rate=st.sampled_from([8000, 16000, 44100, 48000]),
    first_s=st.floats(-1.0, 15.0),
    jitter=st.lists(st.floats(-0.02, 0.02), min_size=40, max_size=40),
)
def test_the_track_is_whole_whatever_the_times_do(
    tmp_path_factory: pytest.TempPathFactory, rate: int, first_s: float, jitter: list[float]
) -> None:
    path = tmp_path_factory.mktemp("track") / "audio.mp4"
    with av.open(str(path), "w") as out:
        track = AudioTrack(out)
        step = rate // 50
        for index, off in enumerate(jitter):
            track.write(first_s + index * 0.02 + off, rate, np.full((2, step), 0.25, np.float32))
        track.close()
        wrote = first_s + 0.78 > 0
    if not wrote:
        return
    with av.open(str(path)) as opened:
        times = [packet.pts for packet in opened.demux(audio=0) if packet.pts is not None]
        stream = opened.streams.audio[0]
        end_s = float((stream.duration or 0) * (stream.time_base or 0))
    assert times == sorted(set(times)) and times[0] == 0
    assert end_s == pytest.approx(first_s + 0.8, abs=0.12)
