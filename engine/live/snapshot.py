"""A view again, at the size of its source."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction

from mien.engine.drawing.overlay import Overlay
from mien.engine.drawing.view import View, render
from mien.engine.inference.bundle import Manifest
from mien.engine.inference.typed_labels import label_note
from mien.engine.types import RgbImage


def at_source_size(
    view: View, manifest: Manifest, *, names: Mapping[int, str], selected: frozenset[int], pixel_aspect: Fraction
) -> RgbImage:
    """What `view` shows, drawn anew at the size of its source's frames. Takes as long as a view; for any thread.

    Args:
        view: what is on the screen.
        manifest: of the model that made its predictions.
        names: of people, by track id.
        selected: track ids of the selected people.
        pixel_aspect: width : height of one pixel of the source.

    Returns:
        (H,W,3) uint8 RGB; pixels that are not square were made so.
    """
    height, width = view.scene.frame.image.shape[:2]
    request = replace(view.request, width=max(1, round(width * float(pixel_aspect))), height=height)
    overlay = Overlay(manifest.labels, steps=manifest.steps, note=label_note(manifest))
    again = render(
        view.scene, request, overlay, labels=view.labels, serial=0, names=names, selected=selected,
        pixel_aspect=pixel_aspect, no_signal=view.no_signal,
    )  # fmt: skip
    return again.image
