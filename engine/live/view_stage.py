"""Renders views beside everything else: the newest scene, at the size that was asked for last."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction

from mien.engine.drawing.overlay import Overlay
from mien.engine.drawing.view import View, ViewRequest, render
from mien.engine.inference.bundle import Manifest
from mien.engine.inference.typed_labels import label_note
from mien.engine.live.capture import Capture
from mien.engine.live.people import LivePeople, WhoIsWho
from mien.engine.live.prediction import Model
from mien.engine.live.status import Meter
from mien.engine.threads import Latest
from mien.engine.types import RgbImage, Scene


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """A scene with what its view needs."""

    scene: Scene
    capture: Capture
    model: Model
    no_signal: str = ""
    """Where the signal was lost after the scene, a line that says so."""


class ViewStage:
    """`run` is the stage's thread; all else is for any thread and waits for nothing.

    Attributes:
        meter: views of new frames, and the seconds from capture to the finished view.
    """

    def __init__(self, people: LivePeople) -> None:
        self.meter = Meter()
        self._people = people
        self._scenes: Latest[Shown] = Latest()
        self._lock = threading.Lock()
        self._request: ViewRequest | None = None
        self._tell: Callable[[], None] | None = None
        self._newest: Shown | None = None
        self._view: View | None = None
        self._passed_over = 0

    @property
    def wanted(self) -> bool:
        """Whether anybody looks."""
        with self._lock:
            return self._request is not None

    @property
    def passed_over(self) -> int:
        """Scenes that were not rendered: a newer one was there, or nobody looked."""
        with self._lock:
            return self._passed_over + self._scenes.dropped

    def ask(self, request: ViewRequest | None, tell: Callable[[], None] | None = None) -> None:
        """Say what `view` should be from now on; None: nothing is rendered.

        `tell` is called after every new view, in the stage's thread: it must not wait.
        """
        with self._lock:
            self._request, self._tell = request, tell
            if request is None:
                self._view = None
        self.refresh()

    def show(self, shown: Shown) -> None:
        """A new scene."""
        with self._lock:
            self._newest = shown
            if self._request is None:
                self._passed_over += 1
                return
        self._scenes.put(shown)

    def refresh(self) -> None:
        """Render again what is shown: the source may be slow or at its end, and something else has changed."""
        with self._lock:
            newest = self._newest if self._request is not None else None
        if newest is not None:
            self._scenes.put(newest)

    def lose_signal(self, text: str) -> None:
        """Write `text` on what is shown, dimmed, until the next scene."""
        with self._lock:
            if self._newest is not None:
                self._newest = replace(self._newest, no_signal=text)
        self.refresh()

    def clear(self) -> None:
        """Forget what is shown: another source."""
        with self._lock:
            self._newest = self._view = None

    def view(self) -> View | None:
        """The newest view."""
        with self._lock:
            return self._view

    def close(self) -> None:
        """Let `run` end."""
        self._scenes.close()

    def run(self) -> None:
        """The stage's thread."""
        overlay: Overlay | None = None
        drawn_with: tuple[Model, Capture] | None = None
        last: Scene | None = None
        serial = 0
        for shown in self._scenes:
            with self._lock:
                request, newest = self._request, self._newest
            if request is None or newest is None or shown.capture is not newest.capture:
                continue
            manifest = shown.model.bundle.manifest
            if overlay is None or drawn_with != (shown.model, shown.capture):
                overlay = Overlay(
                    manifest.labels, steps=manifest.steps, note=label_note(manifest), values=manifest.values
                )
                drawn_with = shown.model, shown.capture
            info = shown.capture.source.info
            people = self._people.now
            serial += 1
            view = render(
                shown.scene,
                request if people.hidden <= request.hidden else replace(request, hidden=request.hidden | people.hidden),
                overlay,
                labels=shown.model.labels,
                serial=serial,
                names=people.names,
                selected=people.selected,
                persons=people.persons,
                pixel_aspect=Fraction(1) if info is None else info.sample_aspect,
                no_signal=shown.no_signal,
            )
            now = time.monotonic()
            with self._lock:
                if self._newest is None or shown.capture is not self._newest.capture or self._request is None:
                    continue
                self._view, tell = replace(view, ready_s=now), self._tell
            if tell is not None:
                tell()
            if shown.scene is not last:
                captured_s = shown.scene.frame.captured_s
                self.meter.add(now - captured_s if captured_s else None)
                last = shown.scene


def at_source_size(view: View, manifest: Manifest, *, people: WhoIsWho, pixel_aspect: Fraction) -> RgbImage:
    """What `view` shows, drawn anew at the size of its source's frames. Takes as long as a view; for any thread.

    Args:
        view: what is on the screen.
        manifest: of the model that made its predictions.
        people: who is who.
        pixel_aspect: width : height of one pixel of the source.

    Returns:
        (H,W,3) uint8 RGB; pixels that are not square were made so.
    """
    height, width = view.scene.frame.image.shape[:2]
    request = replace(view.request, width=max(1, round(width * float(pixel_aspect))), height=height)
    overlay = Overlay(manifest.labels, steps=manifest.steps, note=label_note(manifest), values=manifest.values)
    again = render(
        view.scene, request, overlay, labels=view.labels, serial=0, names=people.names, selected=people.selected,
        persons=people.persons, pixel_aspect=pixel_aspect, no_signal=view.no_signal,
    )  # fmt: skip
    return again.image
