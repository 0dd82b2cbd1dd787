"""Draws a scene on its frame. Screen and MP4 share it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType
from typing import Final

import cv2

from mien.engine.drawing.colours import PALETTE, Rgb, track_colour
from mien.engine.drawing.face_layers import draw_layers
from mien.engine.drawing.metrics import Metrics, measure, short_name
from mien.engine.drawing.parts import frame_parts, layers_part, line_part, panel_part
from mien.engine.drawing.placement import PanelPlacer, Placed, Wish
from mien.engine.drawing.shapes import draw_box, draw_panel, fill
from mien.engine.drawing.tags import RowMemory, Said, TagShape, chip_width, draw_bars, draw_tag, said_of
from mien.engine.drawing.text import draw_text, text_width
from mien.engine.settings import COMPACT, OverlayStyle
from mien.engine.types import Box, Face, Part, RgbImage, Scene

__all__ = ["PALETTE", "Overlay", "track_colour"]

_WHITE: Final[Rgb] = (255, 255, 255)
_DARK: Final[Rgb] = (16, 16, 16)
_LOST_LIGHT: Final = 0.45  # of a frame after which the signal was lost
_NO_NAMES: Final[Mapping[int, str]] = MappingProxyType({})
_NO_PERSONS: Final[Mapping[int, int]] = MappingProxyType({})


class Overlay:
    """Draws boxes, and beside each face a tag or a panel that covers no other, as `OverlayStyle` says.

    Remembers where each panel lay, so that panels do not jump. For one thread at a time.

    Args:
        labels: class names of the model.
        steps: T, how many steps a whole window has.
        note: a line at the bottom of every frame; "" for none.
        values: names of what it predicts beside the classes; they stand under the bars.
        style: of what `draw` and `draw_over` draw where they are not given another.
    """

    def __init__(
        self,
        labels: Sequence[str],
        *,
        steps: int,
        note: str = "",
        values: Sequence[str] = (),
        style: OverlayStyle = COMPACT,
    ) -> None:
        self._labels = tuple(labels)
        self.values = tuple(values)
        self._note = note
        self._steps = steps
        self._style = style
        self._drawn: tuple[int, int, OverlayStyle] | None = None
        self._metrics = measure(640, 480, (*self._labels, *self.values), style)
        self._placer = PanelPlacer(self._metrics.pad)
        self._rows = RowMemory()
        self._persons = _NO_PERSONS
        self.places: Mapping[int, Placed] = {}
        """Where tags and panels lie in the newest frame, by track id."""
        self.drawn: list[Part] = []
        """The parts of the newest frame that were drawn on; the others are as they were."""

    def draw(
        self, scene: Scene, *, names: Mapping[int, str] = _NO_NAMES, hidden: Collection[int] = frozenset()
    ) -> RgbImage:
        """A copy of the scene's frame ((H,W,3) uint8 RGB) with everything drawn on it.

        Args:
            scene: what to draw.
            names: what to write in place of the track ids, where there is a name.
            hidden: tracks of which nothing is drawn.
        """
        image = scene.frame.image.copy()
        self.draw_over(image, scene, names=names, hidden=hidden)
        return image

    def draw_over(
        self,
        image: RgbImage,
        scene: Scene,
        *,
        names: Mapping[int, str] = _NO_NAMES,
        hidden: Collection[int] = frozenset(),
        selected: Collection[int] = frozenset(),
        persons: Mapping[int, int] = _NO_PERSONS,
        no_signal: str = "",
        style: OverlayStyle | None = None,
    ) -> None:
        """As `draw`, into `image` ((H,W,3) uint8 RGB), which has the size of the scene's own.

        Args:
            image: the scene's frame, or what is shown in its place.
            scene: what to draw.
            names: what to write in place of the track ids, where there is a name.
            hidden: tracks of which nothing is drawn.
            selected: tracks that get all their bars in the compact look, too.
            persons: of tracks that were merged into one person, the track whose colour they share.
            no_signal: where the signal was lost after this scene, a line that says so; the frame is dimmed.
            style: how; None: as was said at the beginning.
        """
        style = self._style if style is None else style
        self._begin(image.shape[1], image.shape[0], style)
        if no_signal:
            self.drawn.append(_whole(image))
            image[:] = cv2.convertScaleAbs(image, alpha=_LOST_LIGHT)
        self.places, self._persons = {}, persons
        if style.layers and not no_signal:
            self._draw_layers(image, scene, hidden, style)
        if style.look != "none":
            self._draw_faces(image, scene, names, frozenset(hidden), frozenset(selected), bool(no_signal), style)
        if self._note:
            self._draw_note(image)
        if no_signal:
            self._draw_lost(image, no_signal)

    def draw_no_signal(self, image: RgbImage, text: str) -> None:
        """Only dim `image` ((H,W,3) uint8 RGB) and write `text` on it: the signal was lost."""
        self._begin(image.shape[1], image.shape[0], self._style)
        self.drawn.append(_whole(image))
        image[:] = cv2.convertScaleAbs(image, alpha=_LOST_LIGHT)
        self._draw_lost(image, text)

    def _begin(self, width: int, height: int, style: OverlayStyle) -> None:
        self.drawn = []
        if self._drawn != (width, height, style):
            self._drawn = width, height, style
            self._metrics = measure(width, height, (*self._labels, *self.values), style)
            self._placer = PanelPlacer(self._metrics.pad)

    def _draw_faces(
        self,
        image: RgbImage,
        scene: Scene,
        names: Mapping[int, str],
        hidden: frozenset[int],
        selected: frozenset[int],
        no_signal: bool,
        style: OverlayStyle,
    ) -> None:
        shown = [face for face in scene.faces if face.track_id not in hidden]
        self._rows.forget({face.track_id for face in shown})
        told: dict[int, Said] = {}
        rows: dict[int, list[int]] = {}
        wishes = []
        for face in shown:
            name = short_name(names.get(face.track_id) or str(face.track_id))
            colour = self._colour(face.track_id)
            said = said_of(scene, face, name, self._labels, self._steps, colour=colour, no_signal=no_signal)
            told[face.track_id] = said
            full = style.look == "bars" or (style.look == "compact" and face.track_id in selected)
            rows[face.track_id] = self._rows.rows(said, scene.frame.time_s) if full else []
            sizes = self._sizes(said, rows[face.track_id], style)
            wishes.append(Wish(face.track_id, face.box, sizes, anywhere=len(sizes) - len(TagShape)))
        # Whoever is hidden by choice, or was found but is not followed yet, is not to be covered either.
        faces = [*(face.box for face in scene.faces), *scene.others]
        self.places = places = self._placer.place(image, wishes, faces, self._taken(image, no_signal))
        for face in shown:
            dashed = not face.observed or no_signal
            self._draw_box(image, face, dashed=dashed, style=style)
        for face in shown:  # all lines before the first panel: none crosses a text
            if places[face.track_id].apart:
                colour, panel = told[face.track_id].colour, places[face.track_id].panel
                self._draw_line(image, face.box, panel, colour)
        for face in shown:
            self._draw_panel(image, told[face.track_id], rows[face.track_id], places[face.track_id], style)

    def _draw_layers(self, image: RgbImage, scene: Scene, hidden: Collection[int], style: OverlayStyle) -> None:
        for track_id, measures in scene.measures.items():
            if track_id not in hidden:
                colour, stroke = self._colour(track_id), self._metrics.stroke
                part = layers_part(measures, stroke)
                self.drawn += [] if part is None else [part]
                draw_layers(image, measures, style.layers, colour, stroke, outlined=style.high_contrast)

    def _sizes(self, said: Said, rows: Sequence[int], style: OverlayStyle) -> tuple[tuple[int, int], ...]:
        """What can be shown of a face, the most first: all bars, then a tag of each shape."""
        m, chip = self._metrics, chip_width(said.name, self._metrics)
        tag, narrow = (size(chip, bar=style.look != "minimal") for size in (m.tag_size, m.narrow_size))
        width, height = m.panel_size(len(rows) + len(self.values))
        panel = (max(width, tag[0]), height)
        return (*((panel,) if rows else ()), tag, narrow, (chip, m.line + m.pad // 2))

    def _draw_panel(
        self, image: RgbImage, said: Said, rows: Sequence[int], placed: Placed, style: OverlayStyle
    ) -> None:
        m, level = self._metrics, placed.level + (0 if rows else 1)
        self.drawn.append(panel_part(placed.panel, outlined=style.high_contrast))
        if level == 0:
            draw_bars(image, placed.panel, said, rows, self._labels, m, values=self.values, opaque=style.high_contrast)
        else:
            draw_tag(
                image, placed.panel, said, m,
                shape=tuple(TagShape)[level - 1], bar=style.look != "minimal", opaque=style.high_contrast,
            )  # fmt: skip

    def _draw_box(self, image: RgbImage, face: Face, *, dashed: bool, style: OverlayStyle) -> None:
        box = face.box
        corners = round(box.x), round(box.y), round(box.right), round(box.bottom)
        colour = self._colour(face.track_id)
        self.drawn += frame_parts(*corners, self._metrics.stroke, outlined=style.high_contrast)
        draw_box(image, *corners, colour, self._metrics.stroke, dashed=dashed, outlined=style.high_contrast)

    def _draw_line(self, image: RgbImage, box: Box, panel: Box, colour: Rgb) -> None:
        """From a panel that had to go elsewhere to its face."""
        start = min(max(box.x + box.width / 2, panel.x), panel.right), min(max(box.y, panel.y), panel.bottom)
        end = min(max(start[0], box.x), box.right), min(max(start[1], box.y), box.bottom)
        first, last = ((round(x), round(y)) for x, y in (start, end))
        stroke = max(1, self._metrics.stroke // 2)
        self.drawn.append(line_part(first, last, stroke))
        cv2.line(image, first, last, colour, stroke, cv2.LINE_AA)

    def _colour(self, track_id: int) -> Rgb:
        """Of the person: ids that were merged have one."""
        return track_colour(self._persons.get(track_id, track_id))

    def _taken(self, image: RgbImage, no_signal: bool) -> list[Box]:
        """Where the frame's own lines are."""
        m, (height, width) = self._metrics, image.shape[:2]
        note = [Box(0, height - m.line - m.pad, text_width(self._note, m.font) + 2 * m.pad, m.line + m.pad)]
        lost = [Box(width / 4, 0, width / 2, m.line + 3 * m.pad)]
        return [*(note if self._note else ()), *(lost if no_signal else ())]

    def _draw_lost(self, image: RgbImage, text: str) -> None:
        """At the top in the middle: faces and the window's own messages are further down."""
        m = self._metrics
        wide = text_width(text, m.font, bold=True) + 4 * m.pad
        left = max(0, (image.shape[1] - wide) // 2)
        fill(image, left, m.pad, wide, m.line + 2 * m.pad, _DARK)
        draw_text(image, text, left + 2 * m.pad, 2 * m.pad, m.font, _WHITE, bold=True)

    def _draw_note(self, image: RgbImage) -> None:
        m: Metrics = self._metrics
        top = image.shape[0] - m.line - m.pad
        self.drawn.append((0, top, text_width(self._note, m.font) + 2 * m.pad, image.shape[0]))
        draw_panel(image, 0, top, text_width(self._note, m.font) + 2 * m.pad, m.line + m.pad)
        draw_text(image, self._note, m.pad, top, m.font, _WHITE)


def _whole(image: RgbImage) -> Part:
    return 0, 0, image.shape[1], image.shape[0]
