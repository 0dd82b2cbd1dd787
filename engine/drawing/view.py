"""Renders the newest scene for a window: scaled, mirrored if asked for, with its overlay drawn at that size."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from types import MappingProxyType
from typing import Final, Literal

import cv2
import numpy as np

from mien.engine.drawing.overlay import Overlay
from mien.engine.drawing.privacy import conceal
from mien.engine.media.geometry import Placement
from mien.engine.settings import COMPACT, OverlayStyle
from mien.engine.types import Box, Face, RgbImage, Scene

Privacy = Literal["none", "blur", "pixelate"]

_LARGEST: Final = 8192  # pixels each way


@dataclass(frozen=True, slots=True)
class ViewRequest:
    """What a window wants to see.

    Attributes:
        width, height: of the area to fill, in device pixels.
        mirrored: left and right exchanged, as in a mirror; text stays readable.
        overlay: draw boxes and what the faces show.
        style: how they are drawn.
        hidden: track ids of people of whom nothing is drawn.
        names: what to write in place of track ids; goes before the session's own names.
        privacy: what is done to faces.
        privacy_scope: "all" faces, or those of people who are not selected.
    """

    width: int
    height: int
    mirrored: bool = False
    overlay: bool = True
    style: OverlayStyle = COMPACT
    hidden: frozenset[int] = frozenset()
    names: Mapping[int, str] = field(default_factory=dict)
    privacy: Privacy = "none"
    privacy_scope: Literal["all", "unselected"] = "all"


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """A frame ready to be painted, and the way back from its pixels to the faces.

    Attributes:
        image: (h,w,3) uint8 RGB, C-contiguous; fits the requested area in one direction at least.
        scene: what it shows; coordinates are those of the unscaled frame.
        scale: device pixels per frame pixel, across and down; they differ where the source's pixels are not square.
        offset: (x, y) of the frame's top left corner in the requested area, in device pixels.
        mirrored: whether left and right are exchanged.
        labels: class names of the scene's predictions.
        serial: counts the views; another number means another view.
        request: what was asked for.
        ready_s: `time.monotonic()` when it was finished.
        no_signal: where the signal was lost after this frame, the line that is written on it; else "".
    """

    image: RgbImage
    scene: Scene
    scale: tuple[float, float]
    offset: tuple[int, int]
    mirrored: bool
    labels: tuple[str, ...]
    serial: int
    request: ViewRequest
    ready_s: float = 0.0
    no_signal: str = ""

    def to_scene(self, x: float, y: float) -> tuple[float, float]:
        """Where in the scene's frame the point (x, y) of the requested area (device pixels) lies."""
        x, y = x - self.offset[0], y - self.offset[1]
        if self.mirrored:
            x = self.image.shape[1] - x
        return x / self.scale[0], y / self.scale[1]

    def box(self, face: Face) -> Box:
        """The box of one of the scene's faces in the requested area, in device pixels."""
        return Placement(self.scale, self.offset, self.image.shape[1] if self.mirrored else None).box(face.box)

    def face_at(self, x: float, y: float) -> Face | None:
        """The face at the point (x, y) of the requested area; the smallest where several lie there."""
        x, y = self.to_scene(x, y)
        hit = [f for f in self.scene.faces if f.box.x <= x <= f.box.right and f.box.y <= y <= f.box.bottom]
        return min(hit, key=lambda face: face.box.area, default=None)


def render(
    scene: Scene,
    request: ViewRequest,
    overlay: Overlay,
    *,
    labels: tuple[str, ...],
    serial: int,
    names: Mapping[int, str],
    selected: frozenset[int],
    persons: Mapping[int, int] = MappingProxyType({}),
    pixel_aspect: Fraction = Fraction(1),
    no_signal: str = "",
) -> View:
    """Make the view of `scene` that `request` asks for.

    Args:
        scene: the newest.
        request: size and looks.
        overlay: draws; keeps to one thread.
        labels, serial: for the view.
        names: of people, by track id.
        selected: track ids of the selected people.
        persons: of tracks that were merged into one person, the track whose colour they share.
        pixel_aspect: width : height of one pixel of the scene's frame.
        no_signal: where the signal was lost after this scene, a line that says so.
    """
    (width, height), scale = fit(scene.frame.image, request, pixel_aspect)
    offset = ((request.width - width) // 2, (request.height - height) // 2)
    image = _resized(scene.frame.image, width, height)
    if request.mirrored:
        image = np.asarray(cv2.flip(image, 1), dtype=np.uint8)
    placement = Placement(scale, mirrored_width=image.shape[1] if request.mirrored else None)
    turned = Scene(
        replace(scene.frame, image=image),
        tuple(map(placement.face, scene.faces)),
        scene.predictions,
        tuple(map(placement.box, scene.others)),
        {key: placement.measures(one) for key, one in scene.measures.items()} if request.style.layers else {},
    )
    if request.privacy != "none":
        spared = selected if request.privacy_scope == "unselected" else frozenset[int]()
        boxes = [*(face.box for face in turned.faces if face.track_id not in spared), *turned.others]
        conceal(image, boxes, request.privacy)
        turned = turned.without_measures([face.track_id for face in turned.faces if face.track_id not in spared])
    if request.overlay:
        overlay.draw_over(
            image,
            turned,
            names={**names, **request.names},
            hidden=request.hidden,
            selected=selected,
            persons=persons,
            no_signal=no_signal,
            style=request.style,
        )
    elif no_signal:
        overlay.draw_no_signal(image, no_signal)
    return View(image, scene, scale, offset, request.mirrored, labels, serial, request, no_signal=no_signal)


def fit(
    image: RgbImage, request: ViewRequest, pixel_aspect: Fraction = Fraction(1)
) -> tuple[tuple[int, int], tuple[float, float]]:
    """Largest (width, height) of `image` inside the requested area, and the scale across and down."""
    high, wide = image.shape[:2]
    shape = wide * float(pixel_aspect) / high
    space = min(max(request.width, 1), _LARGEST), min(max(request.height, 1), _LARGEST)
    width = max(1, min(space[0], round(space[1] * shape)))
    height = max(1, min(space[1], round(space[0] / shape)))
    return (width, height), (width / wide, height / high)


def _resized(image: RgbImage, width: int, height: int) -> RgbImage:
    """A copy of `image` with the given size."""
    if image.shape[:2] == (height, width):
        return image.copy()
    if width > image.shape[1]:
        return np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_CUBIC), dtype=np.uint8)
    # Averaging keeps fine lines, and is fast by whole numbers only: the rest, less than a half, is left to a linear
    # filter, whose two by two pixels leave none out. OpenCV's INTER_AREA takes six times as long for the whole way.
    times = min(image.shape[1] // width, image.shape[0] // height)
    if times > 1:
        high, wide = image.shape[0] // times, image.shape[1] // times
        whole = image[: high * times, : wide * times]
        image = np.asarray(cv2.resize(whole, (wide, high), interpolation=cv2.INTER_AREA), dtype=np.uint8)
    return np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR), dtype=np.uint8)
