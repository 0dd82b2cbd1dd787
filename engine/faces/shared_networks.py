"""Face detectors for many sources: each remembers for itself, and all run the same few networks."""

from __future__ import annotations

import threading
from collections import deque
from pathlib import Path

from mien.engine.faces.detection import Detector, open_detector
from mien.engine.faces.ranges import SeveralRanges
from mien.engine.types import Detection, RgbImage


class SharedNetworks:
    """Gives detectors away whose networks are lent for one frame at a time. For any thread.

    A network is opened again only where all its copies are at work: there are never more than detectors that look at
    the same moment. BlazeFace and `SeveralRanges` share; of another kind of detector, which may remember what it saw,
    each source has its own.

    Args:
        file: the detector's.
        min_score: no face with a lower score is given.

    Raises:
        ModelError: the file cannot be used.
    """

    def __init__(self, file: Path, *, min_score: float = 0.5) -> None:
        self._file, self._min_score = file, min_score
        self._lock = threading.Lock()
        self._idle: dict[Path, deque[Detector]] = {}
        self._opened: list[Detector] = []
        self._first: Detector | None = self._open(file, min_score=min_score)

    @property
    def copies(self) -> int:
        """How many networks are open, all kinds together."""
        return len(self._opened)

    def detector(self) -> Detector:
        """One for another source, which remembers for itself. It is closed with this, not by who uses it.

        Raises:
            ModelError: the file cannot be used any more.
        """
        with self._lock:
            first, self._first = self._first, None
        return first or self._open(self._file, min_score=self._min_score)

    def close(self) -> None:
        """Free all networks, once nobody uses them any more."""
        with self._lock:
            opened, self._opened = self._opened, []
            self._idle.clear()
        for network in opened:
            network.close()

    def _open(self, file: Path, *, min_score: float) -> Detector:
        kind = file.suffix.lower()
        if kind == ".toml":
            return SeveralRanges(file, min_score=min_score, open_network=self._open)
        if kind == ".tflite":
            self._give_back(file, self._borrow(file))  # so that a damaged file is told now
            return _Lent(self, file)
        return self._keep(open_detector(file, min_score=min_score))

    def _borrow(self, file: Path) -> Detector:
        """A network that nobody else runs until it is given back."""
        with self._lock:
            idle = self._idle.setdefault(file, deque())
            if idle:
                return idle.pop()
        return self._keep(open_detector(file, min_score=self._min_score))

    def _give_back(self, file: Path, network: Detector) -> None:
        with self._lock:
            self._idle.setdefault(file, deque()).append(network)

    def _keep(self, network: Detector) -> Detector:
        with self._lock:
            self._opened.append(network)
        return network


class _Lent:
    """A detector that borrows a network for each frame."""

    def __init__(self, shared: SharedNetworks, file: Path) -> None:
        self._shared, self._file = shared, file

    def detect(self, image: RgbImage) -> list[Detection]:
        network = self._shared._borrow(self._file)
        try:
            return network.detect(image)
        finally:
            self._shared._give_back(self._file, network)

    def forget(self) -> None:
        """Networks for single frames remember nothing."""

    def close(self) -> None:
        """The network is not its own."""
