"""Imports a published checkpoint in a process of its own: torch is large and would block the window."""

from __future__ import annotations

import os
from pathlib import Path

from PySide6.QtCore import QProcess, QProcessEnvironment
from PySide6.QtWidgets import QDialog, QFileDialog, QLineEdit, QProgressBar, QWidget

import mien
from mien.app.gui.look.widgets import button, column, form, label, row
from mien.app.installed import this_program


class ModelImport(QDialog):
    """Runs `mien model import`; after it was accepted, `bundle` is the folder that it wrote."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setWindowTitle(self.tr("Import a checkpoint"))
        self.setMinimumWidth(520)
        self._process: QProcess | None = None
        self.checkpoint, self.output = QLineEdit(), QLineEdit()
        self.labels = QLineEdit()
        self.labels.setPlaceholderText(self.tr("read from the file; or dfew, ferv39k, mafw, …"))
        first, second = button(self.tr("Choose…")), button(self.tr("Choose…"))
        first.clicked.connect(self._choose_checkpoint)
        second.clicked.connect(self._choose_output)
        fields = form(
            (self.tr("Checkpoint"), row(self.checkpoint, first)),
            (self.tr("New bundle"), row(self.output, second)),
            (self.tr("Labels"), self.labels),
        )
        self._state = label("", "muted", wrap=True)
        self._progress = QProgressBar()
        self._progress.setRange(0, 0)
        self._progress.hide()
        self._go = button(self.tr("Import"), kind="primary")
        self._go.setDefault(True)
        self._go.clicked.connect(self._start)
        cancel = button(self.tr("Cancel"))
        cancel.clicked.connect(self.reject)
        body = column(
            label(self.tr("Import a checkpoint"), "title"),
            label(self.tr("DFER-CLIP or EmoCLIP, as published. This can take a minute."), "muted"),
            8, fields, self._state, self._progress, 8, row(0, cancel, self._go),
        )  # fmt: skip
        body.setContentsMargins(28, 24, 28, 20)
        self.setLayout(body)

    @property
    def bundle(self) -> Path:
        return Path(self.output.text().strip())

    def reject(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.waitForFinished(2000)
        super().reject()

    def _choose_checkpoint(self) -> None:
        title = self.tr("Checkpoint")
        path = QFileDialog.getOpenFileName(self, title, "", self.tr("Checkpoints (*.pth *.pt *.ckpt *.safetensors)"))[0]
        if path:
            self.checkpoint.setText(path)
            if not self.output.text():
                self.output.setText(str(Path(path).with_suffix("")) + "-bundle")

    def _choose_output(self) -> None:
        path = QFileDialog.getSaveFileName(self, self.tr("Folder of the new bundle"), self.output.text())[0]
        if path:
            self.output.setText(path)

    def _start(self) -> None:
        if not self.checkpoint.text().strip() or not self.output.text().strip():
            self._state.setText(self.tr("Give a checkpoint and the folder of the new bundle."))
            return
        arguments = ["model", "import", self.checkpoint.text().strip(), "-o", self.output.text().strip()]
        if self.labels.text().strip():
            arguments += ["--labels", self.labels.text().strip()]
        program, *before = this_program()
        self._process = QProcess(self)
        self._process.finished.connect(self._finished)
        environment = QProcessEnvironment.systemEnvironment()
        # A checkout is not installed; what the user has set still counts.
        paths = [str(Path(mien.__file__).parents[1]), environment.value("PYTHONPATH")]
        environment.insert("PYTHONPATH", os.pathsep.join(filter(None, paths)))
        self._process.setProcessEnvironment(environment)
        self._process.start(program, [*before, *arguments])
        self._go.setEnabled(False)
        self._progress.show()
        self._state.setText(self.tr("Importing…"))

    def _finished(self, code: int) -> None:
        process, self._process = self._process, None
        assert process is not None
        self._go.setEnabled(True)
        self._progress.hide()
        if code == 0:
            self.accept()
            return
        lines = bytes(process.readAllStandardError().data()).decode(errors="replace").strip().splitlines()
        said = lines[-1].removeprefix("mien: ") if lines else self.tr("The import failed without a message.")
        self._state.setText(said[:1].upper() + said[1:])
