"""CLIPs that other files lend: a backbone given as a checkpoint, and the text side that EmoCLIP's files may lack."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Any, Final

from mien.engine.errors import ModelError
from mien.engine.inference.bundle import MANIFEST, load_bundle
from mien.engine.language import tr
from mien.models.networks.config import ModelConfig
from mien.models.networks.graph_network import describe
from mien.models.networks.openclip import build_clip, clip_from_state, clip_part, clip_sizes, openai_state
from mien.models.safe_load import read_file, state_of

FORMAT: Final = "mien-checkpoint-1"
"""The mark of Mien's own checkpoints."""

EMBEDDED: Final = "embedded"
"""The backbone and the lender that is the recogniser which ships with Mien."""

_ENDINGS: Final = frozenset({".pt", ".pth", ".bin", ".ckpt"})


def with_known_backbone(config: ModelConfig) -> ModelConfig:
    """`config` with a backbone that a checkpoint can name: of a file, the sizes and weights of the CLIP in it.

    Raises:
        ModelError: the file is missing or unreadable, or holds no CLIP.
    """
    if not isinstance(config.backbone, str):
        return config
    folder = embedded_folder() if config.backbone == EMBEDDED else Path(config.backbone)
    if (folder / MANIFEST).is_file():
        manifest = load_bundle(folder).manifest
        graph, _ = describe(folder / "encoder.onnx", manifest.size, manifest.dim)
        # Its weights come with --from: without it, a bundle lends its shape alone.
        return replace(config, backbone={"graph": graph}, pretrained="", pixels="raw")
    if not (Path(config.backbone).suffix in _ENDINGS or Path(config.backbone).is_file()):
        return config
    file = Path(config.backbone)
    content = read_file(file)
    if isinstance(content, Mapping) and content.get("format") == FORMAT:
        own = content["card"]["config"]["backbone"]
        return replace(config, backbone=own, pretrained=str(file))
    try:
        sizes = clip_sizes(openai_state(clip_part(state_of(content, file))))
    except (KeyError, ValueError) as error:
        raise ModelError(
            tr(
                "{path}: holds no whole CLIP (no {error}); give an open_clip architecture as model.backbone",
                path=file,
                error=error,
            )
        ) from None
    return replace(config, backbone=sizes, pretrained=str(file))


def embedded_folder() -> Path:
    """Where the bundle is that ships with Mien."""
    return Path(str(resources.files("mien.assets").joinpath("embedded")))


def lent_clip(name: str) -> Any:
    """The CLIP that "ARCHITECTURE:WEIGHTS", or a checkpoint file, stands for.

    Raises:
        ModelError: there is none.
    """
    architecture, _, weights = name.partition(":")
    if Path(name).is_file():
        config = with_known_backbone(ModelConfig(backbone=name))
        if not isinstance(config.backbone, str):
            return clip_from_state(clip_part(state_of(read_file(Path(name)), Path(name))))
        return build_clip(config.backbone, config.pretrained)
    return build_clip(architecture, weights)
