"""The prediction for one face, large enough to be read across a room."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QFont, QPainter, QPaintEvent, QPalette
from PySide6.QtWidgets import QSizePolicy, QWidget

from mien.app.gui.look.expressions import expression, flaws
from mien.app.gui.look.palette import series_colour
from mien.app.gui.look.widgets import column, label
from mien.app.gui.panel.people import Person
from mien.engine.language import tr
from mien.engine.types import Prediction, Status

_ROW: Final = 26


class Bars(QWidget):
    """A bar for each label."""

    def __init__(self) -> None:
        super().__init__()
        self._labels: tuple[str, ...] = ()
        self._values: list[float] = []
        self._best = -1
        self._sure = False
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName(self.tr("Probability of each expression"))

    def show_values(self, labels: tuple[str, ...], values: list[float], *, best: int, sure: bool) -> None:
        """`values` from 0 to 1, empty where there are none; `sure`: nothing speaks against believing them."""
        if labels != self._labels:
            self._labels = labels
            self.updateGeometry()
        self._values, self._best, self._sure = values, best, sure
        self.setAccessibleDescription(
            ", ".join(
                tr("{name} {share:.0f} %", name=expression(name), share=value * 100)
                for name, value in zip(labels, values, strict=False)
            )
        )
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(260, _ROW * max(len(self._labels), 1))

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        palette, font = self.palette(), QFont(self.font())
        bold = QFont(font)
        bold.setWeight(QFont.Weight.DemiBold)
        painter.setFont(bold)
        measure = painter.fontMetrics()
        shown = [expression(name) for name in self._labels]
        names = min(max((measure.horizontalAdvance(name) for name in shown), default=0), self.width() * 2 // 5)
        numbers = measure.horizontalAdvance(tr("{share:.0f} %", share=100.0))
        left, right = names + 12, self.width() - numbers - 10
        for index, name in enumerate(shown):
            top = index * _ROW
            strong = index == self._best
            painter.setFont(bold if strong else font)
            painter.setPen(palette.color(QPalette.ColorRole.WindowText if strong else QPalette.ColorRole.Dark))
            text = painter.fontMetrics().elidedText(name, Qt.TextElideMode.ElideRight, names)
            middle = Qt.AlignmentFlag.AlignVCenter
            painter.drawText(QRectF(0, top, names + 2, _ROW), middle | Qt.AlignmentFlag.AlignLeft, text)
            track = QRectF(left, top + _ROW / 2 - 4, right - left, 8)
            contrast = palette.color(QPalette.ColorRole.AlternateBase) == palette.color(QPalette.ColorRole.Base)
            painter.setPen(palette.color(QPalette.ColorRole.Mid) if contrast else Qt.PenStyle.NoPen)
            painter.setBrush(palette.color(QPalette.ColorRole.AlternateBase))
            painter.drawRoundedRect(track, 4, 4)
            painter.setPen(palette.color(QPalette.ColorRole.WindowText if strong else QPalette.ColorRole.Dark))
            if index < len(self._values):
                value = self._values[index]
                number = QRectF(right + 4, top, numbers + 6, _ROW)
                painter.drawText(number, middle | Qt.AlignmentFlag.AlignRight, tr("{share:.0f} %", share=value * 100))
                if value > 0.005:
                    track.setWidth(max(8.0, track.width() * value))
                    colour = series_colour(index, palette)
                    colour.setAlphaF(1.0 if self._sure else 0.45)
                    painter.setPen(Qt.PenStyle.NoPen)
                    painter.setBrush(colour)
                    painter.drawRoundedRect(track, 4, 4)


class PredictionCard(QWidget):
    """The selected person's expression: one large word, and bars."""

    def __init__(self) -> None:
        super().__init__()
        self._who = label("", "section")
        self._word = label("", "large")
        self._word.setMinimumWidth(10)
        self._state = label("", "muted", wrap=True)
        self._bars = Bars()
        self.setLayout(column(self._who, self._word, self._state, 8, self._bars, spacing=2))

    @property
    def word(self) -> str:
        """The expression shown large."""
        return self._word.text()

    @property
    def note(self) -> str:
        """What is said below it."""
        return self._state.text()

    def show_person(self, person: Person | None, labels: tuple[str, ...], *, no_signal: str = "") -> None:
        """Show the newest prediction for `person`."""
        if person is None:
            self._who.setText(self.tr("EXPRESSION"))
            self._word.setText("—")
            self._state.setText(self.tr("No face in the frame"))
            self._bars.show_values(labels, [], best=-1, sure=False)
            return
        self._who.setText(person.name or person.title.upper())
        prediction = person.prediction
        word, state = self._in_words(person, labels)
        if no_signal and person.here:
            word, state = "—", self._last_seen(prediction, labels, no_signal)
        self._word.setText(self._word.fontMetrics().elidedText(word, Qt.TextElideMode.ElideRight, self.width()))
        self._state.setText(state.replace(" %", "\u00a0%"))  # no line begins with the sign
        if prediction is None or not person.here:
            self._bars.show_values(labels, [], best=-1, sure=False)
        else:
            sure = person.status is Status.OK and not prediction.flaws and not no_signal
            values = [float(value) for value in prediction.probabilities]
            self._bars.show_values(labels, values, best=-1 if no_signal else prediction.label, sure=sure)

    def _last_seen(self, prediction: Prediction | None, labels: tuple[str, ...], no_signal: str) -> str:
        said = tr("no signal since {time}", time=no_signal.rpartition(" ")[2])  # the engine's words are on the frame
        said = said[:1].upper() + said[1:]
        if prediction is None:
            return said
        return self.tr("{said}; last seen as {word}").format(said=said, word=expression(labels[prediction.label]))

    def _in_words(self, person: Person, labels: tuple[str, ...]) -> tuple[str, str]:
        prediction = person.prediction
        if not person.here:
            return "—", self.tr("Not in the frame")
        if prediction is None:
            return "—", self.tr("Warming up: waiting for the first prediction")
        word = expression(labels[prediction.label])
        share = tr("{share:.0f} %", share=float(prediction.probabilities[prediction.label]) * 100)
        if person.status is Status.OCCLUDED:
            return "—", self.tr("Face occluded; last prediction: {word}").format(word=word)
        if person.status is Status.WARMING:
            said = self.tr("the window is not full yet; so far: {word}, {share}").format(word=word, share=share)
            return self.tr("warming up"), said
        wrong = flaws(prediction)
        if person.status is Status.UNCERTAIN:
            said = self.tr("most probable: {word}, {share}").format(word=word, share=share)
            return self.tr("uncertain"), f"{said} · {wrong}" if wrong else said
        if wrong:
            said = self.tr("{share} · unreliable: {flaws}").format(share=share, flaws=wrong)
            return self.tr("{word}?").format(word=word), said
        return word, share
