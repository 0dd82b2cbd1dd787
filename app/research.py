"""The groups of commands for researchers: without what the train extra brings, one line says so."""

from __future__ import annotations

from typing import Any, Final

import click

from mien.engine.errors import MienError
from mien.engine.language import tr

_EXTRA: Final = frozenset(
    {"torch", "torchvision", "open_clip", "PIL", "onnx", "onnxscript", "onnx_ir", "accelerate", "tensorboard"}
)


class ResearchGroup(click.Group):
    """A group whose commands need the train extra."""

    def invoke(self, ctx: click.Context) -> Any:
        """As click's.

        Raises:
            MienError: a library of the train extra is missing.
        """
        try:
            return super().invoke(ctx)
        except ModuleNotFoundError as error:
            name = (error.name or "").partition(".")[0]
            if name not in _EXTRA:
                raise
            command = " ".join(filter(None, ("mien", ctx.info_name, ctx.invoked_subcommand)))
            raise MienError(
                tr(
                    "{command} needs {name}, which is not installed; install Mien with its train extra: "
                    "pip install 'mien[train]'",
                    command=command,
                    name=name,
                )
            ) from None
