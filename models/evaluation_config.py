"""Which data a checkpoint is scored on."""

from __future__ import annotations

from pathlib import Path

from engine.errors import ModelError
from models.checkpoints import FORMAT
from models.safe_load import read_file
from models.train_config import RunConfig, parse_config, read_config


def config_of(checkpoint: Path, config: Path | None, *, default_fold: int) -> tuple[RunConfig, int]:
    """The configuration for scoring `checkpoint`, and its fold.

    A checkpoint of mien train carries its own; `config` replaces it. Published checkpoints need one.

    Raises:
        ModelError: there is none.
    """
    content = read_file(checkpoint)
    own = content.get("training") if isinstance(content, dict) and content.get("format") == FORMAT else None
    fold = int(own["fold"]) if own else default_fold
    if config is not None:
        return read_config(config), fold
    if not own:
        raise ModelError(f"{checkpoint}: not a checkpoint of mien train, so it needs --config with its [data]")
    return parse_config(own["config"], Path(own["folder"])), fold
