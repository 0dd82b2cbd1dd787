"""What is chosen once and kept: looks, detection, folders, devices. Written as soon as it is accepted."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

from PySide6.QtCore import QSize, Qt
from PySide6.QtWidgets import (
    QCheckBox,
    QDialog,
    QDoubleSpinBox,
    QHBoxLayout,
    QLineEdit,
    QScrollArea,
    QSpinBox,
    QTabWidget,
    QWidget,
)

from mien.app.gui.dialogs.model import PROVIDER_NAMES, is_offered
from mien.app.gui.look.file_dialogs import ask_folder
from mien.app.gui.look.theme import CHOICES
from mien.app.gui.look.widgets import Choice, button, column, form, label, padded, row
from mien.app.gui.preferences import Preferences
from mien.engine.language import LANGUAGES
from mien.engine.measures import COLUMN_GROUPS, FACE_LAYERS
from mien.engine.settings import OVERLAY_LOOKS, PROVIDERS

if TYPE_CHECKING:
    from PySide6.QtWidgets import QGridLayout


class PreferencesDialog(QDialog):
    """Changes the preferences when accepted; `engine_changed` says whether the engine has to be set up anew for it."""

    def __init__(self, parent: QWidget, preferences: Preferences) -> None:
        super().__init__(parent)
        self.setWindowTitle(self.tr("Preferences"))
        self.setMinimumHeight(380)
        self.resize(580, 460)
        self._p = preferences
        self.engine_changed = False
        pages = QTabWidget()
        pages.addTab(_page(self._looks()), self.tr("View"))
        pages.addTab(_page(self._detection()), self.tr("Detection"))
        pages.addTab(_page(self._faces()), self.tr("Faces"))
        pages.addTab(_page(self._folders()), self.tr("Folders"))
        pages.addTab(_page(self._devices()), self.tr("Devices"))
        ok = button(self.tr("Save"), kind="primary")
        ok.setDefault(True)
        ok.clicked.connect(self.accept)
        cancel = button(self.tr("Cancel"))
        cancel.clicked.connect(self.reject)
        body = column(label(self.tr("Preferences"), "title"), pages, row(0, cancel, ok), spacing=12)
        body.setContentsMargins(24, 20, 24, 16)
        body.setStretch(1, 1)
        self.setLayout(body)

    def _looks(self) -> QGridLayout:
        p = self._p
        self.theme = _choice(
            p.theme,
            dict(zip(CHOICES, (
                self.tr("As the system"), self.tr("Light"), self.tr("Dark"), self.tr("High contrast, light"),
                self.tr("High contrast, dark"),
            ), strict=True)),
        )  # fmt: skip
        self.overlay = QCheckBox(self.tr("Draw boxes and bars"))
        self.overlay.setChecked(p.overlay)
        self.look = _choice(
            p.overlay_look,
            dict(zip(OVERLAY_LOOKS, (
                self.tr("Compact: name, label, one bar"), self.tr("All bars"), self.tr("Name and label"),
                self.tr("Nothing"),
            ), strict=True)),
        )  # fmt: skip
        self.letters = padded(QDoubleSpinBox())
        self.letters.setRange(0.5, 3.0)
        self.letters.setSingleStep(0.1)
        self.letters.setSuffix(" ×")
        self.letters.setValue(p.overlay_font)
        self.privacy = _choice(
            p.screen_privacy,
            {"none": self.tr("As they are"), "blur": self.tr("Blurred"), "pixelate": self.tr("Pixelated")},
        )
        self.language = _choice(p.language, {"": self.tr("As the system"), **LANGUAGES})
        later = label(self.tr("Takes effect when Mien is started again."), "small", wrap=True)
        later.hide()
        self.language.currentIndexChanged.connect(lambda: later.setVisible(self.language.currentData() != p.language))
        return form(
            (self.tr("Language"), column(self.language, later, spacing=4)),
            (self.tr("Theme"), self.theme),
            (self.tr("Overlay"), self.overlay),
            (self.tr("Look of the overlay"), self.look),
            (self.tr("Size of its letters"), self.letters),
            (self.tr("Faces on screen"), self.privacy),
        )

    def _detection(self) -> QGridLayout:
        p = self._p
        self.range = _choice(
            p.detector_range,
            {
                "auto": self.tr("Near and far"),
                "short": self.tr("Near: up to two metres"),
                "full": self.tr("Far: up to five metres"),
                "tiles": self.tr("Very small faces (slow)"),
            },
        )
        self.score = padded(QDoubleSpinBox())
        self.score.setRange(0.05, 1.0)
        self.score.setSingleStep(0.05)
        self.score.setValue(p.min_score)
        self.faces = padded(QSpinBox())
        self.faces.setRange(1, 64)
        self.faces.setValue(p.max_faces)
        self.occlusion = padded(QDoubleSpinBox())
        self.occlusion.setRange(0.0, 10.0)
        self.occlusion.setSingleStep(0.5)
        self.occlusion.setSuffix(" s")
        self.occlusion.setValue(p.occlusion_s)
        return form(
            (self.tr("Distance"), self.range),
            (self.tr("Smallest confidence of a face"), self.score),
            (self.tr("Most faces at once"), self.faces),
            (self.tr("A hidden face keeps its id for"), self.occlusion),
        )

    def _faces(self) -> QGridLayout:
        p = self._p
        self.measure = QCheckBox(self.tr("Measure head pose, gaze, eyes, mouth and blendshapes"))
        self.measure.setChecked(p.measure_faces)
        told = self.tr("Takes MediaPipe's face landmarker, downloaded once (3.8 MB), and more of the processor.")
        self.layers = {name: QCheckBox(text) for name, text in zip(FACE_LAYERS, (
            self.tr("Mesh of the landmarks"), self.tr("Contours of eyes, brows, lips and face"),
            self.tr("Axes of the head"), self.tr("Gaze"),
        ), strict=True)}  # fmt: skip
        self.columns = {name: QCheckBox(text) for name, text in zip(COLUMN_GROUPS[1:], (
            self.tr("Valence, derived from expressions"), self.tr("Head pose"), self.tr("Gaze"),
            self.tr("Eyes and blinks"), self.tr("Mouth and speaking"), self.tr("Blendshapes"),
            self.tr("Landmarks, in a Parquet file"),
        ), strict=True)}  # fmt: skip
        if find_spec("pyarrow") is None:
            self.columns["landmarks"].setEnabled(False)
            self.columns["landmarks"].setToolTip(self.tr("Takes pyarrow: pip install 'mien[parquet]'"))
        for name, box in self.layers.items():
            box.setChecked(name in p.face_layers)
        for group, box in self.columns.items():
            box.setChecked(group in p.face_columns and box.isEnabled())
        self.columns["pose"].setToolTip(self.tr("Always written where faces are measured"))
        self.valence = QCheckBox(self.tr("Show valence in the chart"))
        self.valence.setChecked(p.chart_valence)
        drawn, written = column(*self.layers.values(), spacing=6), column(*self.columns.values(), spacing=6)
        every = [*self.layers.values(), *self.columns.values()]

        def switch(on: bool) -> None:
            for box in every:
                box.setEnabled(on and (box is not self.columns["landmarks"] or find_spec("pyarrow") is not None))

        self.measure.toggled.connect(switch)
        switch(p.measure_faces)
        return form(
            (self.tr("Faces"), column(self.measure, label(told, "small", wrap=True), spacing=4)),
            (self.tr("Draw"), drawn),
            (self.tr("Write"), written),
            (self.tr("Chart"), self.valence),
        )

    def _folders(self) -> QGridLayout:
        p = self._p
        self.recordings, recordings = self._folder(p.record_folder, self.tr("Recordings"))
        self.snapshots, snapshots = self._folder(p.snapshot_folder, self.tr("Snapshots"))
        self.annotated, annotated = self._folder(p.jobs_folder, self.tr("Annotated files"))
        self.annotated.setPlaceholderText(self.tr("next to each video"))
        return form(
            (self.tr("Recordings"), recordings), (self.tr("Snapshots"), snapshots),
            (self.tr("Annotated files"), annotated),
        )  # fmt: skip

    def _devices(self) -> QGridLayout:
        from mien.app.gui.dialogs.microphone import MicrophoneChoice

        p = self._p
        self.provider = _choice(p.provider, {
            name: PROVIDER_NAMES.get(name, name) for name in PROVIDERS if is_offered(name) or name == p.provider
        })  # fmt: skip
        self.microphone = MicrophoneChoice(p.microphone)
        return form((self.tr("Model runs on"), self.provider), (self.tr("Microphone with cameras"), self.microphone))

    def _folder(self, path: str, name: str) -> tuple[QLineEdit, QHBoxLayout]:
        field = QLineEdit(path)
        field.setAccessibleName(name)
        browse = button(self.tr("Choose…"))
        browse.setAccessibleName(self.tr("Choose the folder: {name}").format(name=name))

        def ask() -> None:
            folder = ask_folder(self, name, field.text())
            if folder:
                field.setText(folder)

        browse.clicked.connect(ask)
        line = row(field, browse)
        line.setStretch(0, 1)
        return field, line

    def accept(self) -> None:
        p = self._p
        before = p.settings(), p.microphone
        p.keep(
            theme=self.theme.currentData(), language=self.language.currentData(), overlay=self.overlay.isChecked(),
            overlay_look=self.look.currentData(), overlay_font=round(self.letters.value(), 2),
            screen_privacy=self.privacy.currentData(), detector_range=self.range.currentData(),
            min_score=round(self.score.value(), 2), max_faces=self.faces.value(),
            occlusion_s=round(self.occlusion.value(), 2),
            record_folder=self.recordings.text().strip() or p.record_folder,
            snapshot_folder=self.snapshots.text().strip() or p.snapshot_folder,
            measure_faces=self.measure.isChecked(), chart_valence=self.valence.isChecked(),
            face_layers=[name for name, box in self.layers.items() if box.isChecked()],
            face_columns=[name for name, box in self.columns.items() if box.isChecked()],
            jobs_folder=self.annotated.text().strip(), provider=self.provider.currentData(),
            microphone=self.microphone.chosen,
        )  # fmt: skip
        self.engine_changed = (p.settings(), p.microphone) != before
        self.microphone.close_meter()
        super().accept()

    def reject(self) -> None:
        self.microphone.close_meter()
        super().reject()


class _Page(QScrollArea):
    """Scrolls up and down only: it is never narrower than what is in it."""

    def minimumSizeHint(self) -> QSize:
        hint = super().minimumSizeHint()
        inside = self.widget()
        wide = 0 if inside is None else inside.minimumSizeHint().width() + self.verticalScrollBar().sizeHint().width()
        return QSize(max(hint.width(), wide + 2 * self.frameWidth()), hint.height())


def _page(fields: QGridLayout) -> QScrollArea:
    inside = QWidget()
    body = column(fields, 0)
    body.setContentsMargins(4, 16, 12, 8)
    inside.setLayout(body)
    area = _Page()
    area.setWidgetResizable(True)
    area.setProperty("flat", True)
    area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    area.setWidget(inside)
    return area


def _choice(chosen: str, texts: dict[str, str]) -> Choice:
    made = Choice()
    for value, text in texts.items():
        made.addItem(text, value)
    made.setCurrentIndex(max(0, made.findData(chosen)))
    return made
