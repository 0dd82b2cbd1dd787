"""Reads PyTorch files from other people without running anything that they bring along.

`torch.load(weights_only=True)` unpickles tensors and plain containers only. DFER-CLIP's released files also hold a
training log object, an instance of `__main__.RecorderMeter` with two NumPy arrays; a stub stands in for its class
and the few NumPy names are admitted, so that these files load too. There is no fallback to a full unpickle.
"""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mien.engine.errors import ModelError
from mien.engine.language import tr


class _TrainingLog:
    """Stands in for the recorder in DFER-CLIP's files; its content is not used."""


def _admitted() -> list[Any]:
    rebuild: Any = np.empty(0).__reduce__()[0]  # numpy's own array rebuilder, wherever this release keeps it
    return [
        (_TrainingLog, "__main__.RecorderMeter"),
        (rebuild, "numpy.core.multiarray._reconstruct"),
        (rebuild, "numpy._core.multiarray._reconstruct"),
        np.ndarray,
        np.dtype,
        *(type(np.dtype(name)) for name in ("float32", "float64", "int64")),
    ]


def read_file(path: Path) -> Any:
    """The content of a PyTorch file, on the CPU.

    Raises:
        ModelError: the file is missing, truncated, not a PyTorch file, or holds more than tensors and plain data.
    """
    if not path.is_file():
        raise ModelError(tr("{path}: no such file; give a checkpoint file", path=path))
    try:
        with torch.serialization.safe_globals(_admitted()):
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        text = " ".join(str(error).split())
        if "global" in text.lower():
            name = text.split("GLOBAL ")[-1].split(" ")[0] if "GLOBAL " in text else tr("an object")
            raise ModelError(
                tr(
                    "{path}: refused, because loading it would run foreign code ({name}); only tensors are read "
                    "from a checkpoint, so get the file from its authors' page, or save its state_dict alone",
                    path=path,
                    name=name,
                )
            ) from None
        raise ModelError(tr("{path}: damaged or not a PyTorch checkpoint; download it again", path=path)) from None
    except (RuntimeError, EOFError, OSError, ValueError, KeyError, AttributeError, TypeError, IndexError) as error:
        if "TorchScript" in str(error):
            raise ModelError(
                tr("{path}: a TorchScript archive holds code, not only weights; give the state_dict instead", path=path)
            ) from None
        raise ModelError(
            tr(
                "{path}: damaged, cut short or not a PyTorch checkpoint ({reason}); download it again",
                path=path,
                reason=_short(error),
            )
        ) from None


def read_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a file that holds a state dict, bare or under "state_dict", without a "module." prefix.

    Raises:
        ModelError: as `read_file`, or there are no tensors by name.
    """
    return state_of(read_file(path), path)


def state_of(content: Any, path: Path) -> dict[str, Tensor]:
    """The named tensors in a loaded file: see `read_tensors`."""
    if isinstance(content, Mapping) and isinstance(content.get("state_dict"), Mapping):
        content = content["state_dict"]
    if not isinstance(content, Mapping) or not content:
        raise ModelError(tr("{path}: holds no named tensors; give a checkpoint with a state_dict", path=path))
    state: dict[str, Tensor] = {}
    for key, value in content.items():
        if not isinstance(key, str) or not isinstance(value, Tensor):
            raise ModelError(
                tr(
                    "{path}: holds {key!r}, which is not a tensor by name; give a state_dict",
                    path=path,
                    key=str(key)[:40],
                )
            )
        state[key.removeprefix("module.")] = value
    return state


def _short(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return text if len(text) <= 120 else text[:117] + "..."
