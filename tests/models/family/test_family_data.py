"""Annotation readers, samplers, augmentation, the data check and faces out of videos."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from small_task import configuration, draw_faces

from mien.app.cli import mien
from mien.models.data import samplers
from mien.models.data.annotations import read_entries
from mien.models.data.augment import AugmentConfig, plain_pixels, training_pixels
from mien.models.data.dataset import ClipDataset, ClipSettings, EpochBatches, TestBatches, collate
from mien.models.data.entries import DataError, frame_files
from mien.models.data.video_crops import crop_videos, face_crops
from mien.models.networks.labels import dataset_labels
from mien.models.training.config import parse_config
from mien.models.training.data_check import check_data
from tests.videos import plain, portrait, write_video

LABELS = dataset_labels("dfew")


def make_clip(folder: Path, frames: int = 3, size: int = 16) -> Path:
    folder.mkdir(parents=True)
    for number in range(frames):
        Image.new("RGB", (size, size), (number, 0, 0)).save(folder / f"{number + 1}.png")
    return folder


def test_published_test_indices() -> None:
    """Indices that the published sampler gives."""
    assert samplers.segments(144, 16, None).tolist() == list(range(4, 144, 9))
    assert samplers.segments(20, 16, None).tolist() == [0, 1, 3, 4, 5, 6, 8, 9, 10, 11, 13, 14, 15, 16, 18, 19]
    assert samplers.segments(5, 8, None).tolist() == [0, 1, 2, 3, 4, 4, 4, 4]


def test_published_training_segments_leave_out_the_tail() -> None:
    drawn = np.stack([samplers.segments(31, 16, np.random.default_rng(i)) for i in range(50)])
    assert (drawn == np.arange(16)).all()
    drawn = np.stack([samplers.segments(50, 16, np.random.default_rng(i)) for i in range(200)])
    assert drawn.max() == 47
    assert (np.diff(drawn, axis=1) > 0).all()


@given(count=st.integers(1, 300), steps=st.integers(1, 40), stride=st.integers(1, 5), seed=st.integers(0, 99))
def test_samplers_stay_in_the_clip(count: int, steps: int, stride: int, seed: int) -> None:
    for random in (None, np.random.default_rng(seed)):
        chosen = samplers.segments(count, steps, random)
        assert chosen.shape == (steps,)
        assert (np.diff(chosen) >= 0).all()
        assert chosen.min() >= 0
        assert chosen.max() < count
    chosen = samplers.window(count, steps, stride, np.random.default_rng(seed))
    assert chosen.shape == (steps,)
    assert set(chosen.tolist()) <= set(range(0, count, stride))


def test_window_wraps_around() -> None:
    chosen = samplers.window(160, 32, 4, np.random.default_rng(3))
    assert set(np.diff(chosen).tolist()) <= {4, 4 - 160}
    assert len(set(chosen.tolist())) == 32


def write_layouts(root: Path) -> dict[str, tuple[Path, Path, str]]:
    """One file in each official layout, with two clips: anger and surprise."""
    for name in ("00001", "00002"):
        make_clip(root / "dfew" / name)
        make_clip(root / "mafw" / name)
    for label, name in (("Angry", "0007"), ("Surprise", "0008")):
        make_clip(root / "ferv/Action" / label / name)
        make_clip(root / "afew/train" / label / name)
    file = root / "list.txt"
    file.write_text("/data/of someone/DFEW/00001 3 3\n/data/of someone/DFEW/00002 3 4\n")
    (root / "dfew.csv").write_text("video_name,label\n1,4\n2,5\n")
    (root / "ferv.csv").write_text("Action/Angry/0007 Angry\nAction/Surprise/0008 Surprise\n")
    rows = "00001.mp4\tanger\t-\tA man frowns.\n00002.mp4\tsurprise\t-\t-\n00003.mp4\tanger_fear\t-\t-\n"
    (root / "mafw.txt").write_bytes(rows.encode("gbk"))
    return {
        "frame_list": (file, root / "dfew", ""),
        "dfew_csv": (root / "dfew.csv", root / "dfew", ""),
        "ferv39k": (root / "ferv.csv", root / "ferv", ""),
        "mafw": (root / "mafw.txt", root / "mafw", "A man frowns."),
        "folders": (Path("train"), root / "afew", ""),
    }


@pytest.mark.parametrize("kind", ["frame_list", "dfew_csv", "ferv39k", "mafw", "folders"])
def test_official_layouts(kind: str, tmp_path: Path) -> None:
    file, root, caption = write_layouts(tmp_path)[kind]
    entries = read_entries(kind, file, root, LABELS)
    assert [entry.label for entry in entries] == ["anger", "surprise"]
    assert all(len(frame_files(entry.folder)) == 3 for entry in entries)
    assert entries[0].caption == caption
    assert entries[1].caption == ""


@pytest.mark.parametrize(
    ("kind", "content", "message"),
    [
        ("frame_list", "clip 3\n", "line 1: expected"),
        ("frame_list", "00001 3 7\n", "label 7 is outside 0 to 6"),
        ("frame_list", "/elsewhere/99999 3 1\n", "none of its folders exists"),
        ("frame_list", "\n\n", "lists no clips"),
        ("dfew_csv", "name,class\n1,2\n", "video_name"),
        ("dfew_csv", "video_name,label\n1,0\n", "label 0 is outside 1 to 7"),
        ("ferv39k", "Action/Angry/0007 Bored\n", "'Bored' is not one of"),
        ("mafw", "one column\n", "between tabs"),
    ],
)
def test_bad_annotations(kind: str, content: str, message: str, tmp_path: Path) -> None:
    make_clip(tmp_path / "frames/00001")
    make_clip(tmp_path / "frames/Action/Angry/0007")
    file = tmp_path / "annotation.txt"
    file.write_text(content)
    with pytest.raises(DataError, match=message):
        read_entries(kind, file, tmp_path / "frames", LABELS)


def test_a_folder_with_spaces_in_its_name(tmp_path: Path) -> None:
    make_clip(tmp_path / "frames/my first clip")
    (tmp_path / "list.txt").write_text("C:\\of someone\\my first clip 3 0\n")
    (entry,) = read_entries("frame_list", tmp_path / "list.txt", tmp_path / "frames", LABELS)
    assert entry.folder.name == "my first clip"
    assert entry.label == "happiness"


def test_frames_are_in_natural_order(tmp_path: Path) -> None:
    make_clip(tmp_path / "clip", frames=12)
    (tmp_path / "clip/Thumbs.db").write_bytes(b"no image")
    assert [file.name for file in frame_files(tmp_path / "clip")] == [f"{n}.png" for n in range(1, 13)]


def test_augmentation_is_the_same_for_every_frame_of_a_clip() -> None:
    noise = np.random.default_rng(0).integers(0, 255, (40, 50, 3), dtype=np.uint8)
    images = [Image.fromarray(noise)] * 5
    config = AugmentConfig(brightness=0.5, hue=0.2, rotate=6, crop=[0.08, 1.0], flip=True)
    first = None
    for seed in range(8):
        pixels = training_pixels(images, 32, config, np.random.default_rng(seed))
        assert pixels.shape == (5, 3, 32, 32)
        assert pixels.dtype == np.float32
        assert pixels.min() >= 0
        assert pixels.max() <= 1
        assert (pixels == pixels[0]).all()
        assert first is None or not np.array_equal(first, pixels), "another seed, another change"
        first = pixels


def test_plain_pixels_are_pillows_bilinear_resize() -> None:
    image = Image.fromarray(np.random.default_rng(0).integers(0, 255, (40, 50, 3), dtype=np.uint8))
    expected = np.asarray(image.resize((24, 24), Image.Resampling.BILINEAR)).transpose(2, 0, 1) / 255
    assert np.allclose(plain_pixels([image], 24, AugmentConfig())[0], expected, atol=1e-6)
    assert plain_pixels([image], 24, AugmentConfig(resize="short_side")).shape == (1, 3, 24, 24)


def dataset(root: Path, training: bool) -> ClipDataset:
    entries = read_entries("folders", Path(), root, ("happiness", "sadness", "surprise"))
    settings = ClipSettings(steps=2, size=32, seed=5)
    labels = ("happiness", "sadness", "surprise")
    return ClipDataset(entries, labels, settings, AugmentConfig(crop=[0.3, 1.0]), training=training)


def test_a_clip_depends_on_seed_epoch_and_position_only(tmp_path: Path) -> None:
    draw_faces(tmp_path, 3, seed=0, frames=9)
    train, again = dataset(tmp_path, True), dataset(tmp_path, True)
    assert again[2, 4][0].equal(train[2, 4][0])
    assert not train[3, 4][0].equal(train[2, 4][0])
    test = dataset(tmp_path, False)
    assert test[0, 4][0].equal(test[7, 4][0])
    batch = collate([train[0, 0], train[0, 8]])
    assert batch.clips.shape == (2, 2, 3, 32, 32)
    assert batch.labels.tolist() == [0, 2]


@given(st.integers(1, 60), st.integers(1, 9), st.integers(1, 4), st.integers(0, 5))
def test_processes_share_the_batches(length: int, batch: int, world: int, epoch: int) -> None:
    def keys(start: int = 0) -> list[list[Any]]:
        make = [
            EpochBatches(length, batch, seed=1, epoch=epoch, start=start, rank=r, world=world) for r in range(world)
        ]
        return [list(part) for part in make]

    parts = keys()
    assert len({len(part) for part in parts}) == 1, "a process without a batch would wait for ever"
    seen = [key for part in parts for b in part for key in b]
    assert len(set(seen)) == len(seen)
    assert [part[1:] for part in parts] == keys(start=1)
    tested = sorted(p for r in range(world) for b in TestBatches(length, batch, rank=r, world=world) for _, p in b)
    assert tested == list(range(length)), "every clip is tested once"


def check(root: Path) -> Any:
    data = configuration(root, {"pretrained": ""}, {}, [{"epochs": 1, "rates": {"scale": 1.0}}])
    return check_data(parse_config(data, root), 1, decode=True)


def test_data_check_finds_what_is_wrong(tmp_path: Path) -> None:
    draw_faces(tmp_path / "train", 2, seed=0)
    draw_faces(tmp_path / "test", 2, seed=1)
    assert not check(tmp_path).errors
    (tmp_path / "train/happiness/000/0.png").write_bytes(b"\x89PNG broken")
    (tmp_path / "train/happiness/empty").mkdir()
    for file in (tmp_path / "train/sadness").rglob("*.png"):
        file.unlink()
    for folder in (tmp_path / "train/sadness").iterdir():
        folder.rmdir()
    errors = "\n".join(check(tmp_path).errors)
    assert "training: no clips of sadness" in errors
    assert "empty has no frames" in errors
    assert "0.png: cannot be read" in errors


def test_data_check_compares_counts_and_finds_missing_folders(tmp_path: Path) -> None:
    make_clip(tmp_path / "frames/00001", frames=3)
    (tmp_path / "list.txt").write_text("x/00001 5 0\nx/00002 3 1\n")
    config = tmp_path / "config.toml"
    config.write_text(
        '[data]\nformat = "frame_list"\nroot = "frames"\ntrain = "list.txt"\ntest = "list.txt"\n'
        "[[stages]]\nrates = { scale = 1.0 }\n"
    )
    out = CliRunner().invoke(mien, ["data", "check", str(config)])
    assert isinstance(out.exception, DataError)
    assert "00001 has 3 frames, its annotation says 5" in out.output
    assert "00002 is missing" in out.output
    assert "both a training and a test clip" in out.output
    assert "no clips of fear" in out.output


def test_reading_a_clip_without_frames_says_so(tmp_path: Path) -> None:
    draw_faces(tmp_path, 1, seed=0)
    clips = dataset(tmp_path, False)
    for file in clips.entries[0].folder.iterdir():
        file.unlink()
    with pytest.raises(DataError, match="no frames; run mien data check"):
        clips[0, 0]


def test_faces_out_of_videos(tmp_path: Path, detector_file: Path) -> None:
    (tmp_path / "videos/happiness").mkdir(parents=True)
    write_video(tmp_path / "videos/happiness/a.mp4", portrait(12))
    write_video(tmp_path / "videos/happiness/b.mp4", plain(5))
    from mien.engine.inference.framings import DATASET_FRAMING

    written, problems = crop_videos(tmp_path / "videos", tmp_path / "frames", detector_file, DATASET_FRAMING, 64)
    assert written == 1
    assert len(problems) == 1
    assert "b.mp4: no face was found" in problems[0]
    (entry,) = read_entries("folders", Path(), tmp_path / "frames", LABELS)
    frames = frame_files(entry.folder)
    assert entry.label == "happiness"
    assert len(frames) >= 8
    with Image.open(frames[0]) as image:
        assert image.size == (64, 64)
    assert crop_videos(tmp_path / "videos", tmp_path / "frames", detector_file, DATASET_FRAMING, 64)[0] == 0
    assert face_crops(tmp_path / "videos/happiness/a.mp4", detector_file, DATASET_FRAMING, 32, 4).shape == (
        4,
        32,
        32,
        3,
    )
