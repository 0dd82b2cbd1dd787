"""Batches of few fixed sizes: what runs on a GPU is prepared for each size of input, which takes time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt

SIZES: Final = (1, 2, 4, 8, 16)
"""Rows of a padded batch. More rows go in several batches; TensorRT's engines are built for the first to the last."""

Arrays = Mapping[str, npt.NDArray[Any]]


def padded(arrays: Arrays) -> Iterator[tuple[dict[str, npt.NDArray[Any]], int]]:
    """Cut the rows of named arrays into batches of `SIZES`; a batch that is not full repeats its last row.

    Args:
        arrays: each (n,...), with the same n of at least 1.

    Yields:
        a batch, and how many rows of it are real.
    """
    count = len(next(iter(arrays.values())))
    for at in range(0, count, SIZES[-1]):
        rows = min(SIZES[-1], count - at)
        size = next(size for size in SIZES if size >= rows)
        batch = {name: array[at : at + rows] for name, array in arrays.items()}
        if size > rows:
            batch = {name: np.concatenate([rest, rest[-1:].repeat(size - rows, 0)]) for name, rest in batch.items()}
        yield batch, rows
