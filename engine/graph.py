"""Opens and runs ONNX graphs. The only file that imports onnxruntime."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from engine.errors import ModelError
from engine.records import FloatArray
from engine.settings import Provider

_ERROR_ONLY: Final = 3  # onnxruntime's logging severity
CPU: Final = "CPUExecutionProvider"
CUDA: Final = "CUDAExecutionProvider"


@cache
def _onnxruntime() -> Any:
    import onnxruntime

    onnxruntime.set_default_logger_severity(_ERROR_ONLY)
    return onnxruntime


def runtime_version() -> str:
    """Version of ONNX Runtime."""
    return str(_onnxruntime().__version__)


def offered_providers() -> list[str]:
    """What this build of ONNX Runtime was compiled with; whether it runs here is another matter."""
    return list(_onnxruntime().get_available_providers())


def provider_order(choice: Provider) -> list[str]:
    """The providers to try for `choice`, best first; always ends in the CPU unless CUDA was demanded.

    Raises:
        ModelError: CUDA is demanded but this machine or this ONNX Runtime has none.
    """
    if choice == "cpu":
        return [CPU]
    possible = CUDA in offered_providers() and _has_nvidia_driver()
    if choice == "cuda":
        if not possible:
            raise ModelError("provider cuda: no NVIDIA driver or no CUDA build of ONNX Runtime; use auto or cpu")
        return [CUDA]
    return [CUDA, CPU] if possible else [CPU]


def _has_nvidia_driver() -> bool:
    """Without a driver the CUDA provider fails with a page of text on the terminal; this asks quietly first."""
    try:
        ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return False
    return True


class Graph:
    """One ONNX file, opened on the first of `providers` that really runs it.

    Args:
        path: the file.
        inputs, outputs: names that the graph must have, each a float32 tensor whose first axis is the batch;
            mapped to the sizes of the other axes. None: any size.
        providers: ONNX Runtime's names, best first.
        threads: CPU threads for one run.
        integer_inputs: the inputs are int64 instead of float32.

    Raises:
        ModelError: the file is damaged, or its inputs or outputs are not those asked for.
    """

    def __init__(
        self,
        path: Path,
        *,
        inputs: dict[str, tuple[int | None, ...]],
        outputs: dict[str, tuple[int | None, ...]],
        providers: Sequence[str],
        threads: int,
        integer_inputs: bool = False,
    ) -> None:
        self._path = path
        self._input_type = np.dtype(np.int64 if integer_inputs else np.float32)
        self._output_names = list(outputs)
        self._input_shapes = inputs
        self._session = self._open(providers, threads)
        self._check("input", self._session.get_inputs(), inputs)
        self._check("output", self._session.get_outputs(), outputs)

    @property
    def provider(self) -> str:
        """The provider that runs the graph, as ONNX Runtime itself reports it."""
        return str(self._session.get_providers()[0])

    def run(self, **arrays: npt.NDArray[Any]) -> list[FloatArray]:
        """Run the graph on named inputs; returns the outputs in the order given at construction."""
        return [np.asarray(value, dtype=np.float32) for value in self._session.run(self._output_names, arrays)]

    def _open(self, providers: Sequence[str], threads: int) -> Any:
        runtime = _onnxruntime()
        options = runtime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = _ERROR_ONLY
        # Spinning threads would take the cores from decoding and encoding between two short runs.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        failure = ""
        for provider in providers:
            chain = [provider] if provider == CPU else [provider, CPU]
            try:
                session = runtime.InferenceSession(str(self._path), options, providers=chain)
                # A provider that cannot start is dropped in silence: believe only what the session says.
                if session.get_providers()[0] != provider:
                    failure = f"{provider} could not be started"
                    continue
                self._try_out(session)
            except Exception as error:  # onnxruntime raises many unrelated types, none of them documented
                failure = " ".join(str(error).split())[:200]
                continue
            return session
        raise ModelError(f"{self._path}: cannot be run ({failure}); export the model again, or try provider cpu")

    def _try_out(self, session: Any) -> None:
        """Run once on zeros: some providers fail only at the first run."""
        shapes = {node.name: node.shape for node in session.get_inputs()}
        if set(shapes) != set(self._input_shapes):
            return  # told apart with a clearer message by _check
        session.run(
            None,
            {
                name: np.zeros([1] + [n if isinstance(n, int) else 1 for n in shape[1:]], dtype=self._input_type)
                for name, shape in shapes.items()
            },
        )

    def _check(self, kind: str, nodes: Sequence[Any], expected: dict[str, tuple[int | None, ...]]) -> None:
        found = {node.name: node for node in nodes}
        for name, shape in expected.items():
            if name not in found:
                raise ModelError(f"{self._path}: has no {kind} {name!r}; export the model again")
            node = found[name]
            actual = tuple(node.shape[1:])
            fits = len(actual) == len(shape) and all(
                want is None or not isinstance(have, int) or have == want
                for have, want in zip(actual, shape, strict=True)
            )
            wanted = "int64" if kind == "input" and self._input_type == np.int64 else "float"
            if node.type != f"tensor({wanted})" or not fits:
                raise ModelError(
                    f"{self._path}: {kind} {name!r} is {node.type} {list(node.shape)}, expected {wanted} with "
                    f"{list(shape)} after the batch axis; export the model again"
                )
