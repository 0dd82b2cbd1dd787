"""All choices of a session in one frozen value, checked once."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

from mien.engine.errors import MienError, SettingsError
from mien.engine.language import tr
from mien.engine.measures import COLUMN_GROUPS, FACE_LAYERS, ColumnGroup, FaceLayer

DetectorRange = Literal["auto", "short", "full", "tiles"]
Expected = Literal["as-trained", "balanced", "lab", "own"]
Encoder = Literal["x264", "auto", "nvenc", "qsv", "amf", "videotoolbox"]
Provider = Literal["auto", "tensorrt", "cuda", "directml", "openvino", "coreml", "cpu"]

DETECTOR_RANGES: Final[tuple[DetectorRange, ...]] = ("auto", "short", "full", "tiles")
MAX_PIXELS: Final = 8192 * 4320
"""The largest frame that is decoded, where nothing else is chosen: 8K, and what level 6 of H.265 allows (35 651 584).
A small file can announce frames that fill any memory."""

OverlayLook = Literal["compact", "bars", "minimal", "none"]
OVERLAY_LOOKS: Final[tuple[OverlayLook, ...]] = ("compact", "bars", "minimal", "none")

EXPECTED: Final[tuple[Expected, ...]] = ("as-trained", "balanced", "lab", "own")
ENCODERS: Final[tuple[Encoder, ...]] = ("x264", "auto", "nvenc", "qsv", "amf", "videotoolbox")
PROVIDERS: Final[tuple[Provider, ...]] = ("auto", "tensorrt", "cuda", "directml", "openvino", "coreml", "cpu")


def require_one_of(name: str, value: object, allowed: Iterable[str], error: type[MienError] = SettingsError) -> None:
    """Refuse a choice that there is not.

    Raises:
        error: the message names field, value and what is allowed.
    """
    allowed = tuple(allowed)
    if value not in allowed:
        raise error(
            tr("{name} is {value!r}; choose one of {allowed}", name=name, value=value, allowed=", ".join(allowed))
        )


def require_between(
    name: str, value: object, low: float, high: float = math.inf, error: type[MienError] = SettingsError
) -> None:
    """Refuse what is no number, and a number out of its range.

    Raises:
        error: the message names field, value and range.
    """
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not low <= value <= high:  # type: ignore[operator]
        if high < math.inf:
            raise error(
                tr(
                    "{name} is {value!r}; choose a value from {low:g} to {high:g}",
                    name=name,
                    value=value,
                    low=low,
                    high=high,
                )
            )
        raise error(tr("{name} is {value!r}; choose a value of at least {low:g}", name=name, value=value, low=low))


@dataclass(frozen=True, slots=True)
class Expectation:
    """How often each expression is to be expected; see `mien.engine.inference.priors`.

    Attributes:
        choice: "as-trained": as often as in the model's training data. "balanced": rare ones get part of what they lack
            there, as much as the model's maker chose. "lab": all alike, as in a study that asks for each of them as
            often. "own": `frequencies`.
        frequencies: for "own" a label and its share for each class, positive and in any unit.

    Raises:
        SettingsError: there is no such choice, or frequencies are missing, not positive numbers, or without use.
    """

    choice: str = "balanced"
    frequencies: tuple[tuple[str, float], ...] = ()

    def __post_init__(self) -> None:
        require_one_of("expect", self.choice, EXPECTED)
        if (self.choice == "own") != bool(self.frequencies):
            raise SettingsError(tr('expect: own frequencies go with the choice "own", and with it only'))
        for label, share in self.frequencies:
            require_between(tr("expected frequency of {label}", label=label), share, 1e-6, 1e9)


BALANCED: Final = Expectation()


@dataclass(frozen=True, slots=True)
class OverlayStyle:
    """How faces and what they show are drawn on a frame.

    Attributes:
        look: "compact", a tag with name, label and one bar beside each face; "bars", all probabilities; "minimal",
            name and label; "none", nothing at all.
        font_scale: how large the letters are, of the size that follows from the frame's, 0.5 to 3.
        high_contrast: white on black with outlines, for themes of high contrast.
        layers: what is drawn on the faces themselves: "mesh", the landmarks as a net; "contours" of eyes, brows, lips
            and face; "axes" of the head; "gaze", a ray from each eye.

    Raises:
        SettingsError: a value is out of its range.
    """

    look: OverlayLook = "compact"
    font_scale: float = 1.0
    high_contrast: bool = False
    layers: tuple[FaceLayer, ...] = ()

    def __post_init__(self) -> None:
        require_one_of("overlay", self.look, OVERLAY_LOOKS)
        require_between("font_scale", self.font_scale, 0.5, 3.0)
        for layer in self.layers:
            require_one_of("layers", layer, FACE_LAYERS)


COMPACT: Final = OverlayStyle()
"""What is drawn where nothing else is chosen."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What can be chosen for a session.

    Attributes:
        detector_range: "short" finds faces within about two metres of the camera, "full" within about five, "auto"
            both, "tiles" also very small ones, slowly: see `mien.engine.faces.ranges`.
        min_score: smallest detector confidence that counts as a face, 0.05 to 1.
        occlusion_s: how long a hidden face keeps its id, in seconds, 0 to 10.
        max_faces: at most this many faces are followed at once, 1 to 64.
        provider: what runs the model; "auto" takes the fastest that really works.
        crf: constant rate factor of the H.264 recording, 0 (lossless) to 51.
        encoder: what makes the H.264: "x264" in software, "auto" in hardware where that works, or one by name.
        threads: CPU threads for each of decoder, model and encoder, up to 256; 0: each chooses for itself.
        max_pixels: the largest frame that is decoded, width times height, 256 to 2**30.
        expect: how often each expression is to be expected.
        overlay, font_scale, layers: how annotated videos are drawn: see `OverlayStyle`.
        columns: what is written of each face; the expressions always are.
        camera_angle: the angle that the camera sees across, in degrees, 10 to 170; 0: not known, and so are distances.

    Raises:
        SettingsError: a value is out of its range; the message names field, value and range.
    """

    detector_range: DetectorRange = "auto"
    min_score: float = 0.5
    occlusion_s: float = 1.0
    max_faces: int = 16
    provider: Provider = "auto"
    crf: int = 20
    encoder: Encoder = "x264"
    threads: int = 0
    max_pixels: int = MAX_PIXELS
    expect: Expectation = BALANCED
    overlay: OverlayLook = "compact"
    font_scale: float = 1.0
    layers: tuple[FaceLayer, ...] = ()
    columns: tuple[ColumnGroup, ...] = ("expressions",)
    camera_angle: float = 0.0

    def __post_init__(self) -> None:
        require_one_of("detector_range", self.detector_range, DETECTOR_RANGES)
        require_one_of("provider", self.provider, PROVIDERS)
        require_between("min_score", self.min_score, 0.05, 1.0)
        require_between("occlusion_s", self.occlusion_s, 0.0, 10.0)
        require_between("max_faces", self.max_faces, 1, 64)
        require_between("crf", self.crf, 0, 51)
        require_one_of("encoder", self.encoder, ENCODERS)
        require_between("threads", self.threads, 0, 256)
        require_between("max_pixels", self.max_pixels, 256, 2**30)
        for group in self.columns:
            require_one_of("columns", group, COLUMN_GROUPS)
        if self.camera_angle:
            require_between("camera_angle", self.camera_angle, 10, 170)
        self.overlay_style  # noqa: B018 (checks itself)

    @property
    def overlay_style(self) -> OverlayStyle:
        """How annotated videos are drawn."""
        return OverlayStyle(self.overlay, self.font_scale, layers=self.layers)

    @property
    def needs_landmarks(self) -> bool:
        """Whether anything was chosen that takes the landmarks of the faces."""
        return bool(self.layers or set(self.columns) - {"expressions", "valence"})

    def focal_px(self, width: int) -> float | None:
        """Focal length in pixels of a camera whose frames are `width` pixels wide; None where it is not known."""
        return width / 2 / math.tan(math.radians(self.camera_angle) / 2) if self.camera_angle else None
