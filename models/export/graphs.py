"""The parts of a model as ONNX graphs: one for pixels, one for time, one for words."""

from __future__ import annotations

import io
import logging
import warnings
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from mien.engine.disk import whole_file
from mien.models.networks.family import VideoTextModel

OPSET: Final = 18


class EncoderGraph(nn.Module):
    """``frames`` (n,3,S,S) RGB in [0,1] -> ``embeddings`` (n,D), normalisation inside."""

    def __init__(self, model: VideoTextModel) -> None:
        super().__init__()
        self.encoder = model.encoder

    def forward(self, frames: Tensor) -> Tensor:
        return torch.as_tensor(self.encoder(frames))


class TemporalGraph(nn.Module):
    """``embeddings`` (n,T,D), oldest first -> ``features`` (n,D) of unit length; ``values`` (n,V) if any."""

    def __init__(self, model: VideoTextModel) -> None:
        super().__init__()
        self.aggregator = model.aggregator
        self.head = model.head

    def forward(self, embeddings: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        vectors = self.aggregator(embeddings)
        features = functional.normalize(vectors, dim=-1)
        return features if self.head is None else (features, self.head(vectors))


class TextGraph(nn.Module):
    """``tokens`` (n,77) int64 -> ``vectors`` (n,D) of unit length."""

    def __init__(self, model: VideoTextModel) -> None:
        super().__init__()
        self.clip = model.clip

    def forward(self, tokens: Tensor) -> Tensor:
        return functional.normalize(self.clip.encode_text(tokens), dim=-1)


def write_graph(module: nn.Module, example: Tensor, path: Path, input_name: str, *output_names: str) -> None:
    """Export `module` of one tensor to ONNX with a free batch size, as one file.

    `example` must have a batch of two or more, because a size of one is taken for a constant.
    """
    program: Any
    with warnings.catch_warnings(), redirect_stdout(io.StringIO()), torch.no_grad():
        warnings.simplefilter("ignore")
        for name in ("torch.onnx", "onnxscript", "onnx_ir"):
            logging.getLogger(name).setLevel(logging.ERROR)
        program = torch.onnx.export(
            module.eval(),
            (example,),
            input_names=[input_name],
            output_names=list(output_names),
            dynamic_shapes=({0: torch.export.Dim("n")},),
            opset_version=OPSET,
            dynamo=True,
            verbose=False,
        )
        with whole_file(path) as fresh:
            program.save(fresh, external_data=False)
