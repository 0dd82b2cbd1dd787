"""Zero-shot labels: names, each with sentences that describe it."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDialog, QFileDialog, QHeaderView, QTableWidget, QTableWidgetItem, QWidget

from mien.app.gui import preferences
from mien.app.gui.look.widgets import button, column, label, row
from mien.engine.disk import write_whole
from mien.engine.errors import ModelError
from mien.engine.inference.bundle import Manifest
from mien.engine.inference.typed_labels import is_unvalidated, read_labels


class LabelsDialog(QDialog):
    """A table of names and descriptions. After it was accepted, `file` holds them; None: the model's own labels."""

    def __init__(self, parent: QWidget, manifest: Manifest) -> None:
        super().__init__(parent)
        self.setWindowTitle(self.tr("Labels"))
        self.setMinimumSize(520, 360)
        self.resize(720, 480)
        self.file: Path | None = None
        self.table = QTableWidget(0, 2)
        self.table.setHorizontalHeaderLabels([self.tr("Label"), self.tr("Descriptions, separated by “;”")])
        self.table.verticalHeader().hide()
        self.table.verticalHeader().setDefaultSectionSize(34)
        self.table.horizontalHeader().setSectionResizeMode(1, QHeaderView.ResizeMode.Stretch)
        self.table.horizontalHeader().setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        self.table.setColumnWidth(0, 160)
        self.table.setShowGrid(False)
        self.table.setAccessibleName(self.tr("Labels and their descriptions"))
        self._problem = label("", "danger", wrap=True)
        self._problem.hide()
        add, remove = button(self.tr("Add"), "plus"), button(self.tr("Remove"), "minus")
        add.clicked.connect(lambda: self._add("", "", edit=True))
        remove.clicked.connect(lambda: self.table.removeRow(self.table.currentRow()))
        opened = button(self.tr("Open a labels file…"), kind="quiet")
        opened.clicked.connect(self._open)
        own = button(self.tr("The model's own labels"), kind="quiet")
        own.clicked.connect(self._own)
        use = button(self.tr("Use these labels"), kind="primary")
        use.clicked.connect(self._accept)
        cancel = button(self.tr("Cancel"))
        cancel.clicked.connect(self.reject)
        body = column(
            label(self.tr("Labels"), "title"),
            label(
                self.tr(
                    "The model compares faces with these descriptions. How well it tells your labels apart has not "
                    "been measured; every frame and file will say “unvalidated”."
                ),
                "muted",
                wrap=True,
            ),
            self.table,
            self._problem,
            row(add, remove, 0, opened),
            4,
            row(own, 0, cancel, use),
            spacing=10,
        )
        body.setContentsMargins(24, 20, 24, 18)
        self.setLayout(body)
        known = manifest.provenance.get("descriptions", {}) if is_unvalidated(manifest) else {}
        for name in manifest.labels:
            # In English in every language: text encoders are made for it.
            texts = known.get(name) if isinstance(known, dict) else None
            self._add(name, "; ".join(texts) if texts else f"a face that shows {name}")

    def rows(self) -> list[tuple[str, list[str]]]:
        """What is in the table: names with their descriptions."""
        found = []
        for index in range(self.table.rowCount()):
            name, texts = (self._cell(index, col) for col in (0, 1))
            if name or texts:
                found.append((name, [text.strip() for text in texts.split(";") if text.strip()]))
        return found

    def _cell(self, row: int, col: int) -> str:
        item = self.table.item(row, col)
        return "" if item is None else item.text().strip()

    def _add(self, name: str, texts: str, *, edit: bool = False) -> None:
        index = self.table.rowCount()
        self.table.insertRow(index)
        first = QTableWidgetItem(name)
        self.table.setItem(index, 0, first)
        self.table.setItem(index, 1, QTableWidgetItem(texts))
        if edit:
            self.table.setCurrentCell(index, 0)
            self.table.editItem(first)

    def _open(self) -> None:
        path = QFileDialog.getOpenFileName(self, self.tr("Open a labels file"), "", self.tr("Labels (*.toml)"))[0]
        if not path:
            return
        try:
            typed = read_labels(Path(path))
        except ModelError as error:
            self._complain(str(error))
            return
        self.table.setRowCount(0)
        for name, texts in zip(typed.names, typed.descriptions, strict=True):
            self._add(name, "; ".join(texts))

    def _own(self) -> None:
        self.file = None
        self.accept()

    def _accept(self) -> None:
        file = preferences.folder() / "labels.toml"
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            write_whole(file, "\n".join(_table(name, texts) for name, texts in self.rows()))
            read_labels(file)
        except ModelError as error:
            self._complain(str(error).removeprefix(f"{file}: "))
            return
        except OSError as error:
            self._complain(self.tr("{file} cannot be written ({why}).").format(file=file, why=error.strerror))
            return
        self.file = file
        self.accept()

    def _complain(self, text: str) -> None:
        self._problem.setText(text[:1].upper() + text[1:])
        self._problem.show()


def _table(name: str, texts: list[str]) -> str:
    return f"[[labels]]\nname = {_string(name)}\ndescriptions = [{', '.join(map(_string, texts))}]\n"


def _string(text: str) -> str:
    """A TOML basic string."""
    escaped = "".join(
        f"\\u{ord(mark):04x}" if ord(mark) < 32 or ord(mark) == 127 else "\\" + mark if mark in '"\\' else mark
        for mark in text
    )
    return f'"{escaped}"'
