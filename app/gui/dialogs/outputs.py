"""Live outputs: which there are, how each goes, and one more."""

from __future__ import annotations

from PySide6.QtCore import Qt, QTimer, QUrl
from PySide6.QtGui import QColor, QDesktopServices, QGuiApplication, QPainter, QPaintEvent
from PySide6.QtWidgets import QCheckBox, QDialog, QFrame, QLineEdit, QScrollArea, QWidget

from mien.app.gui.live.outputs import COLOURS, GOOD, OFF, Chosen, Outputs
from mien.app.gui.look.widgets import Choice, Elided, button, column, form, label, row, tip, tool
from mien.engine.errors import MienError
from mien.engine.language import tr, trn
from mien.engine.outputs.kinds import OUTPUTS

_REFRESH_MS = 250
_TEST_MS = 4000


class OutputsDialog(QDialog):
    """Shows the outputs of the session while it runs; what is changed takes effect at once."""

    def __init__(self, parent: QWidget, outputs: Outputs) -> None:
        super().__init__(parent)
        self.setWindowTitle(self.tr("Live outputs"))
        self.setMinimumSize(520, 380)
        self.resize(660, 500)
        self._outputs = outputs
        self._rows: dict[Chosen, _Row] = {}
        self._listing = column(spacing=8)
        self._none = label(self.tr("None yet. Nothing leaves Mien until you add one."), "muted", wrap=True)
        self._listing.addWidget(self._none)
        self._listing.addStretch(1)
        inside = QWidget()
        inside.setLayout(self._listing)
        area = QScrollArea()
        area.setWidgetResizable(True)
        area.setProperty("flat", True)
        area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setWidget(inside)
        self.kind = Choice()
        for kind, known in OUTPUTS.items():
            self.kind.addItem(tr(known.name) or kind, kind)
        self.target = QLineEdit()
        self.target.returnPressed.connect(self._add)
        self._help = label("", "small", wrap=True)
        self._problem = label("", "danger", wrap=True)
        self._problem.hide()
        self.kind.currentIndexChanged.connect(self._show_kind)
        self.markers = QCheckBox(self.tr("Take over markers from Lab Streaming Layer"))
        self.markers.toggled.connect(outputs.listen)
        self._heard = label("", "small", wrap=True)
        self.add_button = button(self.tr("Add"), kind="primary")
        self.add_button.clicked.connect(self._add)
        close = button(self.tr("Close"))
        close.clicked.connect(self.accept)
        target = row(self.target, self.add_button)
        target.setStretch(0, 1)
        body = column(
            label(self.tr("Live outputs"), "title"),
            label(self.tr("Numbers and pictures for other programs, while the session runs."), "muted", wrap=True),
            area,
            form((self.tr("Add"), self.kind), (self.tr("Target"), target)),
            self._help, self._problem, self.markers, self._heard, row(0, close), spacing=10,
        )  # fmt: skip
        body.setContentsMargins(24, 18, 24, 16)
        body.setStretch(2, 1)
        self.setLayout(body)
        self.target.setAccessibleName(self.tr("Target"))
        self._show_kind()
        self._timer = QTimer(self)
        self._timer.setInterval(_REFRESH_MS)
        self._timer.timeout.connect(self._refresh)
        self._timer.start()
        outputs.changed.connect(self._refresh)
        self._refresh()

    def rows(self) -> list[_Row]:
        """What is shown, from the top."""
        return list(self._rows.values())

    def _show_kind(self) -> None:
        known = OUTPUTS[self.kind.currentData()]
        self._problem.hide()
        self.target.setPlaceholderText(known.target if known.bare is None else known.bare or self.tr("none needed"))
        self._help.setText(tr(known.help))

    def _add(self) -> None:
        kind = self.kind.currentData()
        bare = OUTPUTS[kind].bare
        target = self.target.text().strip()
        try:
            if not target and bare is None:
                raise MienError(self.tr("give a target, such as {example}").format(example=OUTPUTS[kind].target))
            self._outputs.add(kind, target or bare or "")
        except MienError as error:
            text = str(error)
            self._problem.setText(text[:1].upper() + text[1:])
            self._problem.show()
            return
        self._problem.hide()
        self.target.clear()

    def _refresh(self) -> None:
        chosen = self._outputs.chosen
        for gone in [one for one in self._rows if not any(one is other for other in chosen)]:
            self._rows.pop(gone).deleteLater()
        for one in chosen:
            if one not in self._rows:
                self._rows[one] = _Row(one, self._outputs)
                self._listing.insertWidget(self._listing.count() - 1, self._rows[one])
            self._rows[one].refresh()
        self._none.setVisible(not chosen)
        self._show_markers()

    def _show_markers(self) -> None:
        told, problem = self._outputs.markers, self._outputs.markers_problem
        text = problem if problem or told is None else told.message or told.detail
        self._heard.setText(text[:1].upper() + text[1:])
        self._heard.setVisible(bool(text))
        on = self._outputs.listens
        if self.markers.isChecked() != on:
            self.markers.setChecked(on)


