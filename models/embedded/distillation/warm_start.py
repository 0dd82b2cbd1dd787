"""Turns an exported bundle back into a training run, to go on from it or to learn from it.

    python -m mien.models.embedded.distillation.warm_start assets/embedded/train.toml --bundle assets/embedded \\
        --data ferplus.npz --out runs/before

The export folds every batch norm into the convolution before it, so its statistics are gone. They are measured again on
training images, augmented as in training; the network computes the same function as before.
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import Tensor, nn

from mien.engine.inference.bundle import Bundle, load_bundle
from mien.models.embedded.augment import Strength, augment
from mien.models.embedded.config import read_config
from mien.models.embedded.ferplus import read_stills
from mien.models.embedded.network import Recogniser, build
from mien.models.training.arguments import existing

__all__ = ["main", "restore"]

# Per filter, about what a trained network of this family has. Batch norm makes it matter for the learning rate alone.
_FILTER_NORM = 0.6


def _pairs(network: Recogniser) -> list[tuple[nn.Conv2d, nn.BatchNorm2d]]:
    """Convolutions with their batch norms, in the order in which the graph runs them."""
    stem = network.encoder.stem
    found: list[tuple[Any, Any]] = [(stem[0], stem[1])]
    for block in network.encoder.body:
        found += [(block.first, block.first_norm), (block.second, block.second_norm)]
        if isinstance(block.shortcut, nn.Sequential):
            found.append((block.shortcut[0], block.shortcut[1]))
    return found


def _set_statistics(norm: nn.BatchNorm2d, mean: Tensor, variance: Tensor) -> None:
    assert norm.running_mean is not None
    assert norm.running_var is not None
    norm.running_mean.copy_(mean)
    norm.running_var.copy_(variance)


@torch.no_grad()
def restore(network: Recogniser, bundle: Bundle, grey: Tensor) -> None:
    """Fills a network with a bundle's weights.

    Args:
        network: of the bundle's sizes, without squeeze-excite or depthwise blocks.
        bundle: what is read.
        grey: (n, 1, S, S) float grey in [0,1], on which the statistics of the batch norms are measured.
    """
    graph = onnx.load(bundle.encoder).graph
    values = {item.name: torch.from_numpy(numpy_helper.to_array(item).copy()) for item in graph.initializer}
    convolutions = [node for node in graph.node if node.op_type == "Conv"]
    pairs = _pairs(network)
    if len(convolutions) != len(pairs):
        raise ValueError(f"{bundle.encoder}: {len(convolutions)} convolutions, the configuration has {len(pairs)}")
    statistics: dict[nn.Module, tuple[Tensor, Tensor]] = {}

    def watch(norm: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        statistics[norm] = inputs[0].mean(dim=(0, 2, 3)), inputs[0].var(dim=(0, 2, 3), correction=0)

    hooks = [norm.register_forward_pre_hook(watch) for _, norm in pairs]
    for node, (convolution, norm) in zip(convolutions, pairs, strict=True):
        convolution.weight.copy_(values[node.input[1]])
        norm.weight.fill_((1 + norm.eps) ** 0.5)
        norm.bias.copy_(values[node.input[2]])
        _set_statistics(norm, torch.zeros_like(norm.bias), torch.ones_like(norm.bias))
    network.encoder.project.weight.copy_(values["project.weight"])
    network.encoder.project.bias.copy_(values["project.bias"])
    network.text.copy_(torch.from_numpy(bundle.text.copy()))
    network.log_scale.fill_(float(np.log(bundle.manifest.logit_scale)))
    network.eval()(grey)
    for hook in hooks:
        hook.remove()
    for convolution, norm in pairs:
        mean, variance = statistics[norm]
        factor = _FILTER_NORM / convolution.weight.flatten(1).norm(dim=1).mean()
        convolution.weight.mul_(factor)
        _set_statistics(norm, mean * factor, variance * factor**2)
        # A filter that never fires has no variance: a floor keeps its gain finite.
        norm.weight.copy_((variance * factor**2 + norm.eps).sqrt() / factor)
        norm.bias.add_(mean)


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line: writes ``stills.pt`` and ``config.toml`` of a run that ended with the bundle's weights."""
    parser = argparse.ArgumentParser(prog="python -m mien.models.embedded.distillation.warm_start", description=__doc__)
    parser.add_argument("config", type=existing, help="configuration that the bundle was trained with")
    parser.add_argument("--bundle", type=existing, required=True)
    parser.add_argument("--data", type=existing, required=True, help="ferplus.npz")
    parser.add_argument("--out", type=Path, required=True, help="folder to write the run into")
    given = parser.parse_args(arguments)
    config = read_config(given.config)
    network = build(config)
    stills = read_stills(given.data, "train")
    chosen = np.random.default_rng(0).permutation(len(stills))[:1024]
    grey = torch.from_numpy(stills.images[chosen]).unsqueeze(1).float() / 255
    strength: Strength = config.stills.augment
    restore(network, load_bundle(given.bundle), augment(grey, strength, torch.Generator().manual_seed(0)))
    given.out.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(given.config, given.out / "config.toml")
    torch.save({"averaged": network.state_dict(), "epoch": sum(config.stills.cycles) - 1}, given.out / "stills.pt")


if __name__ == "__main__":
    main()
