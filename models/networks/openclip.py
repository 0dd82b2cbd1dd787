"""The one door to open_clip: import it, build a CLIP by name or from a table of sizes, recognise one from its weights.

Weights that OpenAI released, and everything trained from them, need QuickGELU, x * sigmoid(1.702 x). open_clip loads
them just as readily into a network with the exact GELU, without an error and with wrong numbers, so the activation
is decided here and nowhere else.
"""

from __future__ import annotations

import importlib
import importlib.util
import logging
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor, nn

from mien.engine.errors import ModelError
from mien.engine.language import tr
from mien.models.networks.graph_network import GraphBackbone

CONTEXT_LENGTH: Final = 77
SOT: Final = 49406
EOT: Final = 49407
OPENAI_MEAN: Final = (0.48145466, 0.4578275, 0.40821073)
OPENAI_STD: Final = (0.26862954, 0.26130258, 0.27577711)
HEAD_WIDTH: Final = 64
"""Every OpenAI CLIP transformer has heads of this width; it cannot be read from the shapes of the weights."""

_ARCHIVE_ONLY = ("input_resolution", "context_length", "vocab_size")
_torchvision_schemas: list[torch.library.Library] = []


def open_clip() -> Any:
    """The open_clip module.

    Raises:
        ModelError: it is not installed, or does not import.
    """
    try:
        _admit_torchvision_without_kernels()
        return importlib.import_module("open_clip")
    except ImportError as error:
        raise ModelError(
            tr("open_clip cannot be imported ({error}); install Mien with its train extra", error=error)
        ) from None
    except RuntimeError as error:
        raise ModelError(
            tr(
                "open_clip cannot be imported ({error}); install the torchvision release that belongs to "
                "torch {version}",
                error=error,
                version=torch.__version__,
            )
        ) from None


def _admit_torchvision_without_kernels() -> None:
    """Let torchvision import where its compiled part does not fit the installed torch.

    open_clip uses torchvision's Python image transforms only, but torchvision stops with "operator torchvision::nms
    does not exist" when its compiled part fails to load (a CPU build of torch beside a CUDA build of torchvision, or
    releases that do not belong together). Declaring the two operators that it looks up without asking first gets
    past that; calling them would still fail, and nothing here does.
    """
    if _torchvision_schemas or importlib.util.find_spec("torchvision") is None:
        return
    folder = Path(str(importlib.util.find_spec("torchvision").origin)).parent  # type: ignore[union-attr]
    for compiled in [*folder.glob("_C*.so"), *folder.glob("_C*.pyd")]:
        try:
            torch.ops.load_library(str(compiled))  # type: ignore[no-untyped-call]
            return
        except OSError:
            continue
    library = torch.library.Library("torchvision", "DEF")  # type: ignore[no-untyped-call]
    for name in ("nms", "qnms"):
        library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")  # type: ignore[no-untyped-call]
    _torchvision_schemas.append(library)


def build_clip(backbone: str | Mapping[str, Any], pretrained: str = "") -> Any:
    """A CLIP network on the CPU in float32.

    Args:
        backbone: an open_clip architecture name, a table {embed_dim, vision_cfg, text_cfg, quick_gelu}, or {graph}, an
            image side as `mien.models.networks.graph_network` describes it.
        pretrained: an open_clip weight tag ("openai"), a file with weights, or "" for random weights.

    Raises:
        ModelError: no such architecture or weights, or the weights cannot be downloaded.
    """
    if isinstance(backbone, Mapping) and "graph" in backbone:
        return GraphBackbone(backbone["graph"])
    library = open_clip()
    file = Path(pretrained)
    if isinstance(backbone, Mapping):
        try:
            model = library.CLIP(**{"quick_gelu": True, **backbone})
        except (TypeError, KeyError, AssertionError) as error:
            raise ModelError(
                tr("the table of backbone sizes is not one of open_clip's ({error})", error=error)
            ) from None
        if pretrained:
            _load_file(model, file)
        return model
    if backbone not in library.list_models():
        near = [name for name in library.list_models() if name.lower().startswith(backbone.lower()[:5])][:6]
        if not near:
            raise ModelError(tr("open_clip has no architecture {backbone!r}", backbone=backbone))
        raise ModelError(
            tr(
                "open_clip has no architecture {backbone!r}; near it are {near}",
                backbone=backbone,
                near=", ".join(near),
            )
        )
    if pretrained and file.suffix != ".safetensors" and (file.is_file() or file.suffix in {".pt", ".pth"}):
        model = _create(library, backbone, "", force_quick_gelu=False)
        _load_file(model, file)
        return model
    if pretrained == "openai" and not backbone.endswith("-quickgelu"):
        # The weights decide the activation, whatever the name says.
        return _create(library, backbone, pretrained, force_quick_gelu=True)
    return _create(library, backbone, pretrained, force_quick_gelu=False)


