"""The surgery on ONNX files that `wrap` needs: reading what a network expects, and sewing Mien's ends to it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from mien.engine.disk import whole_file
from mien.engine.errors import ModelError
from mien.engine.language import tr

_LUMA: Final = (0.299, 0.587, 0.114)  # Rec. 601
_OLDEST: Final = 9  # opset; older ones have neither broadcasting nor Scan as used here
_SMALLEST_SHARE: Final = 1e-9
_TYPES: Final = {TensorProto.FLOAT: np.float32, TensorProto.FLOAT16: np.float16, TensorProto.DOUBLE: np.float64}

# Where batch, time, channel, height and width stand.
_FRAME_LAYOUTS: Final = ("ncss", "nssc")
_CLIP_LAYOUTS: Final = ("ntcss", "nctss", "ntssc")


@dataclass(frozen=True, slots=True)
class Network:
    """What an ONNX file expects and gives.

    Attributes:
        model: the file. input, output: names.
        layout: its axes: n batch, t time, c channels, s sides.
        size: S. steps: T; 0: reads single frames. channels: 1 or 3.
        type: NumPy's type of its input. ends_in_softmax: its last operation.
    """

    model: Any
    input: str
    output: str
    layout: str
    size: int
    steps: int
    channels: int
    type: Any
    ends_in_softmax: bool

    @property
    def clips(self) -> bool:
        """Whether it reads whole clips."""
        return self.steps > 0

    def arranged(self, pixels: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """(n,c,S,S) or (n,T,c,S,S) in the network's own layout."""
        return np.ascontiguousarray(pixels.transpose(_order("ntcss" if self.clips else "ncss", self.layout)))


