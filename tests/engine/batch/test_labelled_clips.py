"""A model is measured on a folder of labelled videos and images, with the real detector and the shipped model."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import cv2
import matplotlib.cbook
import numpy as np
import pytest
from click.testing import CliRunner

from mien.app.commands.model.group import model
from mien.app.embedded import embedded_bundle
from mien.engine.batch.contact_sheet import contact_sheet, worst
from mien.engine.batch.labelled_clips import Answer, ClipReader, LabelledFile, find_files, score
from mien.engine.errors import ModelError, SourceError
from mien.engine.inference.bundle import load_bundle
from mien.engine.settings import Settings
from tests.videos import write_video

LABELS = ("neutral", "happiness", "surprise")


@pytest.fixture(scope="module")
def portrait() -> np.ndarray:
    with matplotlib.cbook.get_sample_data("grace_hopper.jpg", asfileobj=True) as file:
        return cv2.imdecode(np.frombuffer(file.read(), np.uint8), cv2.IMREAD_COLOR)


@pytest.fixture
def folder(tmp_path: Path, portrait: np.ndarray) -> Path:
    clips = tmp_path / "clips"
    for name in ("Neutral", "angry", "other"):
        (clips / name).mkdir(parents=True)
    (clips / "Neutral" / "gräce.png").write_bytes(cv2.imencode(".png", portrait)[1].tobytes())
    empty = np.full((90, 90, 3), 99, np.uint8)
    (clips / "Neutral" / "nobody.png").write_bytes(cv2.imencode(".png", empty)[1].tobytes())
    (clips / "angry" / "broken.jpg").write_bytes(b"no image")
    (clips / "other" / "x.png").write_bytes(b"")
    small = np.ascontiguousarray(cv2.resize(portrait, (256, 300))[..., ::-1])
    write_video(clips / "angry" / "film.mp4", [small] * 40)
    return clips


def test_a_folder_is_read_as_the_program_would(folder: Path, detector_file: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    arguments = ["evaluate", "embedded", "--clips", folder, "--detector", detector_file, "--expect", "lab", "-o", out]
    done = CliRunner().invoke(model, list(map(str, arguments)), catch_exceptions=False)
    assert done.exit_code == 0
    assert "neutral: 50.0%" in done.stdout
    assert "no face found in 1 of 3 files" in done.stdout
    assert "left out: other" in done.output
    assert "broken.jpg" in done.output
    scores = json.loads((out / "scores.json").read_text(encoding="utf-8"))
    assert scores["labels"] == ["neutral", "anger"]
    assert (scores["war"], scores["uar"], scores["no_face"], scores["unreadable"]) == (pytest.approx(1 / 3), 0.25, 1, 1)
    assert scores["expect"] == "lab"
    rows = {Path(row["file"]).name: row for row in csv.DictReader((out / "answers.csv").open(encoding="utf-8"))}
    assert rows["gräce.png"]["read"] == rows["film.mp4"]["read"] == "neutral"
    # The same face again and again: the window of the film says about what the still says.
    assert float(rows["film.mp4"]["p_neutral"]) == pytest.approx(float(rows["gräce.png"]["p_neutral"]), abs=0.35)
    assert rows["nobody.png"]["read"] == ""
    assert cv2.imread(str(out / "errors.png")).shape[0] > 160


def test_the_main_face_is_the_largest(detector_file: Path, portrait: np.ndarray, tmp_path: Path) -> None:
    (tmp_path / "neutral").mkdir()
    close = portrait[40:420, 90:450]
    height, width = close.shape[:2]
    scene = np.full((height, width * 2, 3), 128, np.uint8)
    scene[:, width:] = close
    # The detector is surer of this one, but it is smaller.
    other = cv2.resize(close, (width * 8 // 10, height * 8 // 10))[:, ::-1]
    scene[: len(other), : other.shape[1]] = other
    for name, image in (("one.png", close), ("two.png", scene)):
        (tmp_path / "neutral" / name).write_bytes(cv2.imencode(".png", image)[1].tobytes())
    bundle = load_bundle(embedded_bundle())
    with ClipReader(bundle, detector_file, Settings(provider="cpu")) as reader:
        alone, among = reader.read(find_files(tmp_path, bundle.manifest.labels)[0])
    assert alone.crop is not None
    assert among.crop is not None
    alike, mirrored = (np.abs(face.astype(float) - among.crop).mean() for face in (alone.crop, alone.crop[:, ::-1]))
    assert alike < 0.8 * mirrored


def answer(label: str, read: int | None, confidence: float = 0.8) -> Answer:
    file = LabelledFile(Path(f"{label}.png"), label)
    if read is None:
        return Answer(file)
    shares = np.full(3, (1 - confidence) / 2, np.float32)
    shares[read] = confidence
    return Answer(file, shares, uncertain=confidence < 0.6, crop=np.zeros((48, 48, 3), np.uint8))


def test_scores_are_counted_by_hand() -> None:
    answers = [
        *[answer("neutral", 0)] * 8,
        *[answer("neutral", 1, 0.5)] * 2,
        *[answer("surprise", 2)] * 3,
        answer("surprise", None),
        Answer(LabelledFile(Path("a.mp4"), "surprise"), problem="cannot be read"),
    ]
    found = score(answers, LABELS)
    assert found.labels == ("neutral", "surprise")
    assert found.counts.tolist() == [[8, 2, 0, 0], [0, 0, 3, 1]]
    assert found.war == pytest.approx(11 / 14)
    assert found.uar == pytest.approx((0.8 + 0.75) / 2)
    assert (found.no_face, found.unreadable) == (1, 1)
    assert found.sure == pytest.approx(11 / 13)
    assert found.sure_right == 1.0
    for value, (low, high) in (
        (found.war, found.war_interval),
        (found.uar, found.uar_interval),
        (0.8, found.recall_interval["neutral"]),
    ):
        assert 0 <= low < value < high <= 1
    # Wilson's interval for 8 of 10, as tables have it.
    assert found.recall_interval["neutral"] == pytest.approx((0.490, 0.943), abs=0.001)
    wide = found.recall_interval["surprise"][1] - found.recall_interval["surprise"][0]
    assert wide > found.recall_interval["neutral"][1] - found.recall_interval["neutral"][0]


def test_nothing_to_measure_is_said_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no such folder"):
        find_files(tmp_path / "none", LABELS)
    (tmp_path / "joyful").mkdir()
    with pytest.raises(SourceError, match="neutral, happiness, surprise"):
        find_files(tmp_path, LABELS)
    with pytest.raises(ModelError, match="none of the files"):
        score([Answer(LabelledFile(Path("a.mp4"), "neutral"), problem="gone")], LABELS)


def test_the_sheet_shows_the_surest_errors_first() -> None:
    answers = [answer("neutral", 0), answer("neutral", 1, 0.7), answer("surprise", 0, 0.9), answer("surprise", None)]
    chosen = worst(answers, LABELS)
    assert [item.file.label for item in chosen] == ["surprise", "neutral"]
    assert contact_sheet(chosen, LABELS).shape[1] > 320
    assert (contact_sheet([], LABELS) < 100).any()
