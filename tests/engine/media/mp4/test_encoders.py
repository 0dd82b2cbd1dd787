"""Encoders in hardware are used only after a trial; where none works, x264 does all."""

from __future__ import annotations

import json
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path

import pytest

from mien.engine.batch.annotator import Annotator
from mien.engine.errors import RecordingError, SettingsError
from mien.engine.inference.bundle import Bundle
from mien.engine.media.mp4 import trial
from mien.engine.media.mp4.encoders import HARDWARE, X264, VideoEncoder
from mien.engine.media.mp4.trial import choose_encoder
from mien.engine.media.mp4.writer import Mp4Writer
from mien.engine.recording.plan import RecordingPlan
from mien.engine.settings import ENCODERS, Settings
from mien.engine.types import VideoFormat
from tests.videos import portrait, probe, write_video


def like_x264(crf: int, live: bool) -> Mapping[str, str]:
    return X264.options(crf, live)


def without_key_frames(crf: int, live: bool) -> Mapping[str, str]:
    return {**X264.options(crf, live), "g": "500", "sc_threshold": "0"}


GOOD = VideoEncoder("libx264", like_x264)
POOR = VideoEncoder("libx264", like_x264, "gray")  # as a broken driver may lose the colours
MISSING = VideoEncoder("h264_nowhere", like_x264)


def choose(wanted: str, offered: Mapping[str, VideoEncoder], **how) -> VideoEncoder:
    return choose_encoder(wanted, 320, 240, **{"crf": 20, "live": False, **how}, offered=offered)  # type: ignore[arg-type]


def test_the_first_that_works_is_taken() -> None:
    assert choose("auto", {"nvenc": MISSING, "qsv": GOOD, "amf": POOR}) is GOOD
    assert choose("qsv", {"nvenc": MISSING, "qsv": GOOD}) is GOOD
    assert choose("auto", {"nvenc": MISSING}) is X264
    assert choose("auto", {}) is X264
    assert choose("x264", {"nvenc": GOOD}) is X264


@pytest.mark.parametrize("live", [False, True])
def test_what_spoils_the_picture_is_not_taken(live: bool) -> None:
    assert choose("auto", {"nvenc": POOR}, live=live) is X264
    with pytest.raises(RecordingError, match="another picture"):
        choose("nvenc", {"nvenc": POOR}, live=live)
    assert choose("nvenc", {"nvenc": GOOD}, live=live) is GOOD  # the same trial


def test_frames_that_are_missing_or_late_and_key_frames_are_seen(tmp_path: Path) -> None:
    scenery = trial._scenery(64 + trial._FRAMES * trial._PAN, 48)
    images = [trial._seen(scenery, 64, index) for index in range(trial._FRAMES)]

    def problem(times: list[int]) -> str:
        writer = Mp4Writer(tmp_path / "film.mp4", VideoFormat(64, 48, Fraction(1, 25), Fraction(25)), crf=20)
        for image, time in zip(images, times, strict=False):
            writer.write(image, time, 1)
        writer.close()
        return trial._difference(tmp_path / "film.mp4", scenery, 64)

    assert problem([*range(55)]) == ""
    assert problem([*range(54)]) == "54 of 55 frames"
    assert problem([*range(20), *range(21, 56)]) == "wrong times"
    with pytest.raises(RecordingError, match="no key frame"):
        choose("nvenc", {"nvenc": VideoEncoder("libx264", without_key_frames)})


def test_one_that_was_demanded_and_does_not_work_is_told_of() -> None:
    with pytest.raises(RecordingError, match=r"encoder nvenc: does not work on this machine \(.*\); use auto or x264"):
        choose("nvenc", {"nvenc": MISSING})
    with pytest.raises(RecordingError, match="without loss"):
        choose("qsv", {"qsv": GOOD}, crf=0)
    assert choose("auto", {"qsv": GOOD}, crf=0) is X264
    with pytest.raises(SettingsError, match="encoder"):
        Settings(encoder="vhs")  # type: ignore[arg-type]
    with pytest.raises(RecordingError, match="encoder"):
        RecordingPlan(Path(), encoder="vhs")  # type: ignore[arg-type]


@pytest.mark.parametrize("name", HARDWARE)
def test_those_of_ffmpeg_are_tried_for_real(name: str) -> None:
    """Without the hardware, or in a build without the encoder, each says why in a few words."""
    found = trial._problem(HARDWARE[name], 320, 240, live=False)  # type: ignore[index]
    assert "\n" not in found and "trial.mp4" not in found and len(found) < 80


def test_all_are_there_to_choose() -> None:
    assert {*ENCODERS} == {"x264", "auto", *HARDWARE}


def test_a_recording_says_what_made_it(
    tiny_bundle: Bundle, detector_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = write_video(tmp_path / "in.mp4", portrait(10))
    with Annotator(tiny_bundle, detector_file, Settings(provider="cpu", encoder="auto")) as annotator:
        annotator.annotate(str(source), tmp_path / "out.mp4")
    told = json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))["video_encoder"]
    assert told == "libx264" or told in {encoder.name for encoder in HARDWARE.values()}
    assert probe(tmp_path / "out.mp4")["frames"] == 10
