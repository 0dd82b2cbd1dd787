"""How boxes and numbers are drawn in review: begun as the preferences say, changed in the View menu."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Final, TypeVar

from PySide6.QtCore import QEvent, QObject
from PySide6.QtGui import QAction, QActionGroup, QPalette
from PySide6.QtWidgets import QMenu, QWidget

from mien.app.gui import preferences
from mien.app.gui.review.player import Player
from mien.engine.measures import FACE_LAYERS, FaceLayer
from mien.engine.review.session import RecordedSession
from mien.engine.settings import OVERLAY_LOOKS, OverlayLook, OverlayStyle

_Value = TypeVar("_Value")
_SCALES: Final = (0.75, 1.0, 1.25, 1.5, 2.0, 3.0)


class ReviewLook(QObject):
    """Menus of looks, sizes of letters and layers on faces; keeps the player's style as they say.

    High contrast follows the theme.

    Args:
        window: whose palette tells the theme.
        view: gets the menus.
        player: draws.
    """

    def __init__(self, window: QWidget, view: QMenu, player: Player) -> None:
        super().__init__(window)
        self._window, self._player = window, player
        chosen = preferences.load().style()
        # Nothing at all is not a style here: the B key does that.
        look = "compact" if chosen.look == "none" else chosen.look
        self._style = OverlayStyle(look, round(chosen.font_scale, 2))
        looks: dict[OverlayLook, str] = dict(zip(OVERLAY_LOOKS, (
            self.tr("&Compact: name, label, one bar"), self.tr("&All bars"), self.tr("&Name and label"),
        ), strict=False))  # fmt: skip
        self._looks = self._menu(view, self.tr("&Style of boxes and numbers"), looks, self.choose_look)
        scales = {scale: f"{scale * 100:.0f} %" for scale in sorted({*_SCALES, self._style.font_scale})}
        self._scales = self._menu(view, self.tr("Size of &letters"), scales, self.choose_scale)
        layers: dict[FaceLayer, str] = dict(zip(FACE_LAYERS, (
            self.tr("&Mesh of the landmarks"), self.tr("&Contours of eyes, brows, lips and face"),
            self.tr("&Axes of the head"), self.tr("&Gaze"),
        ), strict=True))  # fmt: skip
        self._layers = self._menu(view, self.tr("On &faces"), layers, self.choose_layer, several=True)
        window.installEventFilter(self)
        self._show()

    def open(self, session: RecordedSession) -> None:
        """Offer what this recording has, and draw on faces what was drawn while it was made."""
        from mien.engine.review.video.landmarks import RecordedMeasures

        there = RecordedMeasures(session).layers
        for layer, action in self._layers.items():
            action.setEnabled(layer in there)
            if layer not in there:
                action.setToolTip(self.tr("Was not written with this recording."))
        chosen = tuple(layer for layer in session.about.layers if layer in there)
        self._style = replace(self._style, layers=chosen)
        self._show()

    def choose_look(self, look: OverlayLook) -> None:
        """Draw in another of `OVERLAY_LOOKS`."""
        self._style = replace(self._style, look=look)
        self._show()

    def choose_scale(self, scale: float) -> None:
        """Draw letters of another size."""
        self._style = replace(self._style, font_scale=scale)
        self._show()

    def choose_layer(self, layer: FaceLayer) -> None:
        """Draw one of `FACE_LAYERS`, or leave it away."""
        layers = {*self._style.layers} ^ {layer}
        self._style = replace(self._style, layers=tuple(one for one in FACE_LAYERS if one in layers))
        self._show()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() is QEvent.Type.PaletteChange:
            self._show()
        return super().eventFilter(watched, event)

    def _menu(
        self,
        view: QMenu,
        title: str,
        texts: Mapping[_Value, str],
        do: Callable[[_Value], None],
        *,
        several: bool = False,
    ) -> dict[_Value, QAction]:
        """A menu in which one of `texts` is chosen, or several."""
        inner = view.addMenu(title)
        inner.setToolTipsVisible(True)
        group = QActionGroup(self)
        group.setExclusive(not several)
        found = {}
        for value, text in texts.items():
            action = inner.addAction(text, partial(do, value))
            action.setCheckable(True)
            group.addAction(action)
            found[value] = action
        return found

    def _show(self) -> None:
        # The window is black or white only in the themes of high contrast.
        contrast = self._window.palette().color(QPalette.ColorRole.Window).name() in ("#000000", "#ffffff")
        self._style = replace(self._style, high_contrast=contrast)
        for look, action in self._looks.items():
            action.setChecked(look == self._style.look)
        for scale, action in self._scales.items():
            action.setChecked(scale == self._style.font_scale)
        for layer, action in self._layers.items():
            action.setChecked(layer in self._style.layers)
        if self._player.style != self._style:
            self._player.style = self._style
            self._player.redraw()
