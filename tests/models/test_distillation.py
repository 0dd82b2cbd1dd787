"""Teachers, unlabelled faces, a student that learns from both, and weights read back from a bundle."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import cv2
import matplotlib.cbook
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is only needed for training; install the train extra")

from mien.engine.faces.detection import open_detector  # noqa: E402
from mien.engine.inference.bundle import load_bundle  # noqa: E402
from mien.engine.inference.predictor import Predictor  # noqa: E402
from mien.models.embedded import calibrate, pipeline, train  # noqa: E402
from mien.models.embedded.augment import Strength, augment, warp  # noqa: E402
from mien.models.embedded.calibrate import choose_strength  # noqa: E402
from mien.models.embedded.config import DistilConfig, read_config  # noqa: E402
from mien.models.embedded.distillation.fairface import PADDED, crops, read_faces  # noqa: E402
from mien.models.embedded.distillation.teachers import Teachers, distilled  # noqa: E402
from mien.models.embedded.distillation.warm_start import restore  # noqa: E402
from mien.models.embedded.ferplus import LABELS, SIDE  # noqa: E402
from mien.models.embedded.geometry import CROP, aligned, measure  # noqa: E402
from mien.models.embedded.network import Recogniser, build  # noqa: E402

BUNDLE = Path(__file__).parents[2] / "assets" / "embedded"
SMALL = {
    "widths": "[4, 8]", "blocks": "[1, 1]", "cycles": "[1, 1]", "batch": "16", "epochs": "1", "dim": "16",
    "mlp_dim": "16", "faces": "4", "width": "8",
}  # fmt: skip


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    """Commands that train set torch up for it, which other tests of this process are not to feel."""
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)
    torch.set_flush_denormal(False)


def small_config(name: str, folder: Path) -> Path:
    lines = (BUNDLE / name).read_text(encoding="utf-8").splitlines()
    for key, value in SMALL.items():
        lines = [f"{key} = {value}" if line.startswith(f"{key} =") else line for line in lines]
    (folder / name).write_text("\n".join(lines), encoding="utf-8")
    return folder / name


def write_stills(file: Path) -> None:
    rng = np.random.default_rng(0)
    votes = np.zeros((96, 10), dtype=np.uint8)
    votes[np.arange(96), np.arange(96) % 8] = 10
    images = rng.integers(0, 256, (96, 48, 48), dtype=np.uint8)
    np.savez(file, images=images, votes=votes, split=np.repeat([0, 1, 2], 32).astype(np.uint8))


def test_stills_are_turned_as_live_crops_are(detector_file: Path) -> None:
    with matplotlib.cbook.get_sample_data("grace_hopper.jpg", asfileobj=True) as file:
        portrait = cv2.imdecode(np.frombuffer(file.read(), np.uint8), cv2.IMREAD_GRAYSCALE)
    turned = cv2.getRotationMatrix2D((265, 195), 15, SIDE / 260)
    turned[:, 2] += (SIDE / 2 + 3 - 265, SIDE / 2 - 195)
    still = cv2.warpAffine(portrait, turned, (SIDE, SIDE), flags=cv2.INTER_AREA)
    images = np.stack([still, np.full_like(still, 90)])
    target = np.array([CROP.right_eye, CROP.left_eye, CROP.mouth])
    with closing(open_detector(detector_file)) as detector:
        upright, found = aligned(images, detector)
        before, after = (np.abs(measure(some[:1], detector) - target).max() for some in (images, upright))
    assert found == 1
    assert before > 0.1
    assert after < 0.06
    assert np.array_equal(upright[1], images[1])


def write_faces(file: Path, count: int = 12) -> None:
    y, x = np.mgrid[:96, :96]
    coded = [cv2.imencode(".jpg", ((x + number * y) % 200).astype(np.uint8))[1] for number in range(count)]
    offsets = np.cumsum([0, *(len(jpeg) for jpeg in coded)])
    words = {name: np.array([name] * count) for name in ("age", "gender", "race")}
    split = np.array(["train", "train", "val"] * (count // 3))
    np.savez(file, jpeg=np.concatenate([jpeg.ravel() for jpeg in coded]), offsets=offsets, split=split, **words)


def test_teachers_and_student_are_trained_in_pieces(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_stills(tmp_path / "made.npz")
    write_faces(tmp_path / "faces.npz")
    out = tmp_path / "runs"
    call = [
        "--teacher", small_config("teacher.toml", tmp_path), "--student", small_config("student.toml", tmp_path),
        "--data", tmp_path / "made.npz", "--faces", tmp_path / "faces.npz", "--out", out,
        "--teacher-seeds", 1, "--student-seeds", 2,
    ]  # fmt: skip
    call = [str(part) for part in call]
    with pytest.raises(SystemExit) as stopped:
        pipeline.main([*call, "--minutes", "0"])
    assert stopped.value.code == pipeline.OUT_OF_TIME
    assert "stopped after epoch 1 of 2" in capsys.readouterr().out
    pipeline.main(call)
    said = capsys.readouterr().out
    assert "resumed after epoch 1" in said
    assert "all is done" in said
    bundle = load_bundle(out / "bundle-2")
    assert bundle.manifest.class_prior is not None
    assert "1 teachers" in bundle.manifest.provenance["learned_from"][1]
    calibrate.main(["--data", str(tmp_path / "made.npz"), "--bundle", str(out / "bundle-2"), "--strength", "0.2"])
    assert load_bundle(out / "bundle-2").manifest.prior_strength == pytest.approx(0.2)
    teacher = build(read_config(out / "teacher-1" / "config.toml"))
    teacher.load_state_dict(torch.load(out / "teacher-1" / "stills.pt", weights_only=True)["averaged"])
    assert teacher.offset.exp().sum() == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("left_out", "said"),
    [
        ("--teachers", "learns from teachers: name the folders of their runs by --teachers"),
        ("--faces", "learns from unlabelled faces: name the file that holds them by --faces"),
    ],
)
def test_what_training_lacks_is_one_line(
    left_out: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_stills(tmp_path / "made.npz")
    write_faces(tmp_path / "faces.npz")
    call = {"--data": "made.npz", "--faces": "faces.npz", "--teachers": "", "--out": "run"}
    given = [part for name, value in call.items() if name != left_out for part in (name, str(tmp_path / value))]
    with pytest.raises(SystemExit) as stopped:
        train.main([str(small_config("student.toml", tmp_path)), *given])
    assert stopped.value.code == 2
    assert said in capsys.readouterr().err
    with pytest.raises(SystemExit):
        train.main(["nowhere.toml", *given])
    assert "nowhere.toml: no such file or folder" in capsys.readouterr().err


def test_aligned_stills_are_made_anew_for_other_stills(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_stills(tmp_path / "made.npz")
    config = read_config(small_config("student.toml", tmp_path))
    config = replace(config, distil=None, stills=replace(config.stills, aligned=0.5))
    for said in ("faces found again", "", "faces found again"):  # made, kept, made anew
        train.load_material(config, tmp_path / "made.npz", torch.device("cpu"), None, (), tmp_path)
        assert said in capsys.readouterr().out if said else not capsys.readouterr().out
        if not said:  # the next time the file holds other stills
            with np.load(tmp_path / "made.npz") as made:
                np.savez(tmp_path / "made.npz", **{**made, "images": 255 - made["images"]})


def test_unlabelled_faces_are_the_middle_of_the_file(tmp_path: Path) -> None:
    write_faces(tmp_path / "faces.npz")
    faces = read_faces(tmp_path / "faces.npz", "train")
    assert faces.images.shape == (8, PADDED, PADDED)
    assert crops(faces).shape == (8, SIDE, SIDE)
    assert faces.age.shape == (8,)


def test_the_margin_moves_in_where_a_warp_needs_it() -> None:
    large = torch.rand(2, 1, PADDED, PADDED)
    ones, none = torch.ones(2), torch.zeros(2)
    margin = (PADDED - SIDE) // 2
    still = warp(large, none, ones, ones, none, torch.zeros(2, 2), SIDE)
    assert torch.allclose(still, large[:, :, margin:-margin, margin:-margin], atol=1e-5)
    moved = warp(large, none, ones, ones, none, torch.tensor([[4 / SIDE, 0.0]] * 2), SIDE)
    assert torch.allclose(moved, large[:, :, margin:-margin, margin + 4 : margin + 4 + SIDE], atol=1e-4)
    strength = Strength(10, 0.1, 0.05, 0, 0, 0.3, 0.2, 0.1, 0.05, 1, 20, 0.5, 0.5)
    assert augment(large, strength, torch.Generator().manual_seed(0), SIDE).shape == (2, 1, SIDE, SIDE)


def test_a_student_that_says_what_its_teachers_say_has_nothing_to_learn() -> None:
    torch.manual_seed(0)
    networks = [Recogniser((4, 8), (1, 1), 16, 0.0, len(LABELS), 10.0) for _ in range(2)]
    grey = torch.rand(5, 1, SIDE, SIDE)
    taught = Teachers(networks)(grey)
    assert torch.allclose(taught.exp().sum(dim=1), torch.ones(5), atol=1e-4)
    log_prior = torch.linspace(0, -3, len(LABELS)).log_softmax(dim=0)
    config = DistilConfig(strength=0.5, teacher_share=1.0, faces_share=0.5)
    logits = taught.clone().requires_grad_()
    distilled(logits, taught, log_prior, config).backward()
    assert logits.grad is not None
    assert logits.grad.abs().max() < 1e-6
    assert distilled(-taught, taught, log_prior, config) > distilled(taught, taught, log_prior, config)


def test_weights_come_back_from_a_bundle() -> None:
    bundle = load_bundle(BUNDLE)
    network = build(read_config(BUNDLE / "train.toml"))
    crop = np.random.default_rng(0).integers(0, 256, (6, 48, 48), dtype=np.uint8)
    grey = torch.from_numpy(crop).unsqueeze(1).float() / 255
    restore(network, bundle, grey)
    expected = Predictor(bundle, provider="cpu").embed(np.repeat(crop[..., None], 3, axis=3))
    with torch.inference_mode():
        found = network.eval().encoder.embed_grey(grey).numpy()
    assert np.abs(found - expected).max() < 1e-3 * np.abs(expected).max()


def test_the_strength_is_chosen_for_both_rates_while_probabilities_stay_true() -> None:
    rng = np.random.default_rng(0)
    prior = np.array([0.6, 0.3, 0.07, 0.03])
    truth = rng.choice(4, 4000, p=prior)
    evidence = rng.normal(0, 1, (4000, 4)) + 2.0 * np.eye(4)[truth]
    strength, temperature = choose_strength(2 * evidence + np.log(prior), truth, np.log(prior))
    assert 0 < strength < 1
    # With part of the prior gone, the likelihood asks for somewhat sharper evidence.
    assert 0.7 < temperature < 1.05
