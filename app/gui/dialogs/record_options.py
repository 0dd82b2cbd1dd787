"""How recordings are made."""

from __future__ import annotations

from datetime import datetime

from PySide6.QtWidgets import QCheckBox, QDialog, QLineEdit, QWidget

from mien.app.gui.look.file_dialogs import ask_folder
from mien.app.gui.look.widgets import Choice, button, column, form, label, row
from mien.app.gui.preferences import Preferences
from mien.engine.errors import MienError
from mien.engine.language import tr


class RecordOptions(QDialog):
    """Changes the preferences for recordings when accepted."""

    def __init__(self, parent: QWidget, preferences: Preferences) -> None:
        super().__init__(parent)
        self.setWindowTitle(self.tr("Recording options"))
        self.setMinimumWidth(540)
        self._p = p = preferences
        self.folder = QLineEdit(p.record_folder)
        browse = button(self.tr("Choose…"))
        browse.clicked.connect(self._browse)
        self.name = QLineEdit(p.record_name)
        self.name.textChanged.connect(self._show_example)
        self._example = label("", "small")
        self.annotated = QCheckBox(self.tr("With boxes and bars"))
        self.annotated.setChecked(p.record_annotated)
        self.clean = QCheckBox(self.tr("Clean video in a second file"))
        self.clean.setChecked(p.record_clean)
        self.audio = QCheckBox(self.tr("With the audio of a network stream"))
        self.audio.setChecked(p.record_audio)
        for box in (self.annotated, self.clean):
            box.toggled.connect(self._check)
        self.privacy = Choice()
        for value, text in (
            ("none", self.tr("Leave faces as they are")), ("blur", self.tr("Blur faces")),
            ("pixelate", self.tr("Pixelate faces")),
        ):  # fmt: skip
            self.privacy.addItem(text, value)
        self.privacy.setCurrentIndex(max(0, self.privacy.findData(p.record_privacy)))
        self.scope = Choice()
        self.scope.addItem(self.tr("of everyone"), "all")
        self.scope.addItem(self.tr("of everyone but the selected person"), "unselected")
        self.scope.setCurrentIndex(max(0, self.scope.findData(p.record_privacy_scope)))
        self.privacy.currentIndexChanged.connect(self._check)
        self.pre_roll = Choice()
        self.pre_roll.addItem(self.tr("No pre-roll"), 0.0)
        for seconds in (2.0, 5.0, 10.0, 20.0):
            self.pre_roll.addItem(tr("{seconds:.0f} seconds", seconds=seconds), seconds)
        self.pre_roll.setCurrentIndex(max(0, self.pre_roll.findData(p.record_pre_roll_s)))
        self.quality = Choice()
        for crf, text in ((17, self.tr("High")), (20, self.tr("Good")), (26, self.tr("Small files"))):
            self.quality.addItem(text, crf)
        self.quality.setCurrentIndex(max(0, self.quality.findData(p.record_crf)))
        privacy = column(
            row(self.privacy, self.scope),
            label(self.tr("Applied before anything is written; it cannot be undone."), "small"),
            spacing=4,
        )
        for text, field in (
            (self.tr("Folder"), self.folder), (self.tr("Name pattern"), self.name), (self.tr("Privacy"), self.privacy),
            (self.tr("Whose faces"), self.scope),
        ):  # fmt: skip
            field.setAccessibleName(text)
        videos = column(self.annotated, self.clean, self.audio, spacing=6)
        videos.setContentsMargins(0, 8, 0, 4)
        fields = form(
            (self.tr("Folder"), row(self.folder, browse)),
            (self.tr("Name"), column(self.name, self._example, spacing=4)),
            (self.tr("Videos"), videos),
            (self.tr("Privacy"), privacy),
            (self.tr("Pre-roll"), self.pre_roll),
            (self.tr("Quality"), self.quality),
        )
        self._ok = button(self.tr("Save"), kind="primary")
        self._ok.setDefault(True)
        self._ok.clicked.connect(self.accept)
        cancel = button(self.tr("Cancel"))
        cancel.clicked.connect(self.reject)
        body = column(
            label(self.tr("Recording options"), "title"),
            label(self.tr("A CSV and a JSON file with the predictions are saved next to every video."), "muted"),
            10,
            fields,
            14,
            row(0, cancel, self._ok),
        )
        body.setContentsMargins(28, 24, 28, 20)
        self.setLayout(body)
        self._show_example()

    def accept(self) -> None:
        p = self._p
        p.record_folder = self.folder.text().strip() or p.record_folder
        p.record_name = self.name.text().strip()
        p.record_annotated, p.record_clean = self.annotated.isChecked(), self.clean.isChecked()
        p.record_audio = self.audio.isChecked()
        p.record_privacy, p.record_privacy_scope = self.privacy.currentData(), self.scope.currentData()
        p.record_pre_roll_s, p.record_crf = self.pre_roll.currentData(), self.quality.currentData()
        super().accept()

    def _browse(self) -> None:
        folder = ask_folder(self, self.tr("Folder of recordings"), self.folder.text())
        if folder:
            self.folder.setText(folder)

    def _show_example(self) -> None:
        from mien.engine.recording.plan import file_name

        try:
            name = file_name(self.name.text(), now=datetime.now(), source="demo")
        except MienError as error:
            self._example.setText(str(error)[:1].upper() + str(error)[1:])
            self._ok.setEnabled(False)
            return
        self._check()
        self._example.setText(self.tr("{time} and {source} are filled in: {name}.mp4").format(
            time="{time}", source="{source}", name=name
        ))  # fmt: skip

    def _check(self) -> None:
        self._ok.setEnabled(self.annotated.isChecked() or self.clean.isChecked())
        self.scope.setEnabled(self.privacy.currentData() != "none")
