"""Chooses a microphone and shows how loud it is."""

from __future__ import annotations

import time

from PySide6.QtCore import QRectF, QSize, Qt, QTimer
from PySide6.QtGui import QPainter, QPaintEvent, QPalette
from PySide6.QtWidgets import QSizePolicy, QWidget

from mien.app.gui.look.widgets import Choice, column, label
from mien.engine.language import tr
from mien.engine.sources.microphone import MicrophoneReader, level_db, list_microphones
from mien.engine.types import AudioChunk


class LevelMeter(QWidget):
    """How loud it is, from -60 to 0 dB below full scale."""

    def __init__(self) -> None:
        super().__init__()
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName(self.tr("Level of the microphone"))
        self._db = -60.0

    @property
    def level_db(self) -> float:
        return self._db

    def show_level(self, db: float) -> None:
        """Rise at once, fall slowly."""
        self._db = max(db, self._db - 2.0)
        self.setAccessibleDescription(tr("{level:.0f} dB", level=self._db))
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(160, 10)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        whole = QRectF(self.rect()).adjusted(0, 1, 0, -1)
        painter.setBrush(self.palette().color(QPalette.ColorRole.Mid))
        painter.drawRoundedRect(whole, 4, 4)
        whole.setWidth(whole.width() * (self._db + 60) / 60)
        role = QPalette.ColorRole.BrightText if self._db > -3 else QPalette.ColorRole.Highlight
        painter.setBrush(self.palette().color(role))
        painter.drawRoundedRect(whole, 4, 4)


class MicrophoneChoice(QWidget):
    """A drop-down of microphones with a level meter below it."""

    def __init__(self, chosen: str) -> None:
        super().__init__()
        self._box = Choice()
        self._box.setAccessibleName(self.tr("Microphone with cameras"))
        self._box.addItem(self.tr("None"), "")
        for one in list_microphones():
            self._box.addItem(one.name, one.device)
        if chosen and self._box.findData(chosen) < 0:
            self._box.addItem(chosen, chosen)
        self._box.setCurrentIndex(max(0, self._box.findData(chosen)))
        self._box.currentIndexChanged.connect(self._listen)
        self.setFocusProxy(self._box)
        self.meter = LevelMeter()
        self._note = label("", "small", wrap=True)
        self.setLayout(column(self._box, self.meter, self._note, spacing=6))
        self._reader: MicrophoneReader | None = None
        self._newest = -60.0
        self._problem = ""
        self._timer = QTimer(self)
        self._timer.setInterval(50)
        self._timer.timeout.connect(self._show)
        self._listen()

    @property
    def chosen(self) -> str:
        """The device; "" for none."""
        device: str = self._box.currentData()
        return device

    def close_meter(self) -> None:
        """Let go of the microphone."""
        self._timer.stop()
        reader, self._reader = self._reader, None
        if reader is not None:
            reader.close()

    def _listen(self) -> None:
        self.close_meter()
        self._problem, self._newest = "", -60.0
        self.meter.setVisible(bool(self.chosen))
        note = self.tr("Recorded with the frames of a camera.")
        self._note.setText(note if self._box.count() > 1 else self.tr("No microphone was found."))
        if self.chosen:
            self._reader = MicrophoneReader(self.chosen, time.monotonic(), self._hear, self._fail)
            self._reader.start()
            self._timer.start()

    def _hear(self, audio: AudioChunk) -> None:
        self._newest = max(self._newest, level_db(audio.samples))

    def _fail(self, message: str) -> None:
        self._problem = message

    def _show(self) -> None:
        newest, self._newest = self._newest, -60.0
        self.meter.show_level(newest)
        if self._problem:
            self._note.setText(self._problem[:1].upper() + self._problem[1:])