def read_network(file: Path, *, size: int | None = None, steps: int | None = None) -> Network:
    """The network in an ONNX file.

    Args:
        size, steps: where the graph leaves them open; they must not contradict it.

    Raises:
        ModelError: it is unreadable, or no classifier of square images; the message says which shape was expected.
    """
    if not file.is_file():
        raise ModelError(tr("{path}: no such file; give an ONNX file", path=file))
    try:
        model = onnx.load(file)
        onnx.checker.check_model(model)
    except Exception as error:  # protobuf and the checker raise many kinds
        raise ModelError(
            tr("{path}: not a valid ONNX file ({error})", path=file, error=" ".join(str(error).split())[:120])
        ) from None
    opset = next((entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")), 0)
    if opset < _OLDEST:
        raise ModelError(
            tr(
                "{path}: made for ONNX opset {opset}; export it with opset {oldest} or newer",
                path=file,
                opset=opset,
                oldest=_OLDEST,
            )
        )
    constants = {item.name for item in model.graph.initializer}
    inputs = [item for item in model.graph.input if item.name not in constants]
    if len(inputs) != 1:
        names = ", ".join(item.name for item in inputs)
        raise ModelError(
            tr(
                "{path}: has {count} inputs ({names}); expected one, of images",
                path=file,
                count=len(inputs),
                names=names,
            )
        )
    found = inputs[0].type.tensor_type
    if found.elem_type not in _TYPES:
        kind = TensorProto.DataType.Name(found.elem_type)
        raise ModelError(tr("{path}: reads {kind}; expected an input of floating-point numbers", path=file, kind=kind))
    dims = [dim.dim_value if dim.HasField("dim_value") and dim.dim_value > 0 else None for dim in found.shape.dim]
    layout = _layout(file, dims)
    sides = {dims[i] for i, axis in enumerate(layout) if axis == "s"} - {None}
    given = _shown(dims)
    if len(sides) > 1:
        raise ModelError(
            tr("{path}: reads {given}; expected square images, as (n, 3, 224, 224)", path=file, given=given)
        )
    side = sides.pop() if sides else size
    if side is None:
        raise ModelError(
            tr("{path}: reads {given}, which leaves the size open; name it with --size", path=file, given=given)
        )
    if size is not None and size != side:
        raise ModelError(
            tr(
                "{path}: reads {given}, so its images have {side} pixels a side, not {size}; leave out --size",
                path=file,
                given=given,
                side=side,
                size=size,
            )
        )
    time = dims[layout.index("t")] or steps if "t" in layout else 0
    if "t" in layout and not time:
        raise ModelError(
            tr(
                "{path}: reads {given}, which leaves the number of frames open; name it with --steps",
                path=file,
                given=given,
            )
        )
    if "t" in layout and steps is not None and steps != time:
        raise ModelError(
            tr(
                "{path}: reads {given}, so its clips have {time} frames, not {steps}; leave out --steps",
                path=file,
                given=given,
                time=time,
                steps=steps,
            )
        )
    output = model.graph.output[0].name
    last = next((node.op_type for node in model.graph.node if output in node.output), "")
    channels = dims[layout.index("c")] or 3
    return Network(
        model, inputs[0].name, output, layout, int(side), int(time or 0), channels, _TYPES[found.elem_type],
        last == "Softmax",
    )  # fmt: skip


def _layout(file: Path, dims: list[int | None]) -> str:
    for layout in _FRAME_LAYOUTS if len(dims) == 4 else _CLIP_LAYOUTS if len(dims) == 5 else ():
        sides = [dims[i] for i, axis in enumerate(layout) if axis == "s"]
        # A side may be left open, and so may the number of channels.
        if dims[layout.index("c")] in (1, 3) and (sides[0] == sides[1] or None in sides or 3 not in sides):
            return layout
    if len(dims) in (4, 5) and dims[1 if len(dims) == 4 else 2] is None:
        return "ncss" if len(dims) == 4 else "ntcss"
    raise ModelError(
        tr(
            "{path}: reads {shown}; expected images, (n, 3, S, S) or (n, S, S, 3) with 1 or 3 channels, "
            "or clips, (n, T, 3, S, S) or (n, 3, T, S, S)",
            path=file,
            shown=_shown(dims),
        )
    )


def _shown(dims: list[int | None]) -> str:
    return "(" + ", ".join("?" if dim is None else str(dim) for dim in dims) + ")"


def _order(of: str, to: str) -> list[int]:
    """The permutation of axes from layout `of` to layout `to`; the two sides keep their order."""
    rest = list(enumerate(of))
    order = []
    for axis in to:
        at = next(i for i, (_, name) in enumerate(rest) if name == axis)
        order.append(rest.pop(at)[0])
    return order


def write_wrapped(network: Network, path: Path, options: Any, steps: int, *, by_row: bool) -> None:
    """Write the network with Mien's ends: ``frames`` in, ``embeddings`` or ``features`` (n,C) out, which are logits.

    Args:
        options: a `WrapOptions`.
        by_row: run the network as it is, with a batch of one, on each row in turn.
    """
    model = onnx.ModelProto()
    model.CopyFrom(network.model)
    graph = model.graph
    if "mien/" in "".join(name for node in graph.node for name in node.output):
        raise ModelError(tr("the network is a wrapped one; wrap the original"))
    output = "features" if network.clips else "embeddings"
    before, constants = _pixels_in(network, options)
    if by_row:
        inner, answer = _by_row(network, graph, constants)
    else:
        _free_the_batch(graph)
        inner, answer = list(graph.node), network.output
        constants += list(graph.initializer)
    after, more = _logits_out(network, options, answer, output)
    constants += more
    side = network.size
    shape: list[str | int | None] = ["n", steps, 3, side, side] if network.clips else ["n", 3, side, side]
    whole = helper.make_graph(
        [*before, *inner, *after],
        "wrapped",
        [helper.make_tensor_value_info("frames", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, ["n", len(options.labels)])],
        initializer=constants,
    )
    wrapped = helper.make_model(whole, opset_imports=model.opset_import, functions=model.functions)
    wrapped.ir_version = max(model.ir_version, 4)
    with whole_file(path) as fresh:
        onnx.save(wrapped, fresh)


def write_averaging(path: Path, steps: int, classes: int) -> None:
    """Write ``temporal.onnx`` of a network of frames: the mean of its logits over the window."""
    node = helper.make_node("ReduceMean", ["embeddings"], ["features"], axes=[1], keepdims=0)
    graph = helper.make_graph(
        [node],
        "mean",
        [helper.make_tensor_value_info("embeddings", TensorProto.FLOAT, ["n", steps, classes])],
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["n", classes])],
    )
    with whole_file(path) as fresh:
        onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), fresh)


