"""What is said of one face, and the tag or panel that says it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final

from mien.engine.drawing.colours import Rgb, label_colour, mixed, track_colour
from mien.engine.drawing.metrics import Metrics, short
from mien.engine.drawing.shapes import draw_bar, draw_hollow_bar, draw_panel, fill
from mien.engine.drawing.text import draw_text, text_width
from mien.engine.types import Box, Face, Prediction, RgbImage, Scene, Status

_WHITE: Final[Rgb] = (255, 255, 255)
_GREY: Final[Rgb] = (196, 196, 196)
_DIM: Final[Rgb] = (140, 140, 140)
_TRACK: Final[Rgb] = (74, 74, 74)
_DARK: Final[Rgb] = (16, 16, 16)

# Of the bars of a panel: a label gets its row at so much, and loses it when it had less for so long.
_IN: Final = 0.05
_OUT: Final = 0.03
_OUT_S: Final = 2.0
_MOST_ROWS: Final = 8


class Trust(Enum):
    """How far what is said can be relied on."""

    SURE = auto()
    DOUBTFUL = auto()
    """The model is sure, but the face is small, dark, blurred or turned away."""
    UNCERTAIN = auto()
    WARMING = auto()
    NOTHING = auto()
    """No number is about now: hidden, or no signal."""


class TagShape(Enum):
    """How much room a tag takes."""

    WIDE = auto()
    """Word beside the name."""
    NARROW = auto()
    """Word under the name."""
    NAME = auto()
    """The name alone: there is no room."""


@dataclass(frozen=True, slots=True)
class Said:
    """What is said of one face in one frame.

    Attributes:
        track_id: whose.
        name: name or id.
        colour: of the person.
        word: a label or a state.
        trust: how far it can be relied on.
        share: length of the one bar, 0 to 1; None for no bar.
        reason: what makes the face hard to read; "" for nothing.
        prediction: the numbers; None where there are none, or none about now.
    """

    track_id: int
    name: str
    colour: Rgb
    word: str
    trust: Trust
    share: float | None
    reason: str
    prediction: Prediction | None

    @property
    def bar_colour(self) -> Rgb:
        """The colour of the label, paler the less it can be relied on; grey for a state."""
        if self.prediction is None or self.trust in (Trust.WARMING, Trust.NOTHING):
            return _DIM
        colour = label_colour(self.prediction.label)
        return colour if self.trust is Trust.SURE else mixed(colour, _DIM, 0.5)


def said_of(
    scene: Scene,
    face: Face,
    name: str,
    labels: Sequence[str],
    steps: int,
    *,
    colour: Rgb | None = None,
    no_signal: bool = False,
) -> Said:
    """What to say of `face`: a label only where the model gives one, so that a poor face never looks surer than a
    good one. `colour`: of the person; None: that of the track.
    """
    status, prediction = scene.status(face), scene.predictions.get(face.track_id)
    about = face.track_id, name, track_colour(face.track_id) if colour is None else colour
    if no_signal:
        return Said(*about, "no signal", Trust.NOTHING, None, "", None)
    if status is Status.OCCLUDED:
        return Said(*about, "hidden", Trust.NOTHING, None, "", None)
    reason = ", ".join(prediction.flaws) if prediction is not None else ""
    if prediction is None or status is Status.WARMING:
        filled = prediction.steps if prediction is not None else 0
        return Said(*about, "warming up", Trust.WARMING, filled / max(steps, 1), reason, prediction)
    share = float(prediction.probabilities[prediction.label])
    if status is Status.UNCERTAIN:
        return Said(*about, "uncertain", Trust.UNCERTAIN, share, reason, prediction)
    word = short(labels[prediction.label])
    if reason:
        return Said(*about, f"{word}?", Trust.DOUBTFUL, share, reason, prediction)
    return Said(*about, word, Trust.SURE, share, "", prediction)


def chip_width(name: str, m: Metrics) -> int:
    """How wide a name is with its coloured ground."""
    return text_width(name, m.font, bold=True) + 2 * m.pad


def draw_tag(image: RgbImage, panel: Box, said: Said, m: Metrics, *, shape: TagShape, bar: bool, opaque: bool) -> None:
    """A name, a word, and with `bar` one bar under both."""
    x, y, width, height = round(panel.x), round(panel.y), round(panel.width), round(panel.height)
    draw_panel(image, x, y, width, height, opaque=opaque)
    chip = _draw_chip(image, x, y, m.line + m.pad // 2, said, m, opaque=opaque)
    if shape is TagShape.NAME:
        return
    narrow = shape is TagShape.NARROW
    left, top = (x + m.pad, y + m.line + m.pad // 2) if narrow else (x + chip + m.pad, y + m.pad // 4)
    draw_text(image, said.word, left, top, m.font, _ink(said.trust, opaque), bold=said.trust is Trust.SURE)
    if bar and said.share is not None:
        _draw_share(
            image, x + m.pad, y + height - m.bar - m.pad // 2, width - 2 * m.pad, said, m, said.share, said.bar_colour
        )


def draw_bars(
    image: RgbImage,
    panel: Box,
    said: Said,
    rows: Sequence[int],
    labels: Sequence[str],
    m: Metrics,
    *,
    values: Sequence[str] = (),
    opaque: bool = False,
) -> None:
    """A name, what speaks against the numbers, a bar for each of `rows` (indices of labels), `values` as numbers."""
    x, y, width, height = round(panel.x), round(panel.y), round(panel.width), round(panel.height)
    draw_panel(image, x, y, width, height, opaque=opaque)
    head = m.line + m.pad // 2
    chip = _draw_chip(image, x, y, head, said, m, opaque=opaque)
    plain = said.trust in (Trust.SURE, Trust.DOUBTFUL)
    heading = said.reason if plain else ", ".join(filter(None, (said.word, said.reason)))
    draw_text(image, _cut(heading, width - chip - 2 * m.pad, m), x + chip + m.pad, y + m.pad // 4, m.font, _GREY)
    if said.prediction is None or said.trust is Trust.NOTHING:
        return
    for number, index in enumerate(rows):
        top = y + head + m.pad // 2 + number * m.line
        strong = index == said.prediction.label and said.trust is not Trust.WARMING
        ink = _ink(said.trust, opaque) if strong else (_WHITE if opaque else _GREY)
        draw_text(image, short(labels[index]), x + m.pad, top, m.font, ink, bold=strong)
        share = float(said.prediction.probabilities[index])
        colour = label_colour(index)
        if said.trust is Trust.WARMING:
            colour = _DIM
        elif said.trust is not Trust.SURE:
            colour = mixed(colour, _DIM, 0.5)
        bar_x = x + 2 * m.pad + m.label_width
        _draw_share(image, bar_x, top + (m.line - m.bar) // 2, m.bar_width, said, m, share, colour)
        value = f"{share * 100:.0f} %"
        right = x + width - m.pad - text_width(value, m.font, bold=strong)
        draw_text(image, value, right, top, m.font, ink, bold=strong)

    for number, name in enumerate(values, start=len(rows)):
        top = y + head + m.pad // 2 + number * m.line
        text = f"{said.prediction.values[name]:.2f}" if name in said.prediction.values else ""
        draw_text(image, short(name), x + m.pad, top, m.font, _GREY)
        draw_text(image, text, x + width - m.pad - text_width(text, m.font), top, m.font, _GREY)


def _draw_chip(image: RgbImage, x: int, y: int, height: int, said: Said, m: Metrics, *, opaque: bool) -> int:
    """The name on its person's colour; returns its width."""
    width = chip_width(said.name, m)
    edge = max(1, m.line // 24) if opaque else 0
    fill(image, x + edge, y + edge, width - edge, height - edge, said.colour)
    draw_text(image, said.name, x + m.pad, y + m.pad // 4, m.font, _DARK, bold=True)
    return width


def _draw_share(image: RgbImage, x: int, y: int, width: int, said: Said, m: Metrics, share: float, colour: Rgb) -> None:
    draw = draw_bar if said.trust in (Trust.SURE, Trust.DOUBTFUL, Trust.WARMING) else draw_hollow_bar
    draw(image, x, y, width, m.bar, share, colour, _TRACK)


def _ink(trust: Trust, opaque: bool) -> Rgb:
    return _WHITE if trust is Trust.SURE or opaque else _GREY


def _cut(text: str, width: int, m: Metrics) -> str:
    """`text`, shortened to fit `width` pixels."""
    while text and text_width(text, m.font) > width:
        text = text[:-2] + "…" if len(text) > 2 else ""
    return text


@dataclass(slots=True)
class RowMemory:
    """Which labels have a row in each person's panel: those that matter, without coming and going all the time."""

    _seen_s: dict[int, dict[int, float]] = field(default_factory=dict)  # by track and label: when it last mattered

    def rows(self, said: Said, time_s: float) -> list[int]:
        """Indices of the labels, in the model's order."""
        if said.prediction is None:
            return []
        shares = said.prediction.probabilities
        seen = self._seen_s.setdefault(said.track_id, {})
        for index, share in enumerate(shares.tolist()):
            known_s = seen.get(index)
            if share >= (_IN if known_s is None else _OUT) or index == said.prediction.label:
                seen[index] = time_s
            elif known_s is not None and not 0 <= time_s - known_s <= _OUT_S:
                del seen[index]
        best = sorted(seen, key=lambda index: -float(shares[index]) if index < len(shares) else 0.0)[:_MOST_ROWS]
        return sorted(index for index in best if index < len(shares))

    def forget(self, keep: Mapping[int, object] | set[int]) -> None:
        """Drop what is known of all tracks but `keep`."""
        self._seen_s = {key: seen for key, seen in self._seen_s.items() if key in keep}
