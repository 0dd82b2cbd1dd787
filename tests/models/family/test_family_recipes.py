"""All recipes are whole, and captions as real data have them do not end a training."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from PIL import Image
from small_models import TINY_CLIP
from small_task import draw_faces
from test_family_training import as_toml

from mien.app.cli import mien
from mien.engine.errors import ModelError
from mien.models.checkpoints.checkpoints import load
from mien.models.data.captions import with_captions
from mien.models.data.entries import ClipEntry, DataError
from mien.models.data.splits import Split, held_out, read_subjects, write_splits
from mien.models.networks.tokens import clip_tokens
from mien.models.training.config import parse_config, read_config
from mien.models.training.train import Trainer

RECIPES = sorted((Path(__file__).parents[3] / "assets/recipes").glob("*.toml"))


@pytest.mark.parametrize("path", RECIPES, ids=[path.stem for path in RECIPES])
def test_recipes_are_whole(path: Path) -> None:
    measuring = path.stem.startswith("data-")
    config = read_config(path, only_data=measuring)
    assert config.data.label_set().labels
    assert config.data.test or config.data.split
    assert measuring or config.stages
    out = CliRunner().invoke(mien, ["model", "recipe", path.stem])
    assert tomllib.loads(out.output) == config.source


def test_captions_that_are_missing_or_long() -> None:
    entries = [
        ClipEntry("a", Path(), "x", caption="a man smiles"),
        ClipEntry("b", Path(), "x"),
        ClipEntry("c", Path(), "x", caption="smile " * 80),
    ]
    kept, counts = with_captions(entries, "dash")
    assert [entry.caption[:5] for entry in kept] == ["a man", "-", "smile"]
    assert (counts.clips, counts.missing, counts.cut) == (3, 1, 1)
    assert counts.lines("dash") == [
        '1 of 3 clips have no caption and get "-" for it',
        "1 captions are longer than the text encoder reads and are cut",
    ]
    kept, _ = with_captions(entries, "skip")
    assert [entry.name for entry in kept] == ["a", "c"]
    ids = clip_tokens([entry.caption for entry in kept], cut=True)
    assert ids.shape == (2, 77)
    assert int(ids[1, -1]) == 49407


def mafw(root: Path) -> dict[str, Any]:
    """MAFW's files in small: half of the clips have captions, one of which is too long."""
    rows = []
    for number in range(12):
        name = f"{number:05d}"
        folder = root / "faces" / name
        folder.mkdir(parents=True)
        Image.new("RGB", (16, 16), (20 * number, 0, 0)).save(folder / "1.png")
        caption = "-" if number % 2 else "he smiles " * (50 if number == 0 else 1)
        rows.append(f"{name}.mp4\t{'anger' if number % 3 else 'fear'}\tx\t{caption}\n")
    (root / "train.txt").write_bytes("".join(rows[:10]).encode("gbk"))
    (root / "test.txt").write_bytes("".join(rows[10:]).encode("gbk"))
    model = {"backbone": TINY_CLIP, "pretrained": "", "steps": 2, "aggregator": "mean"}
    data = {"format": "mafw", "root": "faces", "train": "train.txt", "test": "test.txt", "labels": "mafw-emoclip"}
    return {
        "model": model,
        "data": {**data, "wording": "name"},
        "training": {"loss": "captions", "batch": 5, "workers": 0},
        "stages": [{"epochs": 1, "optimizer": "adam", "rates": {"scale": 1e-3}}],
    }


def test_training_on_captions_with_gaps(tmp_path: Path) -> None:
    """Trained with dashes for what is missing; the check says so before; skipping leaves too few for a batch."""
    data = mafw(tmp_path)
    (tmp_path / "c.toml").write_text(as_toml(data), encoding="utf-8")
    said = CliRunner().invoke(mien, ["data", "check", str(tmp_path / "c.toml"), "--all"]).output
    assert 'warning: training: 5 of 10 clips have no caption and get "-" for it' in said
    assert "1 captions are longer" in said
    Trainer(parse_config(data, tmp_path), tmp_path / "run", device="cpu").run()
    data["data"]["captions"] = "skip"
    data["training"]["batch"] = 6
    with pytest.raises(ModelError, match="5 training clips, fewer than one batch"):
        Trainer(parse_config(data, tmp_path), tmp_path / "other", device="cpu")


