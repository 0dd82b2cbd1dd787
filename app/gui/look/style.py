"""The style sheet, made from a theme's colours."""

from __future__ import annotations

from string import Template
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mien.app.gui.look.palette import Colours

_SHEET = Template("""
QMainWindow, QDialog, QWidget#page { background: $window; }
QWidget { color: $text; }
QLabel { background: transparent; }
QLabel[role="title"] { font-size: ${title}pt; font-weight: 600; }
QLabel[role="heading"] { font-size: ${heading}pt; font-weight: 600; }
QLabel[role="section"] { font-size: ${small}pt; font-weight: 600; color: $muted; }
QLabel[role="muted"] { color: $muted; }
QLabel[role="small"] { color: $muted; font-size: ${small}pt; }
QLabel[role="large"] { font-size: ${large}pt; font-weight: 600; }
QLabel[role="danger"] { color: $danger; }
QToolTip { background: $text; color: $window; border: none; padding: 4px 8px; }

QWidget#bar { background: $surface; }
QWidget#bar[edge="bottom"] { border-bottom: 1px solid $border; }
QWidget#bar[edge="top"] { border-top: 1px solid $border; }
QWidget#side { background: $surface; }
QFrame#card { background: $surface; border: 1px solid $border; border-radius: 10px; }
QFrame#line { background: $border; border: none; max-height: 1px; min-height: 1px; }
QFrame#notice { background: $notice; border: $notice_border; border-radius: 8px; }
QFrame#notice[kind="info"], QFrame#notice[kind="check"] { background: $selected; border: $calm_border; }
QFrame#notice[kind="info"] QPushButton, QFrame#notice[kind="check"] QPushButton {
    border: 1px solid $accent; color: $text; background: transparent; }
QFrame#notice[kind="warning"] QLabel { color: $notice_ink; }
QFrame#notice[kind="warning"] QPushButton {
    background: transparent; border: 1px solid $notice_ink; color: $notice_ink; }

QPushButton {
    background: $surface; border: 1px solid $border; border-radius: 7px; padding: 6px 14px; min-height: 20px; }
QPushButton:hover { background: $hover; }
QPushButton:pressed { background: $inset; }
QPushButton:focus { border: 2px solid $accent; padding: 5px 13px; }
QPushButton:disabled { color: $faint; border-color: $border; }
QPushButton:default, QPushButton[kind="primary"] { background: $accent; border-color: $accent; color: $on_accent; }
QPushButton:default:focus, QPushButton[kind="primary"]:focus { border: 2px solid $text; }
QPushButton:default:disabled, QPushButton[kind="primary"]:disabled {
    background: $inset; border-color: $border; color: $faint; }
QPushButton[kind="danger"] { background: $danger; border-color: $danger; color: $on_danger; }
QPushButton[kind="record"] { padding-left: 12px; font-weight: 600; }
QPushButton[kind="record"][recording="true"] { background: $danger; border-color: $danger; color: $on_danger; }
QPushButton[kind="record"][recording="confirm"] { background: $surface; border: 2px solid $danger; color: $danger; }
QPushButton[kind="record"]:focus { border: 2px solid $accent; }
QPushButton[kind="record"][recording="true"]:focus { border: 2px solid $text; }
QPushButton[kind="pick"] { text-align: left; padding-left: 10px; padding-right: 10px; }
QPushButton[kind="quiet"] { border-color: transparent; background: transparent; }
QPushButton[kind="quiet"]:hover { background: $hover; }
QPushButton[kind="quiet"]:focus { border: 2px solid $accent; }
QPushButton::menu-indicator { image: none; width: 0; }

QToolButton { background: transparent; border: 1px solid transparent; border-radius: 7px; padding: 5px; }
QToolButton:hover { background: $hover; }
QToolButton:pressed, QToolButton:checked { background: $inset; }
QToolButton:focus { border: 2px solid $accent; padding: 4px; }
QToolButton::menu-indicator { image: none; }

QLineEdit, QSpinBox, QDoubleSpinBox, QComboBox, QPlainTextEdit {
    background: $field; border: 1px solid $border; border-radius: 7px; padding: 5px 9px; min-height: 20px;
    selection-background-color: $accent; selection-color: $on_accent; }
QLineEdit:focus, QSpinBox:focus, QDoubleSpinBox:focus, QComboBox:focus, QPlainTextEdit:focus {
    border: 2px solid $accent; padding: 4px 8px; }
QLineEdit:disabled, QComboBox:disabled, QSpinBox:disabled, QDoubleSpinBox:disabled { color: $faint; }
QComboBox::drop-down { border: none; width: 24px; }
QComboBox::down-arrow { image: url($chevron); width: 12px; height: 12px; }
QSpinBox::up-button, QDoubleSpinBox::up-button, QSpinBox::down-button, QDoubleSpinBox::down-button {
    width: 0; border: none; }
QComboBox QAbstractItemView {
    background: $surface; border: 1px solid $border; padding: 4px; outline: none;
    selection-background-color: $hover; selection-color: $text; }

QCheckBox, QRadioButton { spacing: 8px; background: transparent; }
QCheckBox:focus, QRadioButton:focus { color: $accent; }
QCheckBox::indicator { width: 16px; height: 16px; border: 1px solid $muted; border-radius: 4px; background: $field; }
QCheckBox::indicator:checked { background: $accent; border-color: $accent; image: url($check); }
QCheckBox::indicator:focus { border: 2px solid $accent; }

QListWidget, QTableWidget, QTreeWidget, QScrollArea, QTextBrowser {
    background: $surface; border: 1px solid $border; border-radius: 8px; outline: none; }
QListWidget[flat="true"], QScrollArea[flat="true"], QTextBrowser[flat="true"],
QScrollArea[flat="true"] > QWidget > QWidget {
    background: transparent; border: none; }
QListWidget:focus, QTableWidget:focus, QTextBrowser:focus { border: 2px solid $accent; }
QListWidget[flat="true"]:focus { border: 1px solid $accent; }
QListWidget::item { padding: 0 8px; border-radius: 7px; margin: 1px 2px; }
QListWidget#people::item { margin: 1px 8px; }
QListWidget::item:hover { background: $hover; }
QListWidget::item:selected { background: $selected; color: $text; }
QTableWidget { gridline-color: $border; }
QTableWidget::item { padding: 4px 6px; }
QTableWidget::item:selected { background: $selected; color: $text; }
QHeaderView { background: transparent; border: none; }
QHeaderView::section:first { border-top-left-radius: 7px; }
QHeaderView::section:last { border-top-right-radius: 7px; }
QHeaderView::section {
    background: $surface; color: $muted; border: none; border-bottom: 1px solid $border; padding: 6px 8px;
    font-weight: 600; font-size: ${small}pt; }

QTabWidget::pane { border: none; border-top: 1px solid $border; }
QTabBar { qproperty-drawBase: 0; background: transparent; }
QTabBar::tab { background: transparent; color: $muted; padding: 8px 14px; border-bottom: 2px solid transparent; }
QTabBar::tab:hover { color: $text; }
QTabBar::tab:selected { color: $text; border-bottom: 2px solid $accent; font-weight: 600; }
QTabBar::tab:focus { color: $accent; }

QMenuBar { background: $surface; border-bottom: 1px solid $border; padding: 2px 4px; }
QMenuBar::item { padding: 5px 8px; border-radius: 6px; background: transparent; }
QMenuBar::item:selected { background: $hover; }
QMenu { background: $surface; border: 1px solid $border; padding: 6px; }
QMenu::item { padding: 6px 28px 6px 12px; border-radius: 6px; }
QMenu::item:selected { background: $hover; }
QMenu::item:disabled { color: $faint; }
QMenu::separator { height: 1px; background: $border; margin: 5px 8px; }
QMenu::icon { padding-left: 10px; }

QProgressBar { background: $inset; border: $progress_border; border-radius: 4px; max-height: 8px; min-height: 8px; }
QProgressBar::chunk { background: $accent; border-radius: 4px; }
QSlider::groove:horizontal { height: 4px; background: $track; border-radius: 2px; }
QSlider::sub-page:horizontal { background: $accent; border-radius: 2px; }
QSlider::handle:horizontal { background: $accent; width: 14px; height: 14px; margin: -5px 0; border-radius: 7px; }
QScrollBar:vertical { background: transparent; width: 10px; margin: 2px; }
QScrollBar:horizontal { background: transparent; height: 10px; margin: 2px; }
QScrollBar::handle { background: $thumb; border-radius: 3px; min-height: 28px; min-width: 28px; }
QScrollBar::add-line, QScrollBar::sub-line { width: 0; height: 0; }
QScrollBar::add-page, QScrollBar::sub-page { background: transparent; }
QSplitter::handle { background: $border; }
""")


