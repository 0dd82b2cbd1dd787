"""A bundle of the size of CLIP's ViT-B/32 with random weights: time, memory and parity do not depend on training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from mien.engine.inference.bundle import Bundle, CropGeometry, Manifest, write_bundle

# Radford et al. 2021, table 20: ViT-B/32.
SIZE, PATCH, WIDTH, LAYERS, HEADS, DIM = 224, 32, 768, 12, 12, 512
_OPSET, _IR = 17, 8


class Network:
    """Nodes and weights of an ONNX graph, one after the other."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.weights: list[Any] = []
        self._random = np.random.default_rng(0)

    def weight(self, *shape: int, scale: float | None = None) -> str:
        """Random weights, by default of a size that keeps the spread of what they are multiplied with."""
        spread = 1 / np.sqrt(shape[0]) if scale is None else scale
        return self.constant((self._random.standard_normal(shape) * spread).astype(np.float32))

    def constant(self, value: Any) -> str:
        from onnx import numpy_helper

        self.weights.append(numpy_helper.from_array(np.asarray(value), f"w{len(self.weights)}"))
        return str(self.weights[-1].name)

    def add(self, kind: str, *inputs: str, name: str = "", **attributes: Any) -> str:
        """A node; returns the name of its output."""
        from onnx import helper

        output = name or f"n{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [output], **attributes))
        return output

    def norm(self, x: str) -> str:
        ones, zeros = np.ones(WIDTH, np.float32), np.zeros(WIDTH, np.float32)
        return self.add("LayerNormalization", x, self.constant(ones), self.constant(zeros), axis=-1)

    def linear(self, x: str, wide: int, out: int) -> str:
        return self.add("Add", self.add("MatMul", x, self.weight(wide, out)), self.weight(out, scale=0.02))

    def heads(self, x: str, *, across: bool) -> str:
        """(n,t,W) to (n,H,t,W/H), or with `across` to (n,H,W/H,t)."""
        split = self.add("Reshape", x, self.constant(np.array([0, 0, HEADS, WIDTH // HEADS])))
        return self.add("Transpose", split, perm=[0, 2, 3, 1] if across else [0, 2, 1, 3])

    def block(self, x: str) -> str:
        """One layer: attention, then a perceptron with CLIP's QuickGELU, each beside a way past it."""
        normed = self.norm(x)
        query, key, value = (self.heads(self.linear(normed, WIDTH, WIDTH), across=i == 1) for i in range(3))
        factor = self.constant(np.float32((WIDTH // HEADS) ** -0.5))
        seen = self.add("Softmax", self.add("Mul", self.add("MatMul", query, key), factor), axis=-1)
        mixed = self.add("Transpose", self.add("MatMul", seen, value), perm=[0, 2, 1, 3])
        joined = self.add("Reshape", mixed, self.constant(np.array([0, 0, WIDTH])))
        x = self.add("Add", x, self.linear(joined, WIDTH, WIDTH))
        wide = self.linear(self.norm(x), WIDTH, 4 * WIDTH)
        gate = self.add("Sigmoid", self.add("Mul", wide, self.constant(np.float32(1.702))))
        return self.add("Add", x, self.linear(self.add("Mul", wide, gate), 4 * WIDTH, WIDTH))

    def save(self, path: Path, source: tuple[str, list[Any]], target: tuple[str, list[Any]]) -> None:
        import onnx
        from onnx import TensorProto, helper

        ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in (source, target)]
        graph = helper.make_graph(self.nodes, path.stem, ends[:1], ends[1:], self.weights)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_IR)
        onnx.save(model, path)


def build(folder: Path, *, layers: int = LAYERS, steps: int = 16) -> Bundle:
    """Write the bundle: the image side of ViT-B/32, and a temporal graph that weighs the steps."""
    folder.mkdir(parents=True)
    net = Network()
    tokens = (SIZE // PATCH) ** 2
    grid = net.add("Conv", "frames", net.weight(WIDTH, 3, PATCH, PATCH, scale=0.02), strides=[PATCH, PATCH])
    flat = net.add("Reshape", grid, net.constant(np.array([0, WIDTH, tokens])))
    patches = net.add("Transpose", flat, perm=[0, 2, 1])
    # The class token: the mean of the patches has the batch's size without an operation on shapes.
    mean = net.add("ReduceMean", patches, axes=[1], keepdims=1)
    first = net.add("Add", mean, net.weight(1, 1, WIDTH, scale=0.02))
    x = net.add("Concat", first, patches, axis=1)
    x = net.norm(net.add("Add", x, net.weight(1, tokens + 1, WIDTH, scale=0.02)))
    for _ in range(layers):
        x = net.block(x)
    token = net.add("Gather", net.norm(x), net.constant(np.int64(0)), axis=1)
    net.add("MatMul", token, net.weight(WIDTH, DIM), name="embeddings")
    net.save(folder / "encoder.onnx", ("frames", ["n", 3, SIZE, SIZE]), ("embeddings", ["n", DIM]))

    net = Network()
    age = net.constant(np.linspace(0.1, 1.0, steps, dtype=np.float32).reshape(1, steps, 1))
    mean = net.add("ReduceMean", net.add("Mul", "embeddings", age), axes=[1], keepdims=0)
    net.add("LpNormalization", mean, name="features", axis=1)
    net.save(folder / "temporal.onnx", ("embeddings", ["n", steps, DIM]), ("features", ["n", DIM]))

    text = np.random.default_rng(1).standard_normal((7, DIM)).astype(np.float32)
    np.save(folder / "text.npy", text / np.linalg.norm(text, axis=1, keepdims=True))
    return write_bundle(
        folder,
        Manifest(
            name="ViT-B/32, random weights", version="1", labels=tuple("abcdefg"), logit_scale=100.0, temperature=1.0,
            steps=steps, size=SIZE, dim=DIM, window_s=2.0, crop=CropGeometry((0.3, 0.35), (0.7, 0.35), (0.5, 0.75)),
            licence="Apache-2.0",
        ),
    )  # fmt: skip
