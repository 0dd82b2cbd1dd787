"""How a head is turned, from its landmarks. Pure geometry.

MediaPipe's own matrix takes the crop for the picture of a camera that stands a foot away: on heads turned by 30 degrees
it says 23. Here the landmarks are taken as they lie, as a camera at some distance sees them: it says 27 (docs/face.md).
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

# fmt: off
# Where landmarks that no expression moves much lie in a head that faces the camera: x to the frame's right, y up, z
# towards the camera, centred, in units of their mean distance from the centre. The mean of 68 faces of FairFace (K.
# Karkkainen, J. Joo, WACV 2021, CC BY 4.0) within 10 degrees of the camera, each turned back, both halves alike.
_HEAD: Final = {
    33: (-0.768, 0.067, -0.034),
    133: (-0.308, 0.048, 0.052),
    362: (0.308, 0.048, 0.052),
    263: (0.768, 0.067, -0.034),
    168: (0.000, 0.137, 0.324),
    6: (0.000, 0.007, 0.404),
    197: (0.000, -0.102, 0.494),
    195: (0.000, -0.198, 0.591),
    5: (0.000, -0.302, 0.690),
    4: (0.000, -0.429, 0.735),
    1: (0.000, -0.532, 0.701),
    2: (0.000, -0.647, 0.447),
    98: (-0.287, -0.617, 0.312),
    327: (0.287, -0.617, 0.312),
    10: (0.000, 0.902, 0.210),
    151: (0.000, 0.666, 0.281),
    9: (0.000, 0.426, 0.334),
    8: (0.000, 0.285, 0.321),
    67: (-0.600, 0.853, 0.082),
    297: (0.600, 0.853, 0.082),
    109: (-0.323, 0.894, 0.186),
    338: (0.323, 0.894, 0.186),
    127: (-1.203, 0.000, -0.857),
    356: (1.203, 0.000, -0.857),
    234: (-1.199, -0.234, -0.922),
    454: (1.199, -0.234, -0.922),
    93: (-1.188, -0.477, -0.918),
    323: (1.188, -0.477, -0.918),
    54: (-1.016, 0.625, -0.302),
    284: (1.016, 0.625, -0.302),
    50: (-0.845, -0.451, 0.086),
    280: (0.845, -0.451, 0.086),
    116: (-1.084, -0.200, -0.230),
    345: (1.084, -0.200, -0.230),
    117: (-0.905, -0.195, -0.025),
    346: (0.905, -0.195, -0.025),
    123: (-1.072, -0.419, -0.196),
    352: (1.072, -0.419, -0.196),
}
# fmt: on
_INDICES: Final = list(_HEAD)
_PLACES: Final = np.array(list(_HEAD.values()))


def head_pose(points: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    """(3,3) rotation from the head to the camera, both x right, y up, z towards the camera.

    Args:
        points: (478,3) landmarks, x right and y down in pixels, z on the same scale, smaller is nearer.

    W. Kabsch, "A solution for the best rotation to relate two sets of vectors", Acta Crystallographica A32, 1976.
    """
    seen = points[_INDICES].astype(np.float64) * (1, -1, -1)
    seen -= seen.mean(axis=0)
    left, _, right = np.linalg.svd(_PLACES.T @ seen)
    sign = np.sign(np.linalg.det(right.T @ left.T))
    return np.asarray(right.T @ np.diag([1.0, 1.0, sign]) @ left.T)