def test_splits_by_person_and_at_random(tmp_path: Path) -> None:
    """Lists that the reader takes, nobody in both, every clip in one test list; the framing travels to the bundle."""
    for label in ("bored", "keen"):
        for person in "abcdef":
            for clip in range(2):
                folder = tmp_path / label / f"{person}_{clip}"
                folder.mkdir(parents=True)
                Image.new("RGB", (8, 8)).save(folder / "1.png")
    entries = [
        ClipEntry(f"{label.name}/{clip.name}", clip, label.name)
        for label in sorted(tmp_path.iterdir())
        for clip in sorted(label.iterdir())
    ]
    tests = held_out(entries, Split("subject", folds=3))
    assert sorted(i for test in tests for i in test) == list(range(24))
    for test in tests:
        inside = {entries[i].name.split("/")[1][0] for i in test}
        outside = {entry.name.split("/")[1][0] for i, entry in enumerate(entries) if i not in test}
        assert not inside & outside
    (one,) = held_out(entries, Split("random", test=0.25))
    assert len(one) == 6
    assert one == held_out(entries, Split("random", test=0.25))[0]
    assert one != held_out(entries, Split("random", test=0.25, seed=2))[0]
    path = write_splits(tmp_path, entries, Split("subject", folds=2))
    data = tomllib.loads(path.read_text())["data"]
    config = parse_config({"data": data}, tmp_path, only_data=True)
    assert len(config.entries("train", 1)) + len(config.entries("test", 1)) == 24
    (tmp_path / "s.csv").write_text("clip,subject\nkeen/a_0,x\n")
    named = Split("subject", subjects=read_subjects(tmp_path / "s.csv"))
    with pytest.raises(DataError, match="whose face this is cannot be told"):
        held_out(entries, named)
    with pytest.raises(DataError, match="6 people, too few for 9 parts"):
        held_out(entries, Split("subject", folds=9))


def test_the_framing_of_the_training_set_goes_into_the_bundle(tmp_path: Path) -> None:
    from mien.engine.inference.framings import FRAMINGS
    from mien.models.data.splits import write_note

    draw_faces(tmp_path / "train", 2, seed=0)
    draw_faces(tmp_path / "test", 1, seed=1)
    write_note(tmp_path, framing="openface", size=32)
    model = {"backbone": TINY_CLIP, "pretrained": "", "steps": 32, "aggregator": "mean"}
    data = {"format": "folders", "root": str(tmp_path), "train": "train", "test": "test", "wording": "phrase"}
    stages = [{"epochs": 1, "rates": {"scale": 1e-3}}]
    table = {"model": model, "data": data, "training": {"batch": 6, "workers": 0}, "stages": stages}
    table["data"]["classes"] = ["happiness", "sadness", "surprise"]
    Trainer(parse_config(table, tmp_path), tmp_path / "run", device="cpu").run()
    _, card = load(tmp_path / "run/last.pt")
    assert card.provenance["framing"] == "openface"
    out = CliRunner().invoke(
        mien, ["model", "export", str(tmp_path / "run/last.pt"), "-o", str(tmp_path / "b"), "--no-text-encoder"]
    )
    assert out.exit_code == 0, (out.output, out.exception)
    assert "crops framed as openface" in out.output
    from mien.engine.inference.bundle import load_bundle

    manifest = load_bundle(tmp_path / "b").manifest
    assert manifest.crop == FRAMINGS["openface"]
    assert manifest.window_s == 4.0  # 32 frames, averaged or not, stand for the same clips
