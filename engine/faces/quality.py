"""Says when a frame of a face is too poor to be read well."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from mien.engine.faces.covered import Part, covered
from mien.engine.inference.bundle import CropGeometry
from mien.engine.measures import FaceMeasures
from mien.engine.types import KEYPOINTS, Detection, Flaw, RgbImage

# Interpupillary distance of 62 mm (mean of adults: N. A. Dodgson, "Variation and extrema of human interpupillary
# distance", SPIE 5291, 2004), and a nose tip about 35 mm before the eyes. Seen at yaw a, the nose tip lies
# 35 sin(a) beside the middle of eyes that are 62 cos(a) apart.
_NOSE_PER_EYES: Final = 35 / 62
_MAX_YAW_DEG: Final = 40.0

_MIN_SIDE_PX: Final = 32.0
_MIN_LUMINANCE: Final = 40.0

# Of the validation stills of FER+, 0.7 % have more of the face burnt out than this; with half as much light again 72 %,
# with twice as much 93 %. Such faces are answered surely and wrongly.
_BURNT_OUT: Final = 250
_MOST_BURNT_OUT: Final = 0.15

_SHARPNESS_SIDE: Final = 48
# Sharp faces, still images and video alike, were measured at 0.10 to 0.5; the same faces blurred by a Gaussian of
# 2 pixels in a crop of 48 at 0.003 to 0.03.
_MIN_SHARPNESS: Final = 0.035

# Noise, as a share of the crop's own contrast: 99 % of the validation stills of FER+ are below 0.13. With a tenth of
# the light it is 0.18 to 0.41, and faces are still read well; with a thirtieth it is above 0.37, and half are misread.
_MOST_NOISE: Final = 0.25
_NOISE_KERNEL: Final = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)


def flaws(
    detection: Detection,
    crop: RgbImage,
    measures: FaceMeasures | None = None,
    *,
    geometry: CropGeometry | None = None,
) -> tuple[Flaw, ...]:
    """What is wrong with this face; nothing, where it can be read well.

    Args:
        detection: the face in its frame.
        crop: the aligned face as the model sees it, (S,S,3) uint8 RGB.
        measures: of the face in that frame, where it was measured; then nothing of it is guessed from key points.
        geometry: where eyes and mouth lie in `crop`; None: not known, and whether they are covered is not either.
    """
    grey = np.asarray(cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY), dtype=np.uint8)
    hidden = covered(grey, geometry) if geometry is not None else ()
    checks = (
        (Flaw.SMALL, min(detection.box.width, detection.box.height) < _MIN_SIDE_PX),
        (Flaw.DARK, float(grey.mean()) < _MIN_LUMINANCE),
        (Flaw.OVEREXPOSED, burnt_out(grey) > _MOST_BURNT_OUT),
        (Flaw.BLURRED, sharpness(grey) < _MIN_SHARPNESS),
        (Flaw.NOISY, noise(grey) > _MOST_NOISE),
        (Flaw.TURNED_AWAY, abs(yaw_deg(detection)) > _MAX_YAW_DEG if measures is None else measures.turned_away),
        (Flaw.EYES_CLOSED, measures is not None and measures.eyes_closed),
        (Flaw.SPEAKING, measures is not None and measures.speaking),
        (Flaw.MOUTH_COVERED, Part.MOUTH in hidden),
        (Flaw.EYES_COVERED, Part.EYES in hidden),
    )
    return tuple(flaw for flaw, found in checks if found)


def burnt_out(grey: npt.NDArray[np.uint8]) -> float:
    """Share of the face in a crop ((S,S) uint8) that is as good as white; a bright wall behind it does not count."""
    return float((grey[_face_mask(grey.shape[0])] >= _BURNT_OUT).mean())


@lru_cache(maxsize=8)
def _face_mask(side: int) -> npt.NDArray[np.bool_]:
    """(side,side) True in an upright ellipse from the forehead to the chin, where an aligned crop has the face."""
    y, x = (np.mgrid[:side, :side] + 0.5) / side
    return np.asarray(((x - 0.5) / 0.38) ** 2 + ((y - 0.55) / 0.45) ** 2 <= 1)


def yaw_deg(detection: Detection) -> float:
    """How far the face is turned to the side, in degrees; positive towards the frame's right. An estimate.

    From the place of the nose tip between the eyes, along the line of the eyes.
    """
    right_eye, left_eye, nose = (
        detection.keypoints[KEYPOINTS.index(name)].astype(np.float64) for name in ("right_eye", "left_eye", "nose")
    )
    eyes = left_eye - right_eye
    width = float(np.hypot(*eyes))
    if width < 1e-6:
        return 90.0
    beside = float((nose - (right_eye + left_eye) / 2) @ eyes) / width**2
    return math.degrees(math.atan(beside / _NOSE_PER_EYES))


def sharpness(grey: npt.NDArray[np.uint8]) -> float:
    """Variance of the Laplacian over the variance of a face crop ((S,S) uint8), at 48 pixels; about 0 to 1.

    The Laplacian's variance as a focus measure: J. L. Pech-Pacheco et al., "Diatom autofocusing in brightfield
    microscopy", ICPR 2000. Divided by the frame's own variance, it does not depend on contrast; a little smoothing
    first keeps sensor noise from passing for detail.
    """
    smooth = cv2.GaussianBlur(_at_model_size(grey).astype(np.float32), (0, 0), 0.6)
    return float(cv2.Laplacian(smooth, cv2.CV_32F).var() / (smooth.var() + 1.0))


def noise(grey: npt.NDArray[np.uint8]) -> float:
    """Standard deviation of the noise over that of a face crop ((S,S) uint8), at 48 pixels; about 0 to 1.

    J. Immerkaer, "Fast noise variance estimation", Computer Vision and Image Understanding 64, 1996: a kernel that
    sees neither slopes nor curves. The median of its answers instead of their mean leaves out most edges, too.
    """
    small = _at_model_size(grey).astype(np.float32)
    answers = np.abs(cv2.filter2D(small, -1, _NOISE_KERNEL))[2:-2, 2:-2]
    # The kernel multiplies a deviation by 6; the median of a normal distribution's absolute value is 0.6745 of it.
    return float(np.median(answers) / 0.6745 / 6 / (small.std() + 1.0))


def _at_model_size(grey: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    if grey.shape[0] == _SHARPNESS_SIDE:
        return grey
    side = (_SHARPNESS_SIDE, _SHARPNESS_SIDE)
    return np.asarray(cv2.resize(grey, side, interpolation=cv2.INTER_AREA), dtype=np.uint8)
