"""What is measured of a face beside its expression: landmarks, head pose, gaze, eyes, mouth, blendshapes.

Camera coordinates: x to the frame's right, y up, z from the face towards the camera. The angles of a head are those
between its nose and the line from the face to the camera, so that a face that looks into the camera has yaw 0 and pitch
0 wherever in the frame it is. Left and right in names are the subject's own. Numbers that are not known are NaN.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:  # the names of groups and layers are needed where NumPy is not loaded yet
    import numpy as np
    import numpy.typing as npt

ColumnGroup = Literal["expressions", "valence", "pose", "gaze", "eyes", "mouth", "blendshapes", "landmarks"]
COLUMN_GROUPS: Final[tuple[ColumnGroup, ...]] = (
    "expressions",
    "valence",
    "pose",
    "gaze",
    "eyes",
    "mouth",
    "blendshapes",
    "landmarks",
)
"""What can be written of each face. The expressions always are; the last goes into a file of its own."""

FaceLayer = Literal["mesh", "contours", "axes", "gaze"]
FACE_LAYERS: Final[tuple[FaceLayer, ...]] = ("mesh", "contours", "axes", "gaze")
"""What can be drawn on each face."""

POINTS: Final = 478
"""How many landmarks a face has: 468 of its surface, then five of each iris, the right one's first."""

# In the order in which MediaPipe's face_blendshapes gives them.
BLENDSHAPES: Final = (
    *("_neutral", "browDownLeft", "browDownRight", "browInnerUp", "browOuterUpLeft", "browOuterUpRight"),
    *("cheekPuff", "cheekSquintLeft", "cheekSquintRight", "eyeBlinkLeft", "eyeBlinkRight", "eyeLookDownLeft"),
    *("eyeLookDownRight", "eyeLookInLeft", "eyeLookInRight", "eyeLookOutLeft", "eyeLookOutRight", "eyeLookUpLeft"),
    *("eyeLookUpRight", "eyeSquintLeft", "eyeSquintRight", "eyeWideLeft", "eyeWideRight", "jawForward", "jawLeft"),
    *("jawOpen", "jawRight", "mouthClose", "mouthDimpleLeft", "mouthDimpleRight", "mouthFrownLeft"),
    *("mouthFrownRight", "mouthFunnel", "mouthLeft", "mouthLowerDownLeft", "mouthLowerDownRight", "mouthPressLeft"),
    *("mouthPressRight", "mouthPucker", "mouthRight", "mouthRollLower", "mouthRollUpper", "mouthShrugLower"),
    *("mouthShrugUpper", "mouthSmileLeft", "mouthSmileRight", "mouthStretchLeft", "mouthStretchRight"),
    *("mouthUpperUpLeft", "mouthUpperUpRight", "noseSneerLeft", "noseSneerRight"),
)


@dataclass(frozen=True, slots=True)
class Quantity:
    """One number that is measured of a face.

    Attributes:
        name: of its column in a CSV; ends in its unit where it has one.
        group: which of `COLUMN_GROUPS` it belongs to.
        unit: of its values; "" for shares and ratios.
        meaning: in a few words, with axis and sign.
    """

    name: str
    group: ColumnGroup
    unit: str
    meaning: str


_RIGHT: Final = "positive towards the frame's right"
_UP: Final = "positive upwards"
_TO_CAMERA: Final = "0: along the line from the face to the camera"
QUANTITIES: Final[tuple[Quantity, ...]] = (
    Quantity("pose_yaw_deg", "pose", "degree", f"head turned to the side; {_RIGHT}; {_TO_CAMERA}"),
    Quantity("pose_pitch_deg", "pose", "degree", f"head turned up or down; {_UP}; {_TO_CAMERA}"),
    Quantity("pose_roll_deg", "pose", "degree", "head tilted in the plane of the frame; positive clockwise as seen"),
    Quantity("distance_m", "pose", "metre", "from the camera to the face, for a face of average size; needs the lens"),
    Quantity("gaze_right_yaw_deg", "gaze", "degree", f"gaze of the right eye to the side; {_RIGHT}; {_TO_CAMERA}"),
    Quantity("gaze_right_pitch_deg", "gaze", "degree", f"gaze of the right eye up or down; {_UP}; {_TO_CAMERA}"),
    Quantity("gaze_left_yaw_deg", "gaze", "degree", f"gaze of the left eye to the side; {_RIGHT}; {_TO_CAMERA}"),
    Quantity("gaze_left_pitch_deg", "gaze", "degree", f"gaze of the left eye up or down; {_UP}; {_TO_CAMERA}"),
    Quantity("gaze_yaw_deg", "gaze", "degree", f"mean of both eyes to the side; {_RIGHT}; {_TO_CAMERA}"),
    Quantity("gaze_pitch_deg", "gaze", "degree", f"mean of both eyes up or down; {_UP}; {_TO_CAMERA}"),
    Quantity("eye_openness_right", "eyes", "", "gap between the lids over the width of the eye; about 0.3 open"),
    Quantity("eye_openness_left", "eyes", "", "gap between the lids over the width of the eye; about 0.3 open"),
    Quantity("mouth_opening", "mouth", "", "gap between the lips over the width of the mouth; 0 closed"),
    *(Quantity(f"bs_{name}", "blendshapes", "", f"MediaPipe's blendshape {name}, 0 to 1") for name in BLENDSHAPES),
)
"""All numbers of a face, in the order of `FaceNumbers.values`."""

INDEX: Final = {quantity.name: index for index, quantity in enumerate(QUANTITIES)}
FIRST_BLENDSHAPE: Final = INDEX[f"bs_{BLENDSHAPES[0]}"]


@dataclass(frozen=True, slots=True, eq=False)
class FaceNumbers:
    """The numbers of one face.

    Attributes:
        values: (len(QUANTITIES),) float32 in the order of `QUANTITIES`; NaN where a number is not known.
    """

    values: npt.NDArray[np.float32]

    def __getitem__(self, name: str) -> float:
        return float(self.values[INDEX[name]])

    @property
    def blendshapes(self) -> npt.NDArray[np.float32]:
        """(52,) in the order of `BLENDSHAPES`."""
        return self.values[FIRST_BLENDSHAPE:]


@dataclass(frozen=True, slots=True)
class Blink:
    """Both eyes closed and opened again: when that began, and for how many seconds they were closed."""

    start_s: float
    seconds: float


@dataclass(frozen=True, slots=True, eq=False)
class FaceMeasures:
    """What was measured of one face in one frame.

    Attributes:
        time_s: of that frame.
        points: (478,3) float32 landmarks; x and y in pixels of the frame, z on the same scale, smaller is nearer to the
            camera, about 0 at the head's centre.
        raw: the numbers of this frame alone.
        smoothed: the same, steadied over time: see `mien.engine.faces.landmarks.smoothing`.
        turned_away: the head is turned so far that the model cannot read it well.
        gaze_away: the gaze has been away from the camera for a moment.
        eyes_closed: both eyes are closed.
        blink: one that ended in this frame.
        speaking: the mouth has been moving as it does in speech.
    """

    time_s: float
    points: npt.NDArray[np.float32]
    raw: FaceNumbers
    smoothed: FaceNumbers
    turned_away: bool = False
    gaze_away: bool = False
    eyes_closed: bool = False
    blink: Blink | None = None
    speaking: bool = False
