"""Smaller weights in a finished graph: stored in half precision, or int8 with scales chosen when the graph runs."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Final

import numpy as np

from mien.engine.disk import whole_file
from mien.engine.system import silence_telemetry

_SMALL: Final = 1024
"""Tensors of fewer elements (norms, biases, scales) stay float32: they weigh nothing and matter much."""


def to_half_weights(path: Path) -> None:
    """Store the weights in an ONNX file as float16, in place; the arithmetic stays float32.

    Each weight is cast back when the graph is loaded, so results differ by the rounding of the weights only, on any
    provider. Half-precision arithmetic is not used: ONNX Runtime's CPU provider (1.31) crashes when it optimises
    such a vision transformer, and a bundle must run everywhere.
    """
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    model = onnx.load(path)
    casts = []
    for tensor in model.graph.initializer:
        array = numpy_helper.to_array(tensor) if tensor.data_type == TensorProto.FLOAT else None
        if array is None or array.size < _SMALL or np.abs(array).max() > np.finfo(np.float16).max:
            continue
        name = tensor.name
        tensor.CopyFrom(numpy_helper.from_array(array.astype(np.float16), f"{name}.half"))
        casts.append(helper.make_node("Cast", [f"{name}.half"], [name], to=TensorProto.FLOAT))
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    # Shapes of initialisers that the exporter noted carry the old type under the old name; they are not needed.
    del model.graph.value_info[:]
    with whole_file(path) as fresh:
        onnx.save(model, fresh)


def to_int8(path: Path) -> None:
    """Quantise the weights of the matrix products in an ONNX file to int8, in place.

    Activations are quantised when the graph runs, so no calibration data is needed. Convolutions stay float32:
    the patch embedding is a small part of the work, and errors in it reach everything.
    """
    silence_telemetry()
    from onnxruntime.quantization import QuantType, quantize_dynamic

    logging.getLogger().setLevel(logging.ERROR)  # the tool advises on the root logger
    with whole_file(path) as fresh:
        quantize_dynamic(
            path, fresh, op_types_to_quantize=["MatMul", "Gemm"], weight_type=QuantType.QInt8, per_channel=True
        )
