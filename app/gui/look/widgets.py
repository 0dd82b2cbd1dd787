"""Small parts that several views share."""

from __future__ import annotations

import html
import sys
from pathlib import Path
from typing import TypeVar

from PySide6.QtCore import QEvent, QProcess, QProcessEnvironment, QRectF, QSize, QStandardPaths, Qt, QUrl
from PySide6.QtGui import QDesktopServices, QKeyEvent, QPainter, QPaintEvent, QPalette, QResizeEvent
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractSpinBox,
    QBoxLayout,
    QComboBox,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLayout,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from mien.app.gui.look.icons import icon, paint_icon
from mien.engine.language import tr
from mien.engine.system import user_environment

ENTER_KEYS = (Qt.Key.Key_Return, Qt.Key.Key_Enter)
PRESS_KEYS = (Qt.Key.Key_Space, *ENTER_KEYS)
"""What presses the control that has the focus."""
_Box = TypeVar("_Box", bound=QBoxLayout)


def label(text: str, role: str = "", *, wrap: bool = False) -> QLabel:
    """A text in one of the style sheet's roles: title, heading, section, muted, small, large, danger.

    It is shown letter by letter: names and labels come from others, and Qt would take some for HTML.
    """
    made = QLabel()
    made.setTextFormat(Qt.TextFormat.PlainText)
    made.setText(text)
    if role:
        made.setProperty("role", role)
    made.setWordWrap(wrap)
    return made


class Elided(QLabel):
    """One line of plain text, shortened where there is no room; the tool tip then holds all of it."""

    def __init__(self, role: str = "") -> None:
        super().__init__()
        self.setTextFormat(Qt.TextFormat.PlainText)
        if role:
            self.setProperty("role", role)
        self._whole = ""

    def text(self) -> str:
        """All of the text."""
        return self._whole

    def setText(self, text: str) -> None:
        if text != self._whole:
            self._whole = text
            self.updateGeometry()
            self._fit()

    def sizeHint(self) -> QSize:
        return QSize(self.fontMetrics().horizontalAdvance(self._whole) + 2, super().sizeHint().height())

    def minimumSizeHint(self) -> QSize:
        return QSize(0, super().minimumSizeHint().height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        fits = self.fontMetrics().elidedText(self._whole, Qt.TextElideMode.ElideRight, self.width())
        super().setText(fits)
        tip(self, "" if fits == self._whole else self._whole)


def tip(of: QWidget | QListWidgetItem, text: str) -> None:
    """Give a tool tip whose text comes from others; Qt knows no plain ones, and would show images that HTML names."""
    of.setToolTip(f"<span>{html.escape(text)}</span>" if text else "")


def tool(name: str, text: str, *, checkable: bool = False) -> QToolButton:
    """A button with the icon `name`; `text` is its tool tip and its accessible name."""
    button = Tool()
    button.setIcon(icon(name))
    button.setIconSize(QSize(20, 20))
    button.setToolTip(text)
    button.setAccessibleName(text)
    button.setCheckable(checkable)
    button.setCursor(Qt.CursorShape.PointingHandCursor)
    return button


def _keeps_key(event: QEvent) -> bool:
    """Take Space and Enter for the control that has the focus, though the window has shortcuts of these keys."""
    if event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent) and event.key() in PRESS_KEYS:
        event.accept()
        return True
    return False


def _presses(of: QAbstractButton, event: QKeyEvent) -> bool:
    """Let Enter press a button, as Space does."""
    if event.key() not in ENTER_KEYS or event.isAutoRepeat():
        return False
    of.click()
    return True


class Tool(QToolButton):
    """A tool button that Space and Enter press, and that shows its menu with either."""

    def event(self, event: QEvent) -> bool:
        return True if _keeps_key(event) else super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if self.menu() is not None and event.key() in PRESS_KEYS:
            self.showMenu()
        elif not _presses(self, event):
            super().keyPressEvent(event)


class Choice(QComboBox):
    """A drop-down that is as wide as its longest entry, and that Space and Enter open."""

    def __init__(self) -> None:
        super().__init__()
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
        self.setMaxVisibleItems(20)

    def event(self, event: QEvent) -> bool:
        return True if _keeps_key(event) else super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in PRESS_KEYS:
            self.showPopup()
        else:
            super().keyPressEvent(event)

    def showPopup(self) -> None:
        # The list is as wide as its entries, also where the field itself has less room.
        view = self.view()
        widest = max(
            (view.sizeHintForIndex(self.model().index(row, 0)).width() for row in range(self.count())), default=0
        )
        view.setMinimumWidth(widest + 28)
        super().showPopup()


class Button(QPushButton):
    """A button that Space and Enter press, whose icon keeps some distance from its text."""

    def event(self, event: QEvent) -> bool:
        return True if _keeps_key(event) else super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if not _presses(self, event):
            super().keyPressEvent(event)

    def sizeHint(self) -> QSize:
        hint = super().sizeHint()
        return QSize(hint.width() + 22, hint.height()) if self.property("chevron") else hint

    def setText(self, text: str) -> None:
        super().setText(text if self.icon().isNull() else f" {text}")
        self.setAccessibleName(text)

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if self.property("chevron"):
            painter = QPainter(self)
            area = QRectF(self.width() - 28, self.height() / 2 - 8, 16, 16)
            paint_icon(painter, "chevron", area, self.palette().color(QPalette.ColorRole.Dark))


