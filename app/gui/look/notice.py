"""Says what happened and what to do, over the frame and without moving it, instead of message boxes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from PySide6.QtCore import QEvent, QObject, QTimer, Signal
from PySide6.QtGui import QPalette
from PySide6.QtWidgets import QBoxLayout, QFrame, QLabel, QSizePolicy, QWidget

from mien.app.gui.look.icons import icon
from mien.app.gui.look.widgets import Button, label, restyle, row, tool

_WIDEST: Final = 680
_EDGE: Final = 12
_NARROW: Final = 520


class Notice(QFrame):
    """One message at a time; the newest replaces the one before, and the same one does not come twice.

    It floats at the lower edge of `over`, whatever that shows, and moves nothing; without it, a layout places it.
    """

    visibility_changed = Signal(bool)

    def __init__(self, over: QWidget | None = None) -> None:
        super().__init__(over)
        self.setObjectName("notice")
        self._key = ""
        self._action: Callable[[], None] | None = None
        self._icon = QLabel()
        self._text = label("", wrap=True)
        self._second: Callable[[], None] | None = None
        self._button, self._other = Button(), Button()
        self._button.clicked.connect(lambda: self._act(self._action))
        self._other.clicked.connect(lambda: self._act(self._second))
        self._close = tool("close", self.tr("Dismiss"))
        self._close.clicked.connect(self.hide)
        for part in (self._button, self._other):
            part.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        # Where there is little room the buttons stand below the text.
        # With a space at their end, or the text would become no wider than they are, and not stand at the left.
        self._middle = row(self._text, row(self._other, self._button, 0, spacing=10), spacing=10)
        self._middle.setStretch(0, 1)
        inner = row(self._icon, self._middle, self._close, spacing=10)
        inner.setContentsMargins(14, 6, 8, 6)
        inner.setStretch(1, 1)
        self.setLayout(inner)
        self._inner = inner
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self.hide)
        self._lift = 0
        self._over = over
        if over is not None:
            over.installEventFilter(self)
        self.hide()

    @property
    def text(self) -> str:
        """What is said; "" when nothing is."""
        return self._text.text() if not self.isHidden() else ""

    def say(
        self,
        text: str,
        *,
        key: str = "",
        kind: str = "info",
        action: tuple[str, Callable[[], None]] | None = None,
        second: tuple[str, Callable[[], None]] | None = None,
        seconds: float = 0.0,
    ) -> None:
        """Show `text`.

        Args:
            text: what happened, and what to do.
            key: what the message is about, for `settle`.
            kind: "info", "warning" or "check".
            action, second: a button's text, and what it does.
            seconds: how long it stays; 0: until it is dismissed or settled.
        """
        self._key = key
        self._action, self._second = action[1] if action else None, second[1] if second else None
        self.setProperty("kind", kind)
        for part in (self, self._text, self._button, self._other):
            restyle(part)
        self._text.setText(text)
        self.setAccessibleName(text)
        self._icon.setPixmap(icon(kind, QPalette.ColorRole.WindowText).pixmap(20, 20))
        self._button.setVisible(action is not None)
        self._button.setText(action[0] if action else "")
        self._other.setVisible(second is not None)
        self._other.setText(second[0] if second else "")
        self._timer.stop()
        if seconds:
            self._timer.start(round(seconds * 1000))
        self.show()
        self.raise_()
        self._place()

    def settle(self, key: str) -> None:
        """Remove the message about `key`: it is no longer true."""
        if self._key == key:
            self.hide()

    def lift(self, pixels: int) -> None:
        """Keep clear of so much at the lower edge."""
        self._lift = pixels
        self._place()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Resize:
            self._place()
        return False

    def setVisible(self, visible: bool) -> None:
        super().setVisible(visible)
        self.visibility_changed.emit(visible)

    def _place(self) -> None:
        over = self._over
        if over is None:
            return
        # As wide as its words need on one line, where there is room.
        words = self._text.fontMetrics().horizontalAdvance(self._text.text())
        narrow = over.width() < _NARROW
        way = QBoxLayout.Direction.TopToBottom if narrow else QBoxLayout.Direction.LeftToRight
        if self._middle.direction() != way:
            self._middle.setDirection(way)
            self._icon.setVisible(not narrow)
        others = (
            0
            if narrow
            else sum(part.sizeHint().width() + 10 for part in (self._button, self._other) if not part.isHidden())
        )
        needed = _WIDEST if narrow else words + others + 150
        width = max(min(over.width() - 2 * _EDGE, _WIDEST, needed), 200)
        height = self._inner.totalHeightForWidth(width) if self._inner.hasHeightForWidth() else 0
        height = max(height, self._inner.totalMinimumSize().height())
        self.setGeometry((over.width() - width) // 2, over.height() - height - _EDGE - self._lift, width, height)
        self._inner.activate()  # at once, or one frame shows the parts where they were before

    def _act(self, do: Callable[[], None] | None) -> None:
        self.hide()
        if do is not None:
            do()
