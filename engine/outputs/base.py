"""The contract of live outputs, and what they are given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from fractions import Fraction
from importlib import import_module
from typing import TYPE_CHECKING, Protocol, cast

import numpy as np

from mien.engine.errors import SettingsError
from mien.engine.faces.people import PeopleBook
from mien.engine.language import tr
from mien.engine.outputs.kinds import OUTPUTS, missing
from mien.engine.settings import COMPACT, OverlayStyle

if TYPE_CHECKING:
    from mien.engine.drawing.overlay import Overlay
    from mien.engine.inference.bundle import Manifest
    from mien.engine.types import RgbImage, Scene, SourceInfo


class EventKind(StrEnum):
    """What can happen beside the numbers."""

    MARKER = "marker"
    """Somebody set a marker; `Event.text` says what."""
    APPEARED = "appeared"
    """A person came; `Event.text` is the name, where there is one."""
    LEFT = "left"
    """A person is no longer followed."""
    LABEL = "label"
    """What a person shows has changed; `Event.text` is the new label, or "uncertain"."""
    NO_SIGNAL = "no signal"
    """No frames come any more; `Event.text` is a line for people."""
    GAP = "gap"
    """Frames come again; `Event.text` is the length of the gap in seconds, "2.500"."""
    SOURCE = "source"
    """Another source was opened, or none: nobody who was there is there any more."""
    TEST = "test"
    """A user wants to see whether anything arrives."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened at one moment.

    Attributes:
        kind: what.
        time_s: when, in seconds of the source; 0 before its first frame.
        captured_s: the same moment as `time.monotonic()`: of what follows from a frame, that of its capture.
        text: see `EventKind`; one line.
        track_id: whom it is about; 0: nobody.
        origin: kind of the output through which it came in, such as "lsl"; "" where it began here. An output does not
            send out again what came in through its kind, or two sessions would send it to and fro for ever.
    """

    kind: EventKind
    time_s: float
    captured_s: float
    text: str = ""
    track_id: int = 0
    origin: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class LiveScene:
    """What an output is given.

    Attributes:
        scene: a frame with its faces and predictions; `scene.frame.time_s` counts seconds of the source, and
            `scene.frame.captured_s` is the moment of capture (`time.monotonic()`). Of the frame's image only the shape
            is true: it is black. Pictures come through `Output.show`, drawn, and made unrecognisable where that is
            wanted.
        labels: class names of the model, in the order of `Prediction.probabilities`.
        names: what people are called, by track id, where somebody named them.
        source: name of the source; holds no login.
        manifest: of the model; None in tests alone.
        info: what the source says of itself; None where it does not.
        gap_s: seconds without signal since the scene that this output was given before.
        book: which track ids are one person.
        selected: track ids of the selected people.
        hidden: track ids of people of whom nothing is drawn.
    """

    scene: Scene
    labels: tuple[str, ...]
    names: Mapping[int, str]
    source: str
    manifest: Manifest | None = None
    info: SourceInfo | None = None
    gap_s: float = 0.0
    book: PeopleBook = field(default_factory=PeopleBook)
    selected: frozenset[int] = frozenset()
    hidden: frozenset[int] = frozenset()

    @property
    def values(self) -> tuple[str, ...]:
        """Names of the numbers that the model predicts beside the classes, such as valence."""
        return () if self.manifest is None else self.manifest.values

    def without_pixels(self) -> LiveScene:
        """The same with a black image of the same shape, which takes no memory."""
        frame = self.scene.frame
        # One byte, seen as a whole image: an output that is stuck holds no frames back, and can leak none.
        black = np.broadcast_to(np.uint8(0), frame.image.shape)
        return replace(self, scene=replace(self.scene, frame=replace(frame, image=black)))


@dataclass(slots=True, eq=False)
class Picture:
    """A frame that may be shown to others.

    Attributes:
        live: the scene, without pixels; `live.scene.frame.time_s` and `captured_s` are the picture's times.
        no_signal: where the signal was lost after this frame, the line that is written on it; else "".
    """

    live: LiveScene
    no_signal: str
    _overlay: Overlay = field(repr=False)
    _bare: RgbImage = field(repr=False)  # in which faces are covered already
    _drawn: RgbImage | None = field(default=None, repr=False)
    _style: OverlayStyle = COMPACT

    @property
    def pixel_aspect(self) -> Fraction:
        """Width : height of one pixel."""
        return Fraction(1) if self.live.info is None else self.live.info.sample_aspect

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels; may change from picture to picture."""
        height, width = self._bare.shape[:2]
        return width, height

    def image(self) -> RgbImage:
        """(H,W,3) uint8 RGB, not to be changed. Drawn when asked for first; for the output's own thread."""
        if self._drawn is None:
            live = self.live
            scene = replace(live.scene, frame=replace(live.scene.frame, image=self._bare))
            image = self._bare.copy()  # the screen shows the same array
            self._overlay.draw_over(
                image, scene, names=live.names, hidden=live.hidden, selected=live.selected,
                persons=live.book.persons(), no_signal=self.no_signal, style=self._style,
            )  # fmt: skip
            self._drawn = image
        return self._drawn


class Output(Protocol):
    """One target. All methods are called in one thread of the output's own, so they may wait.

    Two more methods are called where a class has them::

        def tell(self, event: Event) -> None: ...  # before `send` of the scene that it follows from
        def show(self, picture: Picture) -> None: ...  # with `OutputKind.pictures`, after `send`

    and these attributes are looked at where it has them: ``detail`` (a str), shown as `OutputStatus.detail`, such as
    "2 clients"; ``address`` (a str), where a person can open what it serves, for `OutputStage.address`;
    ``wants_pictures`` (a bool), False where this target is one without.
    """

    def send(self, live: LiveScene) -> None:
        """Pass one scene on.

        Raises:
            Exception: the target cannot be reached. The output is then closed, made anew after a while, and goes on
                with the newest scene. The same holds for `tell` and `show`.
        """
        ...

    def close(self) -> None:
        """Let go of the target."""
        ...


class TakesEvents(Output, Protocol):
    """An output that wants to know of events, too."""

    def tell(self, event: Event) -> None:
        """Pass one event on."""
        ...


class TakesPictures(Output, Protocol):
    """An output that wants pictures, too."""

    def show(self, picture: Picture) -> None:
        """Pass one picture on; that it is drawn only when its `image` is called saves work where nobody looks."""
        ...


class OutputType(Protocol):
    """What a class in `OUTPUTS` is called with."""

    def __call__(self, target: str) -> Output:
        """An output to `target`, as the user wrote it; see `mien.engine.outputs.targets` for how to read it.

        The first is made where the user asked for it, be it in the window's thread: it must not wait. What takes time,
        such as connecting, belongs into the first `send` or `tell`.

        Raises:
            SettingsError: `target` cannot be understood, or can never work.
            Exception: it cannot be reached now.
        """
        ...


def output_type(kind: str) -> OutputType:
    """The class for a kind of output.

    Raises:
        SettingsError: there is no such kind, or a package that it needs is not installed.
    """
    if kind not in OUTPUTS:
        raise SettingsError(
            tr("output {kind!r} is not known; choose one of {outputs}", kind=kind, outputs=", ".join(OUTPUTS))
        )
    lacks = missing(kind)
    if lacks:
        raise SettingsError(lacks)
    module, _, name = OUTPUTS[kind].type.partition(":")
    return cast("OutputType", getattr(import_module(module), name))
