"""What the benchmarks share: interleaved timing, faces, and a table with its JSON."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt


def interleaved(contestants: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Milliseconds of each of `rounds` calls per contestant; in turn, so that all meet the same load of the machine.

    The first call of each, which fills caches, is not counted.
    """
    for call in contestants.values():
        call()
    times: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, call in contestants.items():
            started = time.perf_counter()
            call()
            times[name].append((time.perf_counter() - started) * 1000)
    return times


def ferplus_faces(file: Path | None, count: int, size: int) -> npt.NDArray[np.uint8] | None:
    """(count,size,size,3) uint8 RGB: test stills of FER+, enlarged; None without the file."""
    if file is None:
        return None
    import cv2

    from mien.models.embedded.ferplus import read_stills

    stills = read_stills(file, "test").images
    chosen = stills[np.linspace(0, len(stills) - 1, count).astype(int)]
    large = [cv2.cvtColor(cv2.resize(image, (size, size)), cv2.COLOR_GRAY2RGB) for image in chosen]
    return np.asarray(large, dtype=np.uint8)


def write_json(file: Path | None, results: Mapping[str, Any]) -> None:
    """`results` as JSON, where a file was asked for."""
    if file is not None:
        file.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
