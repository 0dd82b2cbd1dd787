"""What reads the embeddings of a clip: the table of aggregators. Imports no torch: configurations are checked without.

A new one is a file with an `AggregatorType` and a line in `AGGREGATORS`; training, export and the window then know it.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, Protocol, cast

if TYPE_CHECKING:
    from torch import nn

AGGREGATORS: Final = {
    "mean": "mien.models.networks.mean:MeanPool",
    "transformer": "mien.models.networks.transformer:TemporalTransformer",
    "reader": "mien.models.networks.reader:TemporalReader",
}
"""The value of `aggregator` in a [model] table, and the class that it stands for, as "module:class"."""


class AggregatorConfig(Protocol):
    """What an aggregator may ask for: those parts of a `ModelConfig` that concern time."""

    @property
    def aggregator(self) -> str: ...
    @property
    def aggregator_options(self) -> Mapping[str, Any]: ...
    @property
    def steps(self) -> int: ...
    @property
    def depth(self) -> int: ...
    @property
    def heads(self) -> int: ...
    @property
    def head_dim(self) -> int: ...
    @property
    def mlp_dim(self) -> int: ...
    @property
    def max_len(self) -> int: ...


class AggregatorType(Protocol):
    """A class of networks that read frame embeddings (B,T,D), oldest first, into one vector per clip (B,D).

    The vector needs no normalisation: `VideoTextModel` and the export do that. The network must be one that
    `torch.onnx.export` can write for any B.
    """

    def from_config(self, dim: int, config: AggregatorConfig) -> nn.Module:
        """A network for embeddings of `dim` numbers.

        A class method of the class in the table. What the shared sizes (`depth`, `heads`, ...) do not say, it finds in
        `config.aggregator_options`.

        Raises:
            ModelError: `config` cannot be met; the message names the setting.
        """
        ...


def build_aggregator(dim: int, config: AggregatorConfig) -> nn.Module:
    """The network that `config.aggregator` names, for embeddings of `dim` numbers.

    Raises:
        ModelError: its settings do not fit.
    """
    module, _, name = AGGREGATORS[config.aggregator].partition(":")
    return cast("AggregatorType", getattr(import_module(module), name)).from_config(dim, config)
