"""Which frames of a clip are shown: the samplers of the papers, for any number of steps T.

Both give (T,) indices in [0, N) for a clip of N >= 1 frames, oldest first; shorter clips repeat frames.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Indices = npt.NDArray[np.int64]


def segments(count: int, steps: int, random: np.random.Generator | None) -> Indices:
    """DFER-CLIP's: T equal segments, a random frame of each in training, the middle one in tests (`random` None).

    As published, training segments have the whole length N // T, so the last N mod T frames are never drawn.
    """
    if random is not None and count >= steps:
        length = count // steps
        return np.arange(steps) * length + random.integers(0, length, steps)
    if random is None and count > steps:
        return np.floor(count / (2 * steps) + np.arange(steps) * count / steps).astype(np.int64)
    return np.minimum(np.arange(steps), count - 1)


def window(count: int, steps: int, stride: int, random: np.random.Generator) -> Indices:
    """EmoCLIP's: every `stride`-th frame, then T in a row from a random start, going on at the clip's beginning.

    A clip with fewer than T such frames is walked to and fro. The original draws at random in tests, too; the caller
    passes a generator that is seeded for the clip, so that a test can be repeated.
    """
    kept = np.arange(0, count, stride)
    n = len(kept)
    if n >= steps:
        return np.asarray(kept[(int(random.integers(n)) + np.arange(steps)) % n])
    if n == 1:
        return np.full(steps, kept[0])
    there_and_back = np.concatenate([kept, kept[-2:0:-1]])
    return np.asarray(there_and_back[np.arange(steps) % len(there_and_back)])
