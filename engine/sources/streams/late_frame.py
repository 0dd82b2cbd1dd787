"""Frames that are turned into RGB when somebody looks at them: of many cameras, nobody has time for every frame."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, cast

from mien.engine.types import Frame, RgbImage

_HELD: Final[Any] = vars(Frame)["image"]  # the descriptor of the place where a frame keeps its image


@dataclass(frozen=True, slots=True, eq=False)
class LateFrame(Frame):
    """A frame whose image may be given as `late`: it is made when it is first asked for.

    A thread that asks while another does makes it a second time, which costs time and changes nothing.
    """


def late(make: Callable[[], RgbImage]) -> RgbImage:
    """Stands for the image of a `LateFrame` until then; `make` must not fail."""
    return cast("RgbImage", make)


def _image(frame: Frame) -> RgbImage:
    held: RgbImage | Callable[[], RgbImage] = _HELD.__get__(frame)
    if callable(held):
        held = held()
        _HELD.__set__(frame, held)
    return held


# Set here, as a dataclass takes a property in its body for the default of a field.
LateFrame.image = property(_image, _HELD.__set__)  # type: ignore[assignment,misc]
