"""The controls of a file that is played: place, loop, speed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QAction, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPalette
from PySide6.QtWidgets import QSizePolicy, QWidget

from mien.app.gui.live.link import LiveLink
from mien.app.gui.look.icons import icon
from mien.app.gui.look.widgets import Choice, clock, label, row, tool
from mien.engine.language import tr

if TYPE_CHECKING:
    from mien.engine.sources.playback import PlaybackState

SPEEDS: Final = (0.25, 0.5, 1.0, 1.5, 2.0, 4.0)
STEP_S: Final = 5.0
"""How far a key press goes."""


class SeekBar(QWidget):
    """The place in the file; a click or a drag goes to another."""

    sought = Signal(float)
    """Seconds from the beginning that the user wants to see."""

    def __init__(self) -> None:
        super().__init__()
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setMinimumWidth(80)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setMouseTracking(True)
        self.setAccessibleName(self.tr("Place in the file"))
        self._length_s, self._position_s = 0.0, 0.0
        self._dragged = False
        self._hover: float | None = None

    @property
    def position_s(self) -> float:
        return self._position_s

    def sizeHint(self) -> QSize:
        return QSize(240, 26)

    def show_place(self, position_s: float, length_s: float) -> None:
        """Show where the file is, unless the user is just dragging."""
        if self._dragged or (position_s, length_s) == (self._position_s, self._length_s):
            return
        self._position_s, self._length_s = min(position_s, length_s), length_s
        self.setAccessibleDescription(f"{clock(position_s)} / {clock(length_s)}")
        self.update()

    def event(self, event: QEvent) -> bool:
        keys = (
            Qt.Key.Key_Left,
            Qt.Key.Key_Right,
            Qt.Key.Key_Home,
            Qt.Key.Key_End,
            Qt.Key.Key_PageUp,
            Qt.Key.Key_PageDown,
        )
        if event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent) and event.key() in keys:
            event.accept()
            return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        steps = {Qt.Key.Key_Left: -1.0, Qt.Key.Key_Right: 1.0, Qt.Key.Key_PageUp: 10.0, Qt.Key.Key_PageDown: -10.0}
        ends = {Qt.Key.Key_Home: 0.0, Qt.Key.Key_End: self._length_s}
        key = Qt.Key(event.key())
        if key in steps:
            self._go(self._position_s + steps[key])
        elif key in ends:
            self._go(ends[key])
        else:
            super().keyPressEvent(event)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self._dragged = True
            self._go(self._time_at(event.position().x()))

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        self._hover = event.position().x()
        time_s = self._time_at(self._hover)
        self.setToolTip(clock(time_s))
        if self._dragged:
            self._go(time_s)
        self.update()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self._dragged = False

    def leaveEvent(self, event: QEvent) -> None:
        self._hover = None
        self.update()

    def _go(self, time_s: float) -> None:
        self._position_s = min(max(time_s, 0.0), self._length_s)
        self.update()
        self.sought.emit(self._position_s)

    def _time_at(self, x: float) -> float:
        groove = self._groove()
        return min(max((x - groove.left()) / max(groove.width(), 1.0), 0.0), 1.0) * self._length_s

    def _groove(self) -> QRectF:
        return QRectF(8, self.height() / 2 - 2.5, self.width() - 16, 5)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        role, palette, groove = QPalette.ColorRole, self.palette(), self._groove()
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(palette.color(role.Mid))
        painter.drawRoundedRect(groove, 2.5, 2.5)
        share = self._position_s / self._length_s if self._length_s else 0.0
        done = QRectF(groove)
        done.setWidth(groove.width() * share)
        painter.setBrush(palette.color(role.Highlight))
        painter.drawRoundedRect(done, 2.5, 2.5)
        middle = QPointF(done.right(), groove.center().y())
        if self.hasFocus():
            ring = palette.color(role.Highlight)
            ring.setAlphaF(0.35)
            painter.setBrush(ring)
            painter.drawEllipse(middle, 11, 11)
            painter.setBrush(palette.color(role.Highlight))
        painter.drawEllipse(middle, 7, 7)
        if self._hover is not None:
            painter.setBrush(palette.color(role.Dark))
            painter.drawRect(QRectF(self._hover - 0.5, groove.top() - 4, 1, groove.height() + 8))


class Player(QWidget):
    """Place, loop and speed of a file; hidden while the source is none."""

    def __init__(self, actions: dict[str, QAction], link: LiveLink) -> None:
        super().__init__()
        self._link = link
        self.setObjectName("bar")
        self.setProperty("edge", "top")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.bar = SeekBar()
        self.bar.sought.connect(self.seek)
        self._play = tool("pause", self.tr("Pause (Space)"))
        self._play.clicked.connect(actions["pause"].trigger)
        self._clock = label("", "small")
        self._loop = tool("loop", self.tr("Loop (L)"), checkable=True)
        self._loop.clicked.connect(actions["loop"].trigger)
        actions["loop"].toggled.connect(self._loop.setChecked)
        self.speed = Choice()
        self.speed.setAccessibleName(self.tr("Speed"))
        self.speed.setToolTip(self.tr("Speed (, and .)"))
        for speed in SPEEDS:
            self.speed.addItem(tr("{speed:g} ×", speed=speed), speed)
        self.speed.setCurrentIndex(SPEEDS.index(1.0))
        self.speed.currentIndexChanged.connect(lambda index: self._set_speed(SPEEDS[index]))
        inner = row(self._play, self.bar, self._clock, self._loop, self.speed, spacing=6)
        inner.setStretch(1, 1)
        inner.setContentsMargins(12, 4, 12, 4)
        self.setLayout(inner)
        self.hide()

    def seek(self, position_s: float) -> None:
        """Go to another place in the file."""
        if self._link.playback is not None:
            self._link.playback.seek(position_s)

    def skip(self, seconds: float) -> None:
        """Go on or back in the file."""
        if self._link.playback is not None:
            self.seek(self._link.playback.now.position_s + seconds)

    def loop(self, on: bool) -> None:
        """Begin again at the end, or not."""
        if self._link.playback is not None:
            self._link.playback.set_loop(on)

    def _set_speed(self, speed: float) -> None:
        if self._link.playback is not None:
            self._link.playback.set_speed(speed)

    def step_speed(self, by: int) -> None:
        """Choose the next faster or slower speed."""
        self.speed.setCurrentIndex(min(max(self.speed.currentIndex() + by, 0), len(SPEEDS) - 1))

    def reset(self) -> None:
        """Another source: it is played at its own speed."""
        self.speed.setCurrentIndex(SPEEDS.index(1.0))

    def show_state(self, state: PlaybackState | None) -> None:
        """Show where the file is; None: the source is no file."""
        there = state is not None and state.length_s is not None
        if there != (not self.isHidden()):
            self.setVisible(there)
        if state is None or state.length_s is None:
            return
        self.bar.show_place(state.position_s, state.length_s)
        self._clock.setText(f"{clock(self.bar.position_s)} / {clock(state.length_s)}")
        standing = state.paused or state.ended
        sign = "replay" if state.ended else "play" if standing else "pause"
        if self._play.property("sign") != sign:
            self._play.setProperty("sign", sign)
            self._play.setIcon(icon(sign))
            hints = {
                "replay": self.tr("Play again (Space)"), "play": self.tr("Play (Space)"),
                "pause": self.tr("Pause (Space)"),
            }  # fmt: skip
            self._play.setToolTip(hints[sign])
            self._play.setAccessibleName(hints[sign])