def sheet(c: Colours, point_size: float) -> str:
    """The style sheet for the colours `c` and a body text of `point_size` points."""
    from mien.app.gui.look.icons import icon_file

    return _SHEET.substitute(
        window=c.window,
        surface=c.surface,
        inset=c.inset,
        field=c.surface if not c.dark or c.contrast else c.inset,
        border=c.border,
        text=c.text,
        muted=c.muted,
        faint=_mix(c.muted, c.surface, 0.35),
        accent=c.accent,
        on_accent=c.on_accent,
        hover=c.hover,
        selected=c.hover if c.contrast else _mix(c.accent, c.surface, 0.84),
        track=c.border if c.contrast else c.inset if c.dark else c.border,
        thumb=_mix(c.muted, c.surface, 0.5),
        danger=c.danger,
        on_danger=c.on_danger,
        notice=c.notice,
        notice_ink=c.notice_ink,
        notice_border=f"2px solid {c.notice_ink}" if c.contrast else "none",
        calm_border=f"2px solid {c.accent}" if c.contrast else "none",
        progress_border=f"1px solid {c.border}" if c.contrast else "none",
        chevron=icon_file("chevron", c.muted),
        check=icon_file("check", c.on_accent),
        title=f"{point_size * 1.5:.1f}",
        heading=f"{point_size * 1.15:.1f}",
        small=f"{point_size * 0.9:.1f}",
        large=f"{point_size * 2.4:.1f}",
    )


def _mix(colour: str, other: str, share: float) -> str:
    """`colour` with `share` of `other` in it; both as #RRGGBB."""
    pairs = zip(bytes.fromhex(colour[1:]), bytes.fromhex(other[1:]), strict=True)
    return "#" + "".join(f"{round(a + (b - a) * share):02X}" for a, b in pairs)
