"""The status bar: what the source, the model and the recording are doing."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPalette, QResizeEvent
from PySide6.QtWidgets import QLabel, QWidget

from mien.app.gui.look.widgets import clock, label, row
from mien.engine.language import tr, trn
from mien.engine.types import SourceState

if TYPE_CHECKING:
    from mien.engine.live.status import LiveStatus

_GOOD, _WAITING = QColor("#2BA36B"), QColor("#D98200")


_IMPORTANT: Final = ("record", "state", "processed", "drops", "latency", "model", "camera")


class _Lamp(QWidget):
    def __init__(self) -> None:
        super().__init__()
        self.setFixedSize(10, 10)
        self.colour: QColor | None = None

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(self.colour or self.palette().color(QPalette.ColorRole.Mid))
        painter.drawEllipse(self.rect())


class StatusBar(QWidget):
    """Source state, rates, latency, drops, provider, recording."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("bar")
        self.setProperty("edge", "top")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._lamp = _Lamp()
        self._parts: dict[str, QLabel] = {
            name: label("", "small") for name in ("state", "camera", "processed", "latency", "drops", "model", "record")
        }
        hints = {
            "camera": self.tr("Frames per second from the source"),
            "processed": self.tr("Frames analysed per second"),
            "latency": self.tr("From capture to the finished frame: median / 95th percentile"),
            "drops": self.tr("Frames skipped because a newer one had arrived"),
            "model": self.tr("Execution provider of the model, as reported by ONNX Runtime"),
        }
        for name, hint in hints.items():
            self._parts[name].setToolTip(hint)
        p = self._parts
        inner = row(
            self._lamp, p["state"], 0, p["record"], p["camera"], p["processed"], p["latency"], p["drops"], p["model"],
            spacing=18,
        )  # fmt: skip
        p["record"].setProperty("role", "danger")
        p["record"].setTextFormat(Qt.TextFormat.PlainText)
        inner.setContentsMargins(16, 6, 16, 6)
        inner.setSpacing(18)
        self.setLayout(inner)
        p["state"].setText(self.tr("Starting…"))

    def text(self, part: str) -> str:
        """The text of one part."""
        return self._parts[part].text()

    def show_status(self, status: LiveStatus) -> None:
        """Show the newest."""
        say = {
            "state": self._state(status),
            "camera": tr("source {rate:.0f} fps", rate=status.source_fps),
            "processed": tr("processed {rate:.0f} fps", rate=status.processed_fps),
            "latency": "" if status.latency_ms is None else tr(
                "latency {middle:.0f} / {high:.0f} ms", middle=status.latency_ms[0], high=status.latency_ms[1]
            ),
            "drops": trn("{count:,} dropped", "{count:,} dropped", status.dropped),
            "model": _provider(status.provider) or self.tr("loading model…"),
            "record": "",
        }  # fmt: skip
        recording = status.recording
        if recording is not None and recording.state in {"recording", "finishing"}:
            text = self.tr("● recording {time}").format(time=clock(recording.elapsed_s))
            say["record"] = text if recording.state == "recording" else self.tr("finishing the recording…")
        for name, text in say.items():
            self._parts[name].setText(text)
        self._fold()
        live = status.condition is not None and status.condition.state is SourceState.LIVE
        waiting = status.condition is not None and status.condition.state not in {SourceState.ENDED, SourceState.FAILED}
        self._lamp.colour = _GOOD if live else _WAITING if waiting else None
        self._lamp.update()

    def minimumSizeHint(self) -> QSize:
        return QSize(200, super().minimumSizeHint().height())  # what has no room is left out

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fold()

    def _fold(self) -> None:
        """Leave out what there is no room for, least important first; the tool tip holds all of it."""
        room = self.width() - 60
        for name in _IMPORTANT:
            part = self._parts[name]
            need = part.fontMetrics().horizontalAdvance(part.text()) + 18 if part.text() else 0
            part.setVisible(bool(part.text()) and need <= room)
            room -= need if need <= room else 0
        self.setToolTip(" · ".join(part.text() for part in self._parts.values() if part.text()))

    def _state(self, status: LiveStatus) -> str:
        if status.condition is None:
            return self.tr("No source")
        words = {
            SourceState.CONNECTING: self.tr("connecting"), SourceState.LIVE: self.tr("live"),
            SourceState.STALLED: self.tr("no signal"), SourceState.RECONNECTING: self.tr("reconnecting"),
            SourceState.ENDED: self.tr("ended"), SourceState.FAILED: self.tr("failed"),
        }  # fmt: skip
        if status.info is None:  # there never was a connection
            words[SourceState.RECONNECTING] = self.tr("not connected yet")
        if status.no_signal_since is not None:
            since = time.strftime("%H:%M:%S", time.localtime(status.no_signal_since))
            words[status.condition.state] = self.tr("no signal since {time}").format(time=since)
        size = f" · {status.info.width} × {status.info.height}" if status.info else ""
        return f"{status.source_name} · {words[status.condition.state]}{size}"


def _provider(name: str) -> str:
    """CPUExecutionProvider -> CPU."""
    return {"TensorrtExecutionProvider": "TensorRT"}.get(name, name.removesuffix("ExecutionProvider"))
