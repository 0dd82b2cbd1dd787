"""Valence, derived from the probabilities of expressions: how pleasant a face looks, never how its owner feels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

DEFINITION: Final = "happiness less the strongest of sadness, anger, fear and disgust; -1 to 1"
"""That of FaceReader (Noldus, "FaceReader Reference Manual"): the intensity of happy less that of the most intense
negative expression. There intensities are trained, here they are the probabilities that are shown."""

# Names that models give to these classes.
_PLEASANT: Final = frozenset({"happiness", "happy", "joy"})
_UNPLEASANT: Final = (
    frozenset({"sadness", "sad"}),
    frozenset({"anger", "angry"}),
    frozenset({"fear", "fearful", "scared"}),
    frozenset({"disgust", "disgusted"}),
)


class Valence:
    """Valence from probabilities of one model.

    Args:
        labels: its class names.

    Attributes:
        known: whether it has all five expressions; without, valence is not defined.
    """

    def __init__(self, labels: Sequence[str]) -> None:
        names = [label.strip().lower() for label in labels]
        self._pleasant = next((index for index, name in enumerate(names) if name in _PLEASANT), -1)
        found = [next((i for i, name in enumerate(names) if name in kind), -1) for kind in _UNPLEASANT]
        self._unpleasant = found
        self.known = min(self._pleasant, *found) >= 0

    def of(self, probabilities: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
        """(...,) from (...,C) probabilities, -1 to 1; NaN where they are, and where it is not known."""
        shares = np.asarray(probabilities, np.float64)
        if not self.known:
            return np.full(shares.shape[:-1], np.nan)
        return np.asarray(shares[..., self._pleasant] - shares[..., self._unpleasant].max(axis=-1))