def button(text: str, name: str = "", *, kind: str = "") -> QPushButton:
    """A button with text and an icon; kinds: primary, danger, quiet, pick, record."""
    made = Button()
    if name:
        made.setIcon(icon(name))
        made.setIconSize(QSize(18, 18))
    made.setText(text)
    if kind:
        made.setProperty("kind", kind)
    made.setAutoDefault(False)
    return made


_Spin = TypeVar("_Spin", bound=QAbstractSpinBox)


def padded(spin: _Spin) -> _Spin:
    """`spin`, its number as far from the edge as texts in other fields: Qt leaves out the style sheet's padding."""
    spin.lineEdit().setTextMargins(8, 0, 0, 0)
    return spin


def line() -> QFrame:
    """A hairline."""
    made = QFrame()
    made.setObjectName("line")
    return made


def form(*rows: tuple[str, QWidget | QHBoxLayout | QVBoxLayout]) -> QGridLayout:
    """Fields below each other, each with its name at its left; what has no accessible name gets that name."""
    grid = QGridLayout()
    grid.setContentsMargins(0, 0, 0, 0)
    grid.setVerticalSpacing(10)
    grid.setHorizontalSpacing(18)
    grid.setColumnStretch(1, 1)
    for number, (text, field) in enumerate(rows):
        name = label(text)
        if isinstance(field, QWidget):
            field.setAccessibleName(field.accessibleName() or text)
            field.setSizePolicy(QSizePolicy.Policy.Expanding, field.sizePolicy().verticalPolicy())
            grid.addWidget(field, number, 1)
            name.setBuddy(field)
        else:
            grid.addLayout(field, number, 1)
        high = isinstance(field, QVBoxLayout)
        name.setContentsMargins(0, 8 if high and text else 0, 0, 0)
        grid.addWidget(name, number, 0, Qt.AlignmentFlag.AlignTop if high else Qt.AlignmentFlag.AlignVCenter)
    return grid


def entry(listing: QListWidget, sign: str, text: str, data: object = None) -> QListWidgetItem:
    """Add a line with an icon to a list."""
    item = QListWidgetItem(icon(sign), text)
    item.setData(Qt.ItemDataRole.UserRole, data)
    item.setSizeHint(QSize(0, 38))
    listing.addItem(item)
    return item


def fit_height(dialog: QWidget, width: int) -> None:
    """Give `dialog` the height that its wrapped texts need at `width`."""
    dialog.ensurePolished()
    for part in dialog.findChildren(QLabel):
        part.ensurePolished()
    dialog.setFixedSize(width, dialog.heightForWidth(width))


def restyle(widget: QWidget) -> None:
    """Apply the style sheet again after a property changed."""
    widget.style().unpolish(widget)
    widget.style().polish(widget)
    widget.update()


def column(*parts: QWidget | QLayout | int, spacing: int = 8, margins: int = 0) -> QVBoxLayout:
    """Parts below each other; a number is a space in pixels, 0 takes what is left."""
    return _filled(QVBoxLayout(), parts, spacing, margins)


def row(*parts: QWidget | QLayout | int, spacing: int = 8, margins: int = 0) -> QHBoxLayout:
    """Parts beside each other; a number is a space in pixels, 0 takes what is left."""
    return _filled(QHBoxLayout(), parts, spacing, margins)


def _filled(layout: _Box, parts: tuple[QWidget | QLayout | int, ...], spacing: int, margins: int) -> _Box:
    layout.setContentsMargins(margins, margins, margins, margins)
    layout.setSpacing(spacing)
    for part in parts:
        if isinstance(part, int):
            layout.addStretch(1) if part == 0 else layout.addSpacing(part)
        elif isinstance(part, QWidget):
            layout.addWidget(part)
        else:
            layout.addLayout(part)
    return layout


def clock(seconds: float) -> str:
    """1:05 or 1:02:05."""
    whole = int(max(seconds, 0))
    hours, rest = divmod(whole, 3600)
    text = f"{rest // 60:02d}:{rest % 60:02d}"
    return f"{hours}:{text}" if hours else text


def gigabytes(count: int) -> str:
    """12.3 GB, 850 MB."""
    if count >= 1e9:
        return tr("{size:.1f} GB", size=count / 1e9)
    return tr("{size:.0f} MB", size=count / 1e6)


def open_folder(path: Path) -> None:
    """Show a folder in the system's file manager."""
    open_outside(QUrl.fromLocalFile(str(path)))


def open_outside(address: QUrl) -> None:
    """Show a folder, a file or a page in the program that the system has for it."""
    opener = QStandardPaths.findExecutable("xdg-open") if sys.platform.startswith("linux") else ""
    if opener:
        # What Qt starts by itself inherits the proxy that is meant for libraries in this process alone.
        environment = QProcessEnvironment()
        for name, value in user_environment().items():
            environment.insert(name, value)
        process = QProcess()
        process.setProgram(opener)
        encoded = QUrl.ComponentFormattingOption.FullyEncoded
        process.setArguments([address.toLocalFile() or address.toString(encoded)])
        process.setProcessEnvironment(environment)
        process.startDetached()
        return
    QDesktopServices.openUrl(address)


def menu_key() -> str:
    """What the main modifier key is called here."""
    return "⌘" if sys.platform == "darwin" else "Ctrl"
