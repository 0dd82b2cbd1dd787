"""The image side of a bundle as a network that can be trained: an ONNX graph whose stored weights are parameters.

So the recogniser that ships with Mien, and others' small convolutional networks, can be gone on with although their
training code or checkpoint is not at hand. Batch norms were folded into the weights when the graph was made.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from mien.engine.errors import ModelError
from mien.engine.language import tr

_SMALLEST_WEIGHT: Final = 16
"""Stored tensors of fewer numbers, and those that are no floats, are constants: sizes, axes, grey levels of colours."""


class GraphNetwork(nn.Module):
    """Runs a description as `describe` gives it: ``frames`` (N,3,S,S) -> (N,D).

    Attributes:
        image_size: S. output_dim: D.
    """

    def __init__(self, graph: Mapping[str, Any]) -> None:
        super().__init__()
        try:
            self.image_size, self.output_dim = int(graph["size"]), int(graph["dim"])
            self._nodes = [
                (str(n["op"]), list(n["in"]), str(n["out"]), {k: _frozen(v) for k, v in n["with"].items()})
                for n in graph["nodes"]
            ]
            self._output = str(graph["output"])
            for name, shape in graph["weights"].items():
                weight = torch.zeros(*shape)
                if len(shape) >= 2:
                    nn.init.kaiming_normal_(weight)
                self.register_parameter(name, nn.Parameter(weight))
            self._numbers: dict[str, list[int]] = {}
            for name, value in graph["constants"].items():
                if value["type"] == "int":  # shapes and axes: part of the structure, never computed with
                    self._numbers[name] = [int(number) for number in value["data"]]
                    continue
                constant = torch.tensor(value["data"], dtype=torch.float32).view(value["shape"])
                self.register_buffer(name, constant, persistent=False)
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise ModelError(
                tr("the description of the backbone's graph is incomplete ({error})", error=error)
            ) from None
        unknown = sorted({op for op, *_ in self._nodes} - set(_OPERATIONS))
        if unknown:
            raise ModelError(
                tr(
                    "the backbone's graph has operations that cannot be trained here: {unknown}",
                    unknown=", ".join(unknown),
                )
            )

    def forward(self, frames: Tensor) -> Tensor:
        """(N,3,S,S) float RGB in [0,1] -> (N,D)."""
        known: dict[str, Tensor] = {"frames": frames}
        for op, inputs, output, options in self._nodes:
            known[output] = _OPERATIONS[op]([self._value(name, known) for name in inputs], options)
        return known[self._output]

    def _value(self, name: str, known: Mapping[str, Tensor]) -> Any:
        if not name:
            return None  # an input that is left out
        return known[name] if name in known else self._numbers[name] if name in self._numbers else getattr(self, name)


class GraphBackbone(nn.Module):
    """Stands where a CLIP would: an image side, and no text side."""

    def __init__(self, graph: Mapping[str, Any]) -> None:
        super().__init__()
        self.visual = GraphNetwork(graph)

    def encode_text(self, tokens: Tensor) -> Tensor:
        """Refuses: there is no text side.

        Raises:
            ModelError: always.
        """
        raise ModelError(tr('this backbone has no text encoder; set text = "vectors" in [model], and no captions'))


def describe(encoder: Path, size: int, dim: int) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """The graph of an encoder as plain lists and numbers, and its weights by name.

    Raises:
        ModelError: the file is damaged or has operations that are not known here.
    """
    import onnx
    from onnx import helper, numpy_helper

    try:
        graph = onnx.load(encoder).graph
    except Exception as error:  # protobuf raises many kinds
        raise ModelError(
            tr("{path}: not a valid ONNX file ({error})", path=encoder, error=" ".join(str(error).split())[:120])
        ) from None
    weights: dict[str, Tensor] = {}
    constants: dict[str, Any] = {}
    names: dict[str, str] = {}
    values = [(item.name, numpy_helper.to_array(item)) for item in graph.initializer]
    stored = [node for node in graph.node if node.op_type == "Constant"]
    values += [(node.output[0], numpy_helper.to_array(node.attribute[0].t)) for node in stored]
    for name, value in values:
        floats = np.issubdtype(value.dtype, np.floating)
        if floats and value.size >= _SMALLEST_WEIGHT:
            names[name] = f"weight_{len(weights):03d}_{re.sub(r'[^0-9A-Za-z]+', '_', name).strip('_')}"
            weights[names[name]] = torch.from_numpy(value.astype(np.float32))
        else:
            names[name] = f"constant_{len(constants):03d}"
            plain = value.astype(np.float64 if floats else np.int64)
            constants[names[name]] = {
                "type": "float" if floats else "int",
                "shape": list(value.shape),
                "data": plain.ravel().tolist(),
            }
    nodes = [
        {
            "op": node.op_type,
            "in": [names.get(name, name) for name in node.input],
            "out": node.output[0],
            "with": {item.name: _plain(helper.get_attribute_value(item)) for item in node.attribute},
        }
        for node in graph.node
        if node.op_type != "Constant"
    ]
    unknown = sorted({str(node["op"]) for node in nodes} - set(_OPERATIONS))
    if unknown:
        raise ModelError(
            tr(
                "{path}: has operations that cannot be trained here: {unknown}",
                path=encoder,
                unknown=", ".join(unknown),
            )
        )
    described = {
        "size": size,
        "dim": dim,
        "output": graph.output[0].name,
        "nodes": nodes,
        "weights": {name: list(value.shape) for name, value in weights.items()},
        "constants": constants,
    }
    return described, weights


def _plain(value: Any) -> Any:
    return value.decode() if isinstance(value, bytes) else list(value) if hasattr(value, "__len__") else value


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _axes(values: list[Any], options: Mapping[str, Any]) -> tuple[int, ...]:
    if len(values) > 1 and values[1] is not None:
        return tuple(values[1])
    return tuple(options.get("axes", ()))


def _reduced(how: Callable[..., Tensor]) -> Callable[[list[Any], Mapping[str, Any]], Tensor]:
    def reduce(values: list[Any], options: Mapping[str, Any]) -> Tensor:
        axes = _axes(values, options) or tuple(range(values[0].ndim))
        return how(values[0], dim=axes, keepdim=bool(options.get("keepdims", 1)))

    return reduce


def _conv(values: list[Any], options: Mapping[str, Any]) -> Tensor:
    x, weight, bias = [*values, None][:3]
    pads = options.get("pads", (0, 0, 0, 0))
    x = functional.pad(x, (pads[1], pads[3], pads[0], pads[2])) if any(pads) else x
    return functional.conv2d(
        x, weight, bias, options.get("strides", 1), 0, options.get("dilations", 1), options.get("group", 1)
    )


def _gemm(values: list[Any], options: Mapping[str, Any]) -> Tensor:
    a = values[0].T if options.get("transA") else values[0]
    b = values[1].T if options.get("transB") else values[1]
    product: Tensor = options.get("alpha", 1.0) * (a @ b)
    if len(values) > 2 and values[2] is not None:
        product = product + options.get("beta", 1.0) * values[2]
    return product


def _unsqueeze(values: list[Any], options: Mapping[str, Any]) -> Tensor:
    x: Tensor = values[0]
    for axis in sorted(_axes(values, options)):
        x = x.unsqueeze(axis)
    return x


_OPERATIONS: Final[dict[str, Callable[[list[Any], Mapping[str, Any]], Tensor]]] = {
    "Add": lambda v, _: v[0] + v[1],
    "Sub": lambda v, _: v[0] - v[1],
    "Mul": lambda v, _: v[0] * v[1],
    "Div": lambda v, _: v[0] / v[1],
    "Relu": lambda v, _: functional.relu(v[0]),
    "Sigmoid": lambda v, _: torch.sigmoid(v[0]),
    "HardSigmoid": lambda v, o: torch.clamp(o.get("alpha", 0.2) * v[0] + o.get("beta", 0.5), 0, 1),
    "Tanh": lambda v, _: torch.tanh(v[0]),
    "Sqrt": lambda v, _: torch.sqrt(v[0]),
    "Identity": lambda v, _: v[0],
    "Cast": lambda v, _: v[0],
    "Conv": _conv,
    "Gemm": _gemm,
    "MatMul": lambda v, _: v[0] @ v[1],
    "ReduceMean": _reduced(torch.mean),
    "ReduceSum": _reduced(torch.sum),
    "GlobalAveragePool": lambda v, _: v[0].mean(dim=(2, 3), keepdim=True),
    "Flatten": lambda v, o: v[0].flatten(o.get("axis", 1)),
    "Reshape": lambda v, _: v[0].reshape([v[0].shape[i] if n == 0 else n for i, n in enumerate(v[1])]),
    "Unsqueeze": _unsqueeze,
    "Squeeze": lambda v, o: v[0].squeeze(_axes(v, o)),
}