def _create(library: Any, backbone: str, pretrained: str, force_quick_gelu: bool) -> Any:
    if not pretrained:
        # Random weights are asked for (others follow from a checkpoint); open_clip would warn of them.
        logging.disable(logging.WARNING)
    try:
        return library.create_model(backbone, pretrained=pretrained or None, force_quick_gelu=force_quick_gelu)
    except Exception as error:  # open_clip raises what its downloader raises
        reason = " ".join(str(error).split())[:200]
        raise ModelError(
            tr(
                "the weights {pretrained!r} of {backbone} could not be downloaded: {reason}",
                pretrained=pretrained,
                backbone=backbone,
                reason=reason,
            )
        ) from None
    finally:
        logging.disable(logging.NOTSET)


def _load_file(model: Any, file: Path) -> None:
    """Load the CLIP in a checkpoint of any kind that Mien knows.

    Raises:
        ModelError: it is unreadable or of other sizes.
    """
    from mien.models.safe_load import read_tensors

    try:
        model.load_state_dict(openai_state(clip_part(read_tensors(file))))
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:160]
        raise ModelError(
            tr("{path}: its CLIP is not of the sizes of model.backbone ({reason})", path=file, reason=reason)
        ) from None


def clip_part(state: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    """The tensors of the CLIP in a checkpoint of Mien's, DFER-CLIP's or EmoCLIP's; a plain CLIP's as they are."""
    for prefix in ("clip.", "clip_model_.", "backbone."):
        if any(key.startswith(f"{prefix}visual.") for key in state):
            return {key[len(prefix) :]: value for key, value in state.items() if key.startswith(prefix)}
    return state


def openai_state(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """OpenAI-named CLIP tensors in float32, without the three sizes that the original archive stores as entries."""
    return {key: value.float() for key, value in state.items() if key not in _ARCHIVE_ONLY}


def clip_from_state(state: Mapping[str, Tensor]) -> Any:
    """The CLIP whose OpenAI-named weights are in `state` (float16 or float32), sizes read from the shapes.

    Raises:
        ModelError: a tensor is missing, superfluous or of a shape that does not fit the rest.
    """
    state = openai_state(state)
    try:
        model = open_clip().CLIP(quick_gelu=True, **clip_sizes(state))
        model.load_state_dict(state, strict=True)
    except KeyError as error:
        raise ModelError(
            tr("the checkpoint's CLIP lacks {error}; it is not a complete OpenAI-named CLIP", error=error)
        ) from None
    except (RuntimeError, ValueError) as error:
        reason = " ".join(str(error).split())[:300]
        raise ModelError(
            tr("the checkpoint's CLIP is not a vision transformer of OpenAI's layout: {reason}", reason=reason)
        ) from None
    return model


def clip_sizes(state: Mapping[str, Tensor]) -> dict[str, Any]:
    """The table {embed_dim, vision_cfg, text_cfg} of the CLIP whose OpenAI-named weights are in `state`.

    Raises:
        KeyError: a tensor is missing.
    """
    width, _, _, patch = state["visual.conv1.weight"].shape
    grid = math.isqrt(state["visual.positional_embedding"].shape[0] - 1)
    text_width = state["ln_final.weight"].shape[0]
    return {
        "embed_dim": state["text_projection"].shape[1],
        "vision_cfg": {
            "layers": count_layers(state, "visual.transformer.resblocks."),
            "width": width,
            "head_width": HEAD_WIDTH,
            "patch_size": patch,
            "image_size": grid * patch,
        },
        "text_cfg": {
            "context_length": state["positional_embedding"].shape[0],
            "vocab_size": state["token_embedding.weight"].shape[0],
            "width": text_width,
            "heads": max(text_width // HEAD_WIDTH, 1),
            "layers": count_layers(state, "transformer.resblocks."),
        },
    }


def count_layers(state: Mapping[str, Tensor], prefix: str) -> int:
    """How many different layer numbers follow `prefix` in the keys."""
    return len({key[len(prefix) :].split(".")[0] for key in state if key.startswith(prefix)})


def text_tower(clip: Any) -> Any:
    """The module that holds token embedding, transformer, final norm and projection of a CLIP's text side."""
    return clip.text if hasattr(clip, "text") else clip


def visual_tower(clip: Any) -> nn.Module:
    """The image side of a CLIP: (N,3,S,S) normalised pixels -> (N,D)."""
    tower: nn.Module = clip.visual
    return tower


def image_size(clip: Any) -> int:
    """The side S in pixels of the square that the image side reads."""
    size = clip.visual.image_size
    return int(size[0] if isinstance(size, tuple | list) else size)


def pixel_statistics(clip: Any) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """The mean and standard deviation of each channel that the weights were trained with."""
    settings = getattr(clip.visual, "preprocess_cfg", None) or {}
    mean, std = settings.get("mean", OPENAI_MEAN), settings.get("std", OPENAI_STD)
    return tuple(map(float, mean)), tuple(map(float, std))
