"""The temporal transformer against a plain second calculation, and its behaviour in time."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="torch is only needed for training; install the train extra")

from mien.models.networks.transformer import TemporalTransformer, from_official_keys  # noqa: E402


def test_published_sizes_have_the_published_numbers_of_parameters() -> None:
    # 2.11 million and 68.7 million, counted on the original networks.
    for sizes, expected in (((512, 1, 8, 64, 1024, 17), 2_110_464), ((512, 2, 8, 2048, 512, 1024), 68_689_408)):
        with torch.device("meta"):
            network = TemporalTransformer(*sizes)
        assert sum(p.numel() for p in network.parameters()) == expected


def test_equals_the_equations_written_out_step_by_step() -> None:
    torch.manual_seed(0)
    network = TemporalTransformer(6, 1, 2, 4, 5, 9).double()
    frames = torch.randn(1, 3, 6, dtype=torch.float64)
    layer = network.layers[0]
    h = torch.cat([network.cls_token[0], frames[0]]) + network.pos_embedding[0, :4]

    def norm(x: torch.Tensor) -> torch.Tensor:
        return (x - x.mean(1, keepdim=True)) / (x.var(1, unbiased=False, keepdim=True) + 1e-5).sqrt()

    qkv = norm(h) @ layer.attention.to_qkv.weight.T
    heads = []
    for i in range(2):
        q, k, v = (qkv[:, part * 8 + i * 4 : part * 8 + i * 4 + 4] for part in range(3))
        heads.append(torch.softmax(q @ k.T / 2, dim=1) @ v)
    h = h + torch.cat(heads, 1) @ layer.attention.to_out.weight.T + layer.attention.to_out.bias
    z = norm(h) @ layer.mlp.widen.weight.T + layer.mlp.widen.bias
    z = 0.5 * z * (1 + torch.tanh((2 / torch.pi) ** 0.5 * (z + 0.044715 * z**3)))
    h = h + z @ layer.mlp.narrow.weight.T + layer.mlp.narrow.bias
    assert torch.allclose(network(frames)[0], h[0], atol=1e-12)


def test_order_matters_and_short_clips_are_taken() -> None:
    torch.manual_seed(1)
    network = TemporalTransformer(8, 1, 2, 4, 16, 17)
    clip = torch.randn(2, 16, 8)
    assert network(clip).shape == (2, 8)
    assert not torch.allclose(network(clip), network(clip.flip(1)), atol=1e-3)
    assert network(clip[:, :5]).shape == (2, 8)


def test_published_keys_are_renamed_and_unknown_ones_refused() -> None:
    network = TemporalTransformer(8, 1, 2, 4, 16, 17)
    prefix = "temporal_transformer.layers.0."
    old = {
        "cls_token": network.cls_token,
        "pos_embedding": network.pos_embedding,
        f"{prefix}0.fn.norm.weight": torch.zeros(8),
        f"{prefix}0.fn.norm.bias": torch.zeros(8),
        f"{prefix}0.fn.fn.to_qkv.weight": torch.zeros(24, 8),
        f"{prefix}0.fn.fn.to_out.0.weight": torch.zeros(8, 8),
        f"{prefix}0.fn.fn.to_out.0.bias": torch.zeros(8),
        f"{prefix}1.fn.norm.weight": torch.zeros(8),
        f"{prefix}1.fn.norm.bias": torch.zeros(8),
        f"{prefix}1.fn.fn.net.0.weight": torch.zeros(16, 8),
        f"{prefix}1.fn.fn.net.0.bias": torch.zeros(16),
        f"{prefix}1.fn.fn.net.3.weight": torch.zeros(8, 16),
        f"{prefix}1.fn.fn.net.3.bias": torch.zeros(8),
    }
    network.load_state_dict(from_official_keys(old))
    with pytest.raises(KeyError, match="surprise"):
        from_official_keys({"surprise": torch.zeros(1)})