class _Lamp(QWidget):
    def __init__(self) -> None:
        super().__init__()
        self.setFixedSize(12, 12)
        self.light = OFF

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(COLOURS[self.light]))
        painter.drawEllipse(self.rect())


class _Row(QFrame):
    """One output: its light, what it is, how it goes, and what can be done with it."""

    def __init__(self, one: Chosen, outputs: Outputs) -> None:
        super().__init__()
        self.setObjectName("card")
        self.one, self._outputs = one, outputs
        self._tested: int | None = None
        name = tr(OUTPUTS[one.kind].name) if one.kind in OUTPUTS else one.kind
        self._lamp = _Lamp()
        self._name, self._state = Elided(), Elided("small")
        self._title = f"{name} {one.shown}".strip()
        self.on = QCheckBox(self.tr("On"))
        self.on.setAccessibleName(self.tr("Switch on: {name}").format(name=self._title))
        self.on.setChecked(one.on)
        self.on.toggled.connect(lambda on: outputs.switch(one, on))
        self.test = button(self.tr("Test"))
        self.test.setAccessibleName(self.tr("Test: {name}").format(name=self._title))
        self.test.clicked.connect(self._test)
        self.open = tool("export", self.tr("Open the page in a browser"))
        self.open.clicked.connect(lambda: QDesktopServices.openUrl(QUrl(self._address())))
        self.copy = tool("copy", self.tr("Copy the address, with its token"))
        self.copy.clicked.connect(lambda: QGuiApplication.clipboard().setText(self._address()))
        self.remove = tool("close", self.tr("Remove: {name}").format(name=self._title))
        self.remove.clicked.connect(lambda: outputs.remove(one))
        texts = column(self._name, self._state, spacing=2)
        line = row(self._lamp, texts, self.open, self.copy, self.test, self.on, self.remove, spacing=10)
        line.setStretch(1, 1)
        line.setContentsMargins(14, 8, 8, 8)
        self.setLayout(line)

    @property
    def state(self) -> str:
        """How it goes, in a line."""
        one, status = self.one, self.one.status
        if one.message:
            return one.message[:1].upper() + one.message[1:]
        if status is None:
            return self.tr("Off") if not one.on else self.tr("Starts with the session")
        parts = [trn("{count:,} sent", "{count:,} sent", status.sent)]
        if status.dropped:
            parts.append(trn("{count:,} dropped", "{count:,} dropped", status.dropped))
        if status.detail:
            parts.append(status.detail)
        if self._tested is not None:
            sent = status.events > self._tested
            parts.append(self.tr("test sent") if sent else self.tr("ready"))
        return " · ".join(parts)

    def refresh(self) -> None:
        """Show the newest."""
        one = self.one
        self._lamp.light = one.light
        words = {GOOD: self.tr("working"), OFF: self.tr("off")}
        self._lamp.setAccessibleName(words.get(one.light, self.tr("not connected")))
        tip(self._lamp, words.get(one.light, self.tr("not connected")))
        self._lamp.update()
        self._name.setText(self._title)
        self._state.setText(self.state)
        self.setAccessibleName(f"{self._title}: {self.state}")
        self.test.setEnabled(one.stage is not None)
        for part in (self.open, self.copy):
            part.setVisible(bool(self._address()))
        if self.on.isChecked() != one.on:
            self.on.setChecked(one.on)

    def _address(self) -> str:
        return "" if self.one.stage is None else self.one.stage.address()

    def _test(self) -> None:
        status = self.one.status
        self._tested = None if status is None else status.events
        self._outputs.test(self.one)
        QTimer.singleShot(_TEST_MS, self, self._forget_test)

    def _forget_test(self) -> None:
        self._tested = None
