"""Draws the pictures that outputs may send, with faces made unrecognisable before anything else is done."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from mien.engine.drawing.overlay import Overlay
from mien.engine.drawing.privacy import Anonymiser
from mien.engine.inference.bundle import Manifest
from mien.engine.inference.typed_labels import label_note
from mien.engine.outputs.base import LiveScene, Picture
from mien.engine.settings import COMPACT, OverlayStyle


@dataclass(frozen=True, slots=True)
class PictureLook:
    """How pictures look.

    Attributes:
        privacy: what is done to faces.
        privacy_scope: to "all" faces, or to those of people who are not selected.
        style: how boxes and what the faces show are drawn; its look "none" draws nothing.
    """

    privacy: Literal["none", "blur", "pixelate"] = "none"
    privacy_scope: Literal["all", "unselected"] = "all"
    style: OverlayStyle = COMPACT


class Painter:
    """Turns the scenes that one output is given into pictures. For one thread.

    With privacy, pictures come up to 0.2 s late: a face is covered in the frames just before it was found, too.
    """

    def __init__(self) -> None:
        self._look: PictureLook | None = None
        self._anonymiser = Anonymiser("none", "all")
        self._held: deque[LiveScene] = deque()
        self._overlay: Overlay | None = None
        self._manifest: Manifest | None = None
        self._last: Picture | None = None

    def push(self, live: LiveScene, look: PictureLook) -> Iterator[Picture]:
        """Take in a scene with its pixels; yields the pictures that may be shown now."""
        if look != self._look:
            # What waits was covered in another way, or not at all: it is not shown.
            self._look, self._last = look, None
            self._anonymiser = Anonymiser(look.privacy, look.privacy_scope)
            self._held.clear()
        self._held.append(live)
        for scene, image in self._anonymiser.push(live.scene, live.selected):
            ready = self._held.popleft()
            assert ready.scene is scene
            self._last = Picture(ready.without_pixels(), "", self._overlay_for(ready), image, _style=look.style)
            yield self._last

    def lose_signal(self, text: str, look: PictureLook) -> Picture | None:
        """The last picture, dimmed, with `text` on it; None where there is none."""
        if self._last is None or look != self._look:
            return None
        return replace(self._last, no_signal=text, _drawn=None)

    def _overlay_for(self, live: LiveScene) -> Overlay:
        if self._overlay is None or live.manifest is not self._manifest:
            manifest = self._manifest = live.manifest
            if manifest is None:
                self._overlay = Overlay(live.labels, steps=1)
            else:
                self._overlay = Overlay(
                    manifest.labels, steps=manifest.steps, note=label_note(manifest), values=manifest.values
                )
        return self._overlay
