"""Whether a graph can be relied on before it serves: inputs to try it with, and comparisons of two sessions of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from mien.engine.language import tr
from mien.engine.types import FloatArray

SAME_COSINE: Final = 0.999
"""Half precision stays above it (1 - 1e-5 is usual); what is below computes something else."""
_NOISE_ROWS: Final = 2
_RUNS: Final = 3  # to see which of two sessions is the faster


def zeros(session: Any, dtype: npt.DTypeLike, rows: int = 1) -> dict[str, npt.NDArray[Any]]:
    """Rows of zeros for each input of a session; axes of any size get the size 1."""
    return {
        node.name: np.zeros([rows] + [n if isinstance(n, int) else 1 for n in node.shape[1:]], dtype=dtype)
        for node in session.get_inputs()
    }


def noise(session: Any, dtype: npt.DTypeLike) -> dict[str, npt.NDArray[Any]]:
    """A few rows of noise for each input, of numbers as they occur in frames, always the same."""
    random = np.random.default_rng(0)
    return {
        name: random.random(array.shape).astype(array.dtype)
        for name, array in zeros(session, dtype, _NOISE_ROWS).items()
    }


def require_same(ours: Sequence[FloatArray], theirs: Sequence[FloatArray]) -> None:
    """Compare the outputs of two runs on the same input, row by row.

    Raises:
        ValueError: they do not point into the same direction.
    """
    for one, other in zip(ours, theirs, strict=True):
        a, b = one.reshape(len(one), -1), other.reshape(len(other), -1)
        norms = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
        cosine = float(((a * b).sum(axis=1) / np.maximum(norms, 1e-12)).min())
        if not cosine >= SAME_COSINE:  # NaN, too
            raise ValueError(tr("its results differ: cosine {cosine:.4f}", cosine=cosine))


def is_faster(one: Callable[[], object], other: Callable[[], object]) -> bool:
    """Whether the least time of some calls is less for `one`."""
    times: list[list[float]] = [[], []]
    for _ in range(_RUNS):  # in turn, so that both meet the same load of the machine
        for call, taken in zip((one, other), times, strict=True):
            began = time.perf_counter()
            call()
            taken.append(time.perf_counter() - began)
    return min(times[0]) < min(times[1])


def mentions(path: Path, word: bytes) -> bool:
    """Whether a file holds `word`, read piece by piece; True where it cannot be read: opening it says what is wrong."""
    before = b""
    try:
        with path.open("rb") as stream:
            while piece := stream.read(1 << 20):
                if word in before + piece:
                    return True
                before = piece[-len(word) :]
    except OSError:
        return True
    return False
