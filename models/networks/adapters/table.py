"""The table of adapters. Imports no torch: configurations are checked without.

A new one is a file with an `AdapterType` and a line in `ADAPTERS`; training, checkpoints and export then know it.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, Protocol, cast

if TYPE_CHECKING:
    from torch import nn

ADAPTERS: Final = {
    "lora": "mien.models.networks.adapters.lora:Lora",
    "bottleneck": "mien.models.networks.adapters.bottleneck:Bottleneck",
}
"""The value of `adapter` in a [model] table, and the class that it stands for, as "module:class"."""

MARK: Final = "adapter"
"""Occurs in the name of each parameter that an adapter adds, and of no other."""


class AdapterType(Protocol):
    """Adds trainable parts to an image side, in place, whose first answers must be those of the image side alone.

    The names of what it adds contain `MARK`.
    """

    def attach(self, visual: nn.Module, options: Mapping[str, Any]) -> None:
        """Add them; a static or class method.

        Raises:
            ModelError: the image side is not one that it fits, or an option is wrong.
        """
        ...

    def merge(self, visual: nn.Module) -> None:
        """Fold into the weights what can be, so that an exported graph costs no more; a static or class method."""
        ...


def adapter_type(name: str) -> AdapterType:
    """The class in the table."""
    module, _, kind = ADAPTERS[name].partition(":")
    return cast("AdapterType", getattr(import_module(module), kind))
