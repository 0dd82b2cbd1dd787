"""The embedded recogniser's parts: network, augmentation, made clips, schedules, export."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is only needed for training; install the train extra")

from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

from mien.engine.inference.bundle import Manifest  # noqa: E402
from mien.engine.inference.predictor import Predictor  # noqa: E402
from mien.models.embedded.augment import Strength, augment, compress  # noqa: E402
from mien.models.embedded.calibrate import fit_temperature, softmax, uncertain_threshold  # noqa: E402
from mien.models.embedded.config import parse_config, read_config  # noqa: E402
from mien.models.embedded.ferplus import LABELS  # noqa: E402
from mien.models.embedded.network import Recogniser, classify  # noqa: E402
from mien.models.embedded.synthetic_clips import STEPS, clean_clips, troubled_clips  # noqa: E402
from mien.models.embedded.train import learning_rate, main  # noqa: E402
from mien.models.embedded.train_clips import (  # noqa: E402
    CHANGE_STEPS,
    ClipEmbeddings,
    training_batch,
)
from mien.models.networks.reader import TemporalReader  # noqa: E402

CONFIG = Path(__file__).parents[2] / "assets" / "embedded" / "train.toml"


def small() -> Recogniser:
    torch.manual_seed(3)
    return Recogniser((4, 8), (1, 1), 16, 0.0, len(LABELS), 10.0)


def test_encoder_shapes_and_grey_inside() -> None:
    network = small().eval()
    grey = torch.rand(3, 1, 48, 48)
    with torch.inference_mode():
        embeddings = network.encoder(grey.expand(-1, 3, -1, -1))
        assert embeddings.shape == (3, 16)
        # A grey image given as RGB is the same image.
        assert torch.allclose(embeddings, network.encoder.embed_grey(grey), atol=1e-5)
        assert torch.allclose(embeddings.mean(dim=1), torch.zeros(3), atol=1e-6)
        assert network(grey).shape == (3, len(LABELS))


def test_encoder_ignores_exposure() -> None:
    network = small().eval()
    grey = torch.rand(2, 1, 48, 48)
    with torch.inference_mode():
        same, dimmer = network.encoder.embed_grey(grey), network.encoder.embed_grey(grey * 0.8 + 0.1)
    assert torch.nn.functional.cosine_similarity(same, dimmer).min() > 0.99


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**31), side=st.sampled_from([32, 48]), count=st.integers(1, 3))
def test_made_clips_are_pictures_and_follow_the_seed(seed: int, side: int, count: int) -> None:
    stills = torch.rand(count, 1, side, side, generator=torch.Generator().manual_seed(seed))
    for make in (clean_clips, troubled_clips):
        first = make(stills, torch.Generator().manual_seed(seed))
        again = make(stills, torch.Generator().manual_seed(seed))
        assert first.shape == (count, STEPS, 1, side, side)
        assert first.min() >= 0 and first.max() <= 1
        assert torch.equal(first, again)


def test_troubled_clips_stray_further_than_clean_ones() -> None:
    y, x = torch.meshgrid(torch.linspace(0, 3, 48), torch.linspace(0, 5, 48), indexing="ij")
    stills = (0.5 + 0.25 * (torch.sin(x) + torch.cos(y))).clamp(0, 1).expand(32, 1, 48, 48)
    stills = (stills + stills.flip(3)) / 2  # the same when flipped, so that only trouble makes a difference

    def strays(clips: torch.Tensor) -> float:
        return float((clips - stills.unsqueeze(1)).abs().mean())

    rng = torch.Generator().manual_seed(0)
    assert strays(troubled_clips(stills, rng)) > 2 * strays(clean_clips(stills, rng))


def test_augmentation_without_strength_changes_little() -> None:
    none = Strength(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0)
    grey = torch.rand(4, 1, 48, 48).clamp(0.01, 1)
    rng = torch.Generator().manual_seed(0)
    out = augment(grey.clone(), none, rng)
    same = torch.minimum((out - grey).abs().amax((1, 2, 3)), (out - grey.flip(3)).abs().amax((1, 2, 3)))
    assert same.max() < 1e-4


def test_compression_gets_worse_with_less_quality() -> None:
    grey = torch.rand(2, 1, 48, 48)
    errors = [float((compress(grey, torch.full((2,), q)) - grey).abs().mean()) for q in (95.0, 50.0, 10.0)]
    assert errors == sorted(errors)
    assert errors[0] < 0.02


def test_learning_rate_rises_and_falls_in_each_cycle() -> None:
    config = replace(read_config(CONFIG).stills, cycles=(10, 20), warm_up=0.1, learning_rate=1.0, restart=0.5)
    assert learning_rate(config, 1.0) == pytest.approx(1.0)
    assert learning_rate(config, 9.999) < 1e-3
    assert learning_rate(config, 12.0) == pytest.approx(0.5)
    assert learning_rate(config, 30.0) < 1e-3


def test_a_misspelt_key_of_the_configuration_is_refused() -> None:
    data = tomllib.loads(CONFIG.read_text(encoding="utf-8"))
    data["clips"]["epoch"] = 3
    with pytest.raises(TypeError, match="epoch"):
        parse_config(data)


@pytest.mark.parametrize("depth", [1, 2])
def test_the_temporal_part_starts_as_an_average(depth: int) -> None:
    torch.manual_seed(0)
    reader = TemporalReader(32, depth, 4, 4, 16, STEPS + 1).eval()
    clip = torch.randn(5, 1, 32) + 0.5 * torch.randn(5, STEPS, 32)
    clip -= clip.mean(dim=2, keepdim=True)  # as the encoder's embeddings are
    mean = torch.nn.functional.normalize(clip, dim=2).mean(dim=1)
    with torch.inference_mode():
        answer = reader(clip)
        answer -= answer.mean(dim=1, keepdim=True)  # without the doubt
        assert torch.nn.functional.cosine_similarity(answer, mean).min() > 0.99


def test_long_embeddings_count_for_more() -> None:
    torch.manual_seed(0)
    reader = TemporalReader(32, 1, 4, 4, 16, STEPS + 1).eval()
    clip = 8 * torch.nn.functional.normalize(torch.randn(3, STEPS, 32), dim=2)
    longer = clip * torch.linspace(0.5, 3, STEPS).view(1, STEPS, 1)
    with torch.inference_mode():
        weights, doubt = reader.weigh(longer)
        assert (weights.diff(dim=1) > 0).all()
        assert torch.allclose(weights.sum(dim=1), torch.ones(3))
        assert (doubt > 0).all()
        assert (doubt < 0.5).all()
        assert reader(torch.zeros(1, STEPS, 32)).isfinite().all()


def test_doubt_makes_all_cosines_smaller() -> None:
    torch.manual_seed(0)
    reader = TemporalReader(32, 1, 4, 4, 16, STEPS + 1).eval()
    clip = torch.randn(4, STEPS, 32)
    clip -= clip.mean(dim=2, keepdim=True)
    text = torch.randn(8, 32)
    text -= text.mean(dim=1, keepdim=True)
    weights = torch.full((4, STEPS), 1 / STEPS)
    sure, unsure = (
        classify(reader.mixed(clip, weights, torch.full((4, 1), doubt)), text, torch.tensor(1.0))
        for doubt in (0.0, 1.0)
    )
    assert torch.allclose(unsure, sure / 2**0.5, atol=1e-5)


def test_only_calm_clips_change_and_each_has_its_owners_votes() -> None:
    count, dim = 400, 4
    numbers = torch.arange(count, dtype=torch.float32).view(count, 1, 1).expand(count, STEPS, dim)
    # Whose clip it is, and of which kind, can be told from the numbers.
    data = ClipEmbeddings(numbers, numbers + 1000, numbers + 2000, torch.eye(8)[torch.arange(count) % 8])
    config = replace(read_config(CONFIG).clips, clean=0.4, hidden=0.2, changed=0.5)
    made = training_batch(data, torch.arange(count), config, torch.Generator().manual_seed(0))
    newest, oldest = made.clips[:, -1, 0], made.clips[:, 0, 0]
    assert torch.equal(newest % 1000, made.owners.float())
    kinds = (newest // 1000).long()
    shares = torch.bincount(kinds, minlength=3) / count
    assert shares.tolist() == pytest.approx([0.5, 0.3, 0.2], abs=0.07)
    changed = newest != oldest
    assert (kinds[changed] == 0).all()
    assert float(changed[kinds == 0].float().mean()) == pytest.approx(0.5, abs=0.1)
    assert (made.clips[:, -CHANGE_STEPS:, 0] == newest.unsqueeze(1)).all()
    assert torch.equal(made.calm, kinds == 0)
    # Frames from before a change deserve nothing, but where the expression stays the same.
    differs = (newest.long() % 8 != oldest.long() % 8) & changed
    wanted = torch.where(differs.unsqueeze(1), made.clips[:, :, 0] == newest.unsqueeze(1), True).float()
    assert torch.allclose(made.even, wanted / wanted.sum(dim=1, keepdim=True))


def test_temperature_recovers_a_known_one() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, (4000, 4))
    truth = np.array([rng.choice(4, p=p) for p in softmax(logits, 1.0)])
    assert fit_temperature(logits * 2.5, truth) == pytest.approx(2.5, rel=0.1)
    probabilities = softmax(logits, 1.0)
    threshold = uncertain_threshold(probabilities, truth, 0.8)
    sure = probabilities.max(axis=1) >= threshold
    right = probabilities.argmax(axis=1) == truth
    assert right[sure].mean() >= 0.8
    assert sure.mean() < 1
    # Of fewer stills, or of the same ones seen twice, more confidence is asked.
    twice = np.concatenate([probabilities, probabilities]), np.concatenate([truth, truth])
    assert uncertain_threshold(*twice, 0.8, looks=2) == threshold
    assert uncertain_threshold(probabilities[:400], truth[:400], 0.8) > threshold
    assert uncertain_threshold(probabilities[:3], truth[:3], 0.8) == 1.0


def test_the_promise_of_an_accuracy_is_kept_on_other_faces() -> None:
    rng = np.random.default_rng(1)
    kept = []
    for _ in range(60):
        logits = rng.normal(0, 2, (2000, 4))
        probabilities = softmax(logits, 1.0)
        truth = (probabilities.cumsum(axis=1) > rng.random((2000, 1))).argmax(axis=1)
        threshold = uncertain_threshold(probabilities[:1000], truth[:1000], 0.85)
        # What is expected of the other thousand, without the luck of their own labels.
        confidence = probabilities[1000:].max(axis=1)
        kept.append(confidence[confidence >= threshold].mean() >= 0.85)
    assert np.mean(kept) >= 0.8


def test_export_gives_what_torch_gives(tmp_path: Path) -> None:
    from mien.models.embedded.export import export
    from mien.models.embedded.geometry import CROP

    network = small()
    temporal = TemporalReader(16, 1, 2, 4, 16, STEPS + 1)
    manifest = Manifest(
        name="tiny", version="1", labels=LABELS, logit_scale=10.0, temperature=1.5, steps=STEPS, size=48, dim=16,
        window_s=2.0, crop=CROP,
    )  # fmt: skip
    bundle = export(network, temporal, tmp_path / "tiny", manifest)
    assert bundle.manifest.export_max_difference is not None
    assert bundle.manifest.export_max_difference < 5e-5
    crops = np.random.default_rng(1).integers(0, 256, (STEPS, 48, 48, 3), dtype=np.uint8)
    predictor = Predictor(bundle, provider="cpu")
    exported = predictor.logits(predictor.embed(crops)[None])
    with torch.inference_mode():
        embeddings = network.eval().encoder(torch.from_numpy(crops).permute(0, 3, 1, 2).float() / 255)
        logits = classify(temporal.eval()(embeddings[None]), network.text, torch.tensor(10.0))
    assert np.abs(exported - logits.numpy()).max() < 5e-5


def test_training_runs_and_resumes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(0)
    votes = np.zeros((96, 10), dtype=np.uint8)
    votes[np.arange(96), np.arange(96) % 8] = 10
    data = tmp_path / "made.npz"
    images = rng.integers(0, 256, (96, 48, 48), dtype=np.uint8)
    np.savez(data, images=images, votes=votes, split=np.repeat([0, 1, 2], 32).astype(np.uint8))
    text = CONFIG.read_text(encoding="utf-8").replace("[32, 64, 112, 192]", "[4, 8]")
    text = text.replace("[1, 2, 2, 1]", "[1, 1]")
    text = text[: text.index("[distil]")] + text[text.index("[clips]") :]  # teachers: test_distillation
    lines = {
        "cycles": "[1, 1]",
        "aligned": "0.0",
        "faces": "0",
        "batch": "16",
        "epochs": "1",
        "dim": "16",
        "mlp_dim": "16",
    }
    for name, value in lines.items():
        text = "\n".join(f"{name} = {value}" if line.startswith(f"{name} =") else line for line in text.splitlines())
    config = tmp_path / "tiny.toml"
    config.write_text(text, encoding="utf-8")
    call = [str(config), "--data", str(data), "--out", str(tmp_path / "run")]
    main(call)
    assert (tmp_path / "run" / "clips.pt").exists()
    main(call)
    assert "resumed after epoch 2" in capsys.readouterr().out
