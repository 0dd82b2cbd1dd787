"""Stills: the readers of the data sets, CLIPER's static training, and what its learned tokens are near to."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image
from small_models import small_model
from small_task import CLASSES, FERPLUS, draw_faces
from test_family_training import as_toml, table, write_clip

from mien.app.cli import mien
from mien.models.checkpoints.checkpoints import save
from mien.models.data.annotations import read_entries
from mien.models.data.augment import AugmentConfig
from mien.models.data.dataset import ClipDataset, ClipSettings
from mien.models.data.entries import ClipEntry, DataError
from mien.models.data.stills import RAF_DB
from mien.models.networks.labels import dataset_labels
from mien.models.networks.openclip import text_tower
from mien.models.networks.words import nearest_words

SEVEN = dataset_labels("raf-db")


def image(path: Path, grey: int = 100, size: tuple[int, int] = (24, 24)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (grey, grey, grey)).save(path)
    return path


def pixel(entry: ClipEntry, labels: tuple[str, ...]) -> float:
    """The mean level of what the networks are shown."""
    data = ClipDataset([entry], labels, ClipSettings(2, 16), AugmentConfig(), training=False)
    return float(data[0, 0][0].mean() * 255)


def test_raf_db(tmp_path: Path) -> None:
    image(tmp_path / "aligned/train_00001_aligned.jpg", 80)
    image(tmp_path / "aligned/test_0001_aligned.jpg", 160)
    (tmp_path / "list.txt").write_text("train_00001.jpg 5\ntest_0001.jpg 1\n")
    (entry,) = read_entries("raf_db", tmp_path / "list.txt:train", tmp_path, SEVEN)
    assert (entry.name, entry.label) == ("train_00001", "sadness")
    assert pixel(entry, SEVEN) == pytest.approx(80, abs=2)
    (entry,) = read_entries("raf_db", tmp_path / "list.txt:test", tmp_path, SEVEN)
    assert entry.label == RAF_DB[0] == "surprise"
    for text, message in (("train_00001.jpg 8\n", "a label from 1 to 7"), ("train_00001.jpg\n", "'name label'")):
        (tmp_path / "bad.txt").write_text(text)
        with pytest.raises(DataError, match=message):
            read_entries("raf_db", tmp_path / "bad.txt:train", tmp_path, SEVEN)
    with pytest.raises(DataError, match="the part 'all' is not one of train, test"):
        read_entries("raf_db", tmp_path / "list.txt:all", tmp_path, SEVEN)


def test_affectnet(tmp_path: Path) -> None:
    for name, code in (("1", "3"), ("2", "7"), ("3", "8")):
        image(tmp_path / f"val_set/images/{name}.jpg")
        (tmp_path / "val_set/annotations").mkdir(exist_ok=True)
        np.save(tmp_path / f"val_set/annotations/{name}_exp.npy", np.array(code))
    eight = read_entries("affectnet", Path("val_set"), tmp_path, dataset_labels("affectnet-8"))
    assert [entry.label for entry in eight] == ["surprise", "contempt"]
    assert [e.label for e in read_entries("affectnet", Path("val_set"), tmp_path, SEVEN)] == ["surprise"]
    with pytest.raises(DataError, match=r"train_set and val_set"):
        read_entries("affectnet", Path("images"), tmp_path, SEVEN)


def test_expw_cuts_the_face_out(tmp_path: Path) -> None:
    frame = Image.new("RGB", (60, 40), (0, 0, 0))
    frame.paste((200, 200, 200), (30, 10, 50, 30))
    (tmp_path / "origin").mkdir()
    frame.save(tmp_path / "origin/a.png")
    (tmp_path / "label.lst").write_text("a.png 0 10 30 50 30 99.1 3\na.png 1 10 300 350 30 99.1 0\n")
    first, second = read_entries("expw", tmp_path / "label.lst:test", tmp_path, SEVEN)
    assert (first.label, second.label) == ("happiness", "anger")
    assert pixel(first, SEVEN) == pytest.approx(200, abs=1)
    with pytest.raises(DataError, match="lies outside the frame"):
        pixel(second, SEVEN)


def test_ferplus_csv(tmp_path: Path) -> None:
    """FER+'s votes beside FER2013's pixels: the majority under its protocol, the right rows."""
    with (tmp_path / "fer2013.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["emotion", "pixels", "Usage"])
        for grey in (10, 20, 30):
            writer.writerow([0, " ".join([str(grey)] * 2304), "Training"])
    votes = [[0, 7, 1, 1, 0, 0, 0, 0, 1, 0], [0] * 8 + [10, 0], [0, 0, 0, 6, 4, 0, 0, 0, 0, 0]]
    lines = [f"{use},x.png,{','.join(map(str, v))}" for use, v in zip(["Training"] * 3, votes, strict=True)]
    (tmp_path / "fer2013new.csv").write_text("Usage,Image name,...\n" + "\n".join(lines) + "\n")
    found = read_entries("ferplus", tmp_path / "fer2013new.csv:Training", tmp_path, dataset_labels("ferplus"))
    assert [(entry.row, entry.label) for entry in found] == [(0, "happiness"), (2, "sadness")]
    assert [pixel(entry, SEVEN) for entry in found] == pytest.approx([10, 30])


@pytest.mark.skipif(not FERPLUS.is_file(), reason=f"FER+ is not at {FERPLUS}")
def test_ferplus_npz() -> None:
    """As many faces of each part as the published protocol leaves."""
    labels = dataset_labels("ferplus")
    found = read_entries("ferplus", FERPLUS.with_name("ferplus.npz:test"), FERPLUS.parent, labels)
    assert len(found) == 3546
    assert 0 < pixel(found[0], labels) < 255


def test_plain_folders(tmp_path: Path) -> None:
    for label in ("Happy", "sad"):
        image(tmp_path / "test" / label / "1.png")
    found = read_entries("stills", Path("test"), tmp_path, SEVEN)
    assert sorted(entry.label for entry in found) == ["happiness", "sadness"]
    image(tmp_path / "test/angry-ish/1.png")
    with pytest.raises(DataError, match="'angry-ish' is not one of"):
        read_entries("stills", Path("test"), tmp_path, SEVEN)


def test_cliper_on_stills_and_the_words_of_its_prompts(tmp_path: Path) -> None:
    """Both stages on drawn stills, one frame a clip; scored, checked, and read off as words."""
    for part, count, seed in (("train", 10, 0), ("test", 4, 1)):
        draw_faces(tmp_path / "clips" / part, count, seed, frames=1)
        for label in CLASSES:
            (tmp_path / part / label).mkdir(parents=True)
            for clip in (tmp_path / "clips" / part / label).iterdir():
                (clip / "0.png").rename(tmp_path / part / label / f"{clip.name}.png")
    write_clip(tmp_path / "clip.pt")
    data = table(tmp_path, "cliper")
    data["data"].update(format="stills", wording="phrase")
    data["model"].update(steps=1)
    for stage in data["stages"]:
        stage["epochs"] = 1
    (tmp_path / "cliper.toml").write_text(as_toml(data), encoding="utf-8")
    for arguments in (
        ["data", "check", "cliper.toml"],
        ["model", "train", "cliper.toml", "-o", "run", "--device", "cpu"],
        ["model", "evaluate", "run/best.pt", "--device", "cpu", "-o", "scores"],
    ):
        done = CliRunner().invoke(
            mien, [str(tmp_path / a) if "." in a or a in ("run", "scores") else a for a in arguments]
        )
        assert done.exit_code == 0, (done.output, done.exception)
    assert json.loads((tmp_path / "scores/scores.json").read_text())["pooled"]["samples"] == 12
    out = CliRunner().invoke(mien, ["model", "words", str(tmp_path / "run/best.pt"), "-n", "2"])
    assert out.exit_code == 0, out.output
    lines = out.output.splitlines()
    assert len(lines) == 1 + 3 * 5 * 4
    assert lines[1].startswith("happiness  1  1  ")


def test_nearest_words_find_the_word_itself(tmp_path: Path) -> None:
    model, card = small_model("cliper", seed=1)
    word = 3540  # "smile</w>" in CLIP's vocabulary would serve as well: any row must find itself
    with torch.no_grad():
        model.bank.vectors[7, 2] = text_tower(model.clip).token_embedding.weight[word]
    found = list(nearest_words(model, 1))
    place = found[7 * 4 + 2]
    assert (place.label, place.prompt, place.place) == (model.labels[1], 3, 3)
    assert place.words[0][1] == pytest.approx(0, abs=1e-3)
    plain, card = small_model("emoclip")
    save(tmp_path / "plain.pt", plain, card)
    out = CliRunner().invoke(mien, ["model", "words", str(tmp_path / "plain.pt")])
    assert "no learned tokens" in str(out.exception)