def _pixels_in(network: Network, options: Any) -> tuple[list[Any], list[Any]]:
    """Nodes from ``frames`` to the network's input, with what they need: one convolution does all the arithmetic."""
    mix = np.array([_LUMA]) if network.channels == 1 else np.eye(3)[:: -1 if options.order == "bgr" else 1]
    mean, std = (np.resize(np.array(values, np.float64), network.channels) for values in (options.mean, options.std))
    weight = options.highest * mix / std[:, None]
    sides = 3 if network.clips else 2
    constants = [
        numpy_helper.from_array(weight.reshape(*weight.shape, *[1] * sides).astype(np.float32), "mien/weight"),
        numpy_helper.from_array((-mean / std).astype(np.float32), "mien/bias"),
    ]
    nodes, at, held = [], "frames", "ntcss" if network.clips else "ncss"
    if network.clips:
        nodes.append(helper.make_node("Transpose", [at], ["mien/channels"], perm=_order(held, "nctss")))
        at, held = "mien/channels", "nctss"
    nodes.append(helper.make_node("Conv", [at, "mien/weight", "mien/bias"], ["mien/mixed"]))
    nodes.append(helper.make_node("Transpose", ["mien/mixed"], ["mien/arranged"], perm=_order(held, network.layout)))
    kind = next(number for number, known in _TYPES.items() if known is network.type)
    nodes.append(helper.make_node("Cast", ["mien/arranged"], [network.input], to=kind))
    return nodes, constants


def _logits_out(network: Network, options: Any, answer: str, output: str) -> tuple[list[Any], list[Any]]:
    """Nodes from the network's answer to logits (n,C) in float32; the logarithm of probabilities serves as such."""
    nodes = [
        helper.make_node("Cast", [answer], ["mien/float"], to=TensorProto.FLOAT),
    ]
    shares = gives_shares(network, options)
    nodes.append(helper.make_node("Flatten", ["mien/float"], ["mien/flat" if shares else output], axis=1))
    if not shares:
        return nodes, []
    nodes.append(helper.make_node("Max", ["mien/flat", "mien/least"], ["mien/shares"]))
    nodes.append(helper.make_node("Log", ["mien/shares"], [output]))
    return nodes, [numpy_helper.from_array(np.array([_SMALLEST_SHARE], np.float32), "mien/least")]


def gives_shares(network: Network, options: Any) -> bool:
    """Whether the network answers with probabilities, by what the user says, else by its last operation."""
    return bool(network.ends_in_softmax if options.probabilities is None else options.probabilities)


def _free_the_batch(graph: Any) -> None:
    """Let any number of rows through where the file says one: in shapes that `Reshape` is given as constants."""
    del graph.value_info[:]
    stored = {item.name: item for item in graph.initializer}
    nodes = {name: node for node in graph.node if node.op_type == "Constant" for name in node.output}
    for node in graph.node:
        if node.op_type != "Reshape":
            continue
        name = node.input[1]
        if name in stored:
            holder = stored[name]
        elif name in nodes and nodes[name].attribute and nodes[name].attribute[0].name == "value":
            holder = nodes[name].attribute[0].t
        else:
            continue
        shape = numpy_helper.to_array(holder).copy()
        if shape.ndim == 1 and len(shape) > 1 and shape[0] == 1:
            shape[0] = 0 if -1 in shape else -1
            holder.CopyFrom(numpy_helper.from_array(shape, holder.name))


def _by_row(network: Network, graph: Any, constants: list[Any]) -> tuple[list[Any], str]:
    """The network as the body of a `Scan` over the rows, each with the batch of one that it was exported for.

    Returns:
        The nodes, and the name of their answer.
    """
    body_input, body_output = "mien/row", "mien/answer"
    row = {"c": network.channels, "s": network.size, "t": network.steps}
    shape = [1, *(row[axis] for axis in network.layout[1:])]
    constants += [
        numpy_helper.from_array(np.array(shape, np.int64), "mien/one"),
        numpy_helper.from_array(np.array([-1], np.int64), "mien/all"),
    ]
    inner_input, inner_output = f"mien/in/{network.input}", network.output
    for node in graph.node:
        for i, name in enumerate(node.input):
            if name == network.input:
                node.input[i] = inner_input
    kind = next(number for number, known in _TYPES.items() if known is network.type)
    body = helper.make_graph(
        [
            helper.make_node("Reshape", [body_input, "mien/one"], [inner_input]),
            *graph.node,
            helper.make_node("Reshape", [inner_output, "mien/all"], [body_output]),
        ],
        "row",
        [helper.make_tensor_value_info(body_input, kind, shape[1:])],
        [helper.make_tensor_value_info(body_output, graph.output[0].type.tensor_type.elem_type, None)],
        initializer=list(graph.initializer),
    )
    scanned = f"mien/out/{network.output}"
    node = helper.make_node("Scan", [network.input], [scanned], body=body, num_scan_inputs=1)
    return [node], scanned
