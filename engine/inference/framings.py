"""Named framings: where eyes and mouth lie in the crops that common face detectors and data sets give.

`align` puts a face there, so a network sees it as it saw those it was trained on. Only the template of ArcFace is
published as numbers; the others are estimates from how their boxes are drawn, good to a few hundredths of the side.
"""

from __future__ import annotations

from typing import Final

from mien.engine.errors import ModelError
from mien.engine.inference.bundle import CropGeometry
from mien.engine.language import tr

DATASET_FRAMING: Final = CropGeometry(right_eye=(0.34, 0.38), left_eye=(0.66, 0.38), mouth=(0.5, 0.74))
"""Eyes and mouth in the face crops of the video data sets; an estimate, as none of them publishes the numbers."""

FRAMINGS: Final[dict[str, CropGeometry]] = {
    # The five points of ArcFace's 112-pixel template (deepinsight/insightface, face_align.py): the mean of each pair.
    "retinaface": CropGeometry(right_eye=(0.3419, 0.4616), left_eye=(0.6565, 0.4598), mouth=(0.5012, 0.8240)),
    # A box from forehead to chin, stretched to a square, as MTCNN gives it without alignment.
    "mtcnn": CropGeometry(right_eye=(0.31, 0.38), left_eye=(0.69, 0.38), mouth=(0.5, 0.77)),
    # 112 pixels at 0.7 pixels a millimetre around the mean face.
    "openface": CropGeometry(right_eye=(0.31, 0.33), left_eye=(0.69, 0.33), mouth=(0.5, 0.73)),
    "dfew": DATASET_FRAMING,
    "ferv39k": DATASET_FRAMING,
    # Measured on 2,893 training images by models/embedded/geometry.py.
    "fer": CropGeometry(right_eye=(0.3163, 0.3963), left_eye=(0.6837, 0.3963), mouth=(0.5, 0.7788)),
}
ESTIMATED: Final = frozenset({"mtcnn", "openface", "dfew", "ferv39k"})


def framing(text: str) -> CropGeometry:
    """The framing of a name, or of six numbers: x,y of the right eye, of the left eye and of the mouth.

    Numbers are fractions of the crop's side, origin top left; right and left are the subject's own.

    Raises:
        ModelError: neither, or the face would not be upright.
    """
    if text in FRAMINGS:
        return FRAMINGS[text]
    try:
        numbers = [float(part) for part in text.replace(";", ",").split(",")]
    except ValueError:
        numbers = []
    if len(numbers) != 6 or not all(-1 <= value <= 2 for value in numbers):
        raise ModelError(
            tr(
                "--crop is {text!r}; give one of {framings}, or six fractions of the crop's side: x,y of the "
                "right eye, of the left eye and of the mouth, as 0.34,0.38,0.66,0.38,0.5,0.74",
                text=text,
                framings=", ".join(FRAMINGS),
            )
        )
    if numbers[2] - numbers[0] < 0.05:
        raise ModelError(
            tr(
                "--crop is {text!r}: the subject's right eye comes first, and lies left of the left eye in the crop",
                text=text,
            )
        )
    return CropGeometry((numbers[0], numbers[1]), (numbers[2], numbers[3]), (numbers[4], numbers[5]))


def framing_name(geometry: CropGeometry) -> str:
    """The name of a framing, or its six numbers as `framing` reads them."""
    for name, known in FRAMINGS.items():
        if known == geometry:
            return name
    points = (geometry.right_eye, geometry.left_eye, geometry.mouth)
    return ",".join(f"{value:g}" for point in points for value in point)
