"""Reviews a recording: plays it, jumps to peaks and markers, exports it for other programs."""

from __future__ import annotations

import bisect
import html
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QCloseEvent, QKeySequence, QShortcut
from PySide6.QtWidgets import QComboBox, QMainWindow, QMenu, QScrollArea, QSlider, QWidget

from mien.app.gui.look.file_dialogs import ask_save
from mien.app.gui.look.frame_view import FrameView
from mien.app.gui.look.icons import icon
from mien.app.gui.look.notice import Notice
from mien.app.gui.look.palette import series_colour
from mien.app.gui.look.widgets import button, clock, column, label, open_folder, row, tool
from mien.app.gui.review.chart import SessionChart
from mien.app.gui.review.report import save_report
from mien.app.gui.tasks import Task
from mien.engine.errors import MienError
from mien.engine.review.exports import EXPORTERS, Selection, exporter

if TYPE_CHECKING:
    from mien.engine.review.playback import Playback
from mien.engine.review.session import RecordedSession

_PULL_MS = 10
_JUMP_S = 5.0


class ReviewWindow(QMainWindow):
    """One recording."""

    closed = Signal()

    def __init__(self, parent: QWidget | None, path: Path) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(self.tr("Review: {name}").format(name=path.name))
        self.resize(1080, 760)
        self.setMinimumSize(640, 480)
        self._path = path
        self.session: RecordedSession | None = None
        self.playback: Playback | None = None
        self._serial = -1
        self.image = FrameView()
        self.image.show_message("file", self.tr("Opening {name}…").format(name=path.name))
        self.chart = SessionChart()
        self.chart.sought.connect(self.seek)
        self.notice = Notice()
        self._build()
        self._keys()
        self._timer = QTimer(self)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.setInterval(_PULL_MS)
        self._timer.timeout.connect(self._pull)
        self._task = Task(self, lambda: _read(path), self._opened, self._failed)

    # Building

    def _build(self) -> None:
        self._play = tool("play", self.tr("Play (Space)"))
        self._play.clicked.connect(self.toggle)
        back, on = tool("previous", self.tr("Previous frame (←)")), tool("next", self.tr("Next frame (→)"))
        back.clicked.connect(lambda: self.step(-1))
        on.clicked.connect(lambda: self.step(1))
        self._clock = label("00:00 / 00:00")
        self._slider = QSlider(Qt.Orientation.Horizontal)
        self._slider.setAccessibleName(self.tr("Position in the recording"))
        self._slider.sliderMoved.connect(self._slid)
        self._slider.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        transport = row(back, self._play, on, 6, self._slider, 6, self._clock, spacing=2)
        transport.setContentsMargins(14, 8, 18, 8)
        bar = QWidget()
        bar.setObjectName("bar")
        bar.setProperty("edge", "top")
        bar.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        bar.setLayout(transport)
        self._label = QComboBox()
        self._label.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
        self._label.setAccessibleName(self.tr("Expression shown in the timeline"))
        self._label.setMinimumWidth(230)
        self._label.currentIndexChanged.connect(self._choose_label)
        self._who = QComboBox()
        self._who.setAccessibleName(self.tr("Person"))
        self._who.setMinimumWidth(130)
        earlier, later = button(self.tr("Previous peak")), button(self.tr("Next peak"))
        earlier.clicked.connect(lambda: self.jump_to_peak(-1))
        later.clicked.connect(lambda: self.jump_to_peak(1))
        self._peak_buttons = (earlier, later)
        self._export = button(self.tr("Export"), "export")
        menu = QMenu(self)
        menu.addAction(self.tr("Report, one page (PDF or PNG)…"), self.export_report)
        menu.addSeparator()
        for kind, export in EXPORTERS.items():
            menu.addAction(f"{export.title[0].upper()}{export.title[1:]}…", partial(self.export, kind))
        self._export.setMenu(menu)
        tools = row(
            label(self.tr("Show")), self._label, 8, label(self.tr("Person")), self._who, earlier, later, 0,
            self._export,
        )  # fmt: skip
        tools.setContentsMargins(18, 10, 18, 4)
        area = QScrollArea()
        area.setWidgetResizable(True)
        area.setProperty("flat", True)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        inside = QWidget()
        chart = column(self.chart, 0)
        chart.setContentsMargins(18, 0, 12, 0)
        inside.setLayout(chart)
        area.setWidget(inside)
        self._area = area
        self._space = QWidget()
        holder = column(self.notice)
        holder.setContentsMargins(12, 8, 12, 8)
        self._space.setLayout(holder)
        self._space.hide()
        self.notice.visibility_changed.connect(self._space.setVisible)
        self._legend = label("", wrap=True)
        self._legend.setTextFormat(Qt.TextFormat.RichText)
        self._legend.setContentsMargins(18, 4, 18, 10)
        page = QWidget()
        page.setObjectName("page")
        whole = column(self._space, self.image, bar, tools, area, self._legend, spacing=0)
        whole.setStretch(1, 1)
        page.setLayout(whole)
        self.setCentralWidget(page)
        self._controls = (self._play, back, on, self._slider, self._export, *self._peak_buttons)
        for item in self._controls:
            item.setEnabled(False)

    def _keys(self) -> None:
        for key, do in {
            "Space": self.toggle, "Left": lambda: self.step(-1), "Right": lambda: self.step(1),
            "Shift+Left": lambda: self.skip(-_JUMP_S), "Shift+Right": lambda: self.skip(_JUMP_S),
            "Home": lambda: self.seek_end(-1), "End": lambda: self.seek_end(1),
            "M": lambda: self.jump_to_marker(1), "Shift+M": lambda: self.jump_to_marker(-1), "Escape": self.close,
        }.items():  # fmt: skip
            QShortcut(QKeySequence(key), self, do)

    # Opening

    def _opened(self, result: tuple[RecordedSession, Playback | None]) -> None:
        self.session, self.playback = result
        session = self.session
        if session.warnings:
            self.notice.say(session.warnings[0][:1].upper() + session.warnings[0][1:], kind="warning")
        self.image.show_message("", "")
        if self.playback is None:
            self.image.show_message("info", self.tr("No video"), self.tr("Only the predictions were found."))
        self.chart.show_session(session)
        self._area.setFixedHeight(min(self.chart.sizeHint().height() + 6, 300))
        self._label.blockSignals(True)
        self._label.addItem(self.tr("the most probable expression"), None)
        for index, name in enumerate(session.labels):
            self._label.addItem(name, index)
        self._label.blockSignals(False)
        for track_id in session.tracks:
            self._who.addItem(session.name_of(track_id), track_id)
        self._slider.setRange(0, max(1, round(session.duration_s * 1000)))
        for item in self._controls:
            item.setEnabled(True)
        if self.playback is None:
            for item in (self._play, self._slider):
                item.setEnabled(False)
        self._show_legend()
        self._show_time(0.0)
        self._choose_label()
        self._timer.start()

    def _failed(self, message: str) -> None:
        self.image.show_message(
            "warning", self.tr("This recording cannot be opened"), message[:1].upper() + message[1:]
        )

    def _show_legend(self) -> None:
        assert self.session is not None
        self._legend.setText(
            "&nbsp;&nbsp;&nbsp; ".join(
                f"<span style='color:{series_colour(index, self.palette()).name()}'>■</span>&nbsp;{html.escape(name)}"
                for index, name in enumerate(self.session.labels)
            )
        )

    # Playing

    def toggle(self) -> None:
        """Play or pause."""
        if self.playback is not None:
            self.playback.play(not self.playback.playing)

    def step(self, by: int) -> None:
        """Go `by` frames on; back where negative."""
        if self.playback is not None:
            self.playback.step(by)

    def skip(self, seconds: float) -> None:
        self.seek(self.time_s + seconds)

    def seek(self, time_s: float) -> None:
        """Go to a time of the recording."""
        if self.playback is not None:
            self.playback.seek(time_s)
        self._show_time(time_s)

    def seek_end(self, side: int) -> None:
        if self.session is not None:
            self.seek(self.session.duration_s if side > 0 else 0.0)

    @property
    def time_s(self) -> float:
        """Where the recording is now."""
        return self._time_s

    _time_s = 0.0

    def jump_to_marker(self, side: int) -> None:
        if self.session is not None:
            self._jump([marker.time_s for marker in self.session.markers], side)

    def jump_to_peak(self, side: int) -> None:
        """To the next or previous moment at which the selected person showed the selected expression most clearly."""
        track = self._who.currentData()
        if self.session is None or track is None:
            return
        chosen = self._label.currentData()
        names = self.session.labels if chosen is None else (self.session.labels[chosen],)
        times = sorted({peak.time_s for name in names for peak in self.session.peaks(track, name)})
        if not self._jump(times, side):
            self.notice.say(self.tr("No further peak of this expression."), seconds=3)

    def _jump(self, times: list[float], side: int) -> bool:
        now = self._time_s
        at = bisect.bisect_right(times, now + 0.02) if side > 0 else bisect.bisect_left(times, now - 0.02) - 1
        if not 0 <= at < len(times):
            return False
        if self.playback is not None:
            self.playback.play(False)
        self.seek(times[at])
        return True

    def _slid(self, value: int) -> None:
        if self.session is not None:
            self.seek(value / 1000)

    def _pull(self) -> None:
        assert self.session is not None
        if self.playback is None:
            return
        now = self.playback.now()
        if now is not None and now.serial != self._serial:
            self._serial = now.serial
            self.image.show_image(now.image)
            self._show_time(now.time_s)
        playing = self.playback.playing
        if self._play.property("playing") != playing:
            self._play.setProperty("playing", playing)
            self._play.setIcon(icon("pause" if playing else "play"))
        if self.playback.problem:
            self.notice.say(self.playback.problem[:1].upper() + self.playback.problem[1:], kind="warning")
            self._timer.stop()

    def _show_time(self, time_s: float) -> None:
        assert self.session is not None
        self._time_s = time_s
        self._clock.setText(f"{clock(time_s)} / {clock(self.session.duration_s)}")
        if not self._slider.isSliderDown():
            self._slider.setValue(round(time_s * 1000))
        self.chart.show_time(time_s)

    def _choose_label(self) -> None:
        if self.session is not None:
            self.chart.show_session(self.session, self._label.currentData())
            self.chart.show_time(self._time_s)

    # Writing

    def export_report(self) -> None:
        self._save(self.tr("Save the report"), " report.pdf", self.tr("PDF (*.pdf);;Image (*.png)"), self._report)

    def export(self, kind: str) -> None:
        """Ask where to, and write one of `EXPORTERS`, of the selected person, or of everybody."""
        export = EXPORTERS[kind]
        kinds = f"{export.title} (*{export.suffix})"
        ending = " export.csv" if export.suffix == ".csv" else export.suffix  # beside the recording's own CSV
        self._save(self.tr("Export"), ending, kinds, partial(self._export_to, kind))

    def _report(self, path: Path) -> None:
        assert self.session is not None
        save_report(self.session, self._path.stem, path)

    def _export_to(self, kind: str, path: Path) -> None:
        assert self.session is not None
        track = self._who.currentData()
        exporter(kind)(self.session, path, Selection(tracks=None if track is None else frozenset({track})))

    def _save(self, title: str, ending: str, kinds: str, write: Callable[[Path], None]) -> None:
        name = ask_save(self, title, str(self._path.with_name(self._path.stem + ending)), kinds)
        if name:
            self.write(Path(name), write)

    def write(self, path: Path, write: Callable[[Path], None]) -> None:
        """Write one file and say how it went."""
        try:
            write(path)
        except (MienError, OSError) as error:
            text = str(error)
            self.notice.say(text[:1].upper() + text[1:], kind="warning")
            return
        self.notice.say(
            self.tr("Saved {name}.").format(name=path.name), kind="check", seconds=8,
            action=(self.tr("Open folder"), lambda: open_folder(path.parent)),
        )  # fmt: skip

    def closeEvent(self, event: QCloseEvent) -> None:
        self._timer.stop()
        self._task.forget()
        if self.playback is None and self._task.wait(10.0) and self._task.result is not None:
            self.playback = self._task.result[1]
        if self.playback is not None:
            self.playback.close()
        self.closed.emit()
        super().closeEvent(event)


def _read(path: Path) -> tuple[RecordedSession, Playback | None]:
    from mien.engine.review.playback import Playback
    from mien.engine.review.session import read_session

    session = read_session(path)
    return session, None if session.mp4 is None else Playback(session.mp4)
