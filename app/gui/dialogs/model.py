"""Which model is used: what it is, how accurate, under which licence, and which provider runs it."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtWidgets import QDialog, QGridLayout, QListWidget, QListWidgetItem, QScrollArea, QWidget

from mien.app.embedded import embedded_bundle
from mien.app.gui.live.link import LiveLink
from mien.app.gui.look.file_dialogs import ask_file, ask_folder
from mien.app.gui.look.widgets import Choice, button, column, entry, label, line, row, tip
from mien.app.gui.preferences import Preferences
from mien.app.gui.tasks import Task
from mien.engine.errors import SettingsError
from mien.engine.inference.bundle import Bundle, Manifest, load_bundle
from mien.engine.inference.priors import Prior, read_expectation
from mien.engine.inference.typed_labels import TEXT_GRAPH, VOCABULARY, is_unvalidated, with_typed_labels
from mien.engine.language import tr
from mien.engine.settings import PROVIDERS

if TYPE_CHECKING:
    from mien.engine.live.status import LiveStatus

PROVIDER_NAMES = {
    "auto": "Auto", "tensorrt": "TensorRT", "cuda": "CUDA",
    "directml": "DirectML", "openvino": "OpenVINO", "coreml": "CoreML", "cpu": "CPU",
}  # fmt: skip
_ONLY_ON = {"directml": "win32", "coreml": "darwin"}


def is_offered(provider: str) -> bool:
    """Whether a provider can run on this system at all."""
    return _ONLY_ON.get(provider, sys.platform) == sys.platform


class ModelDialog(QDialog):
    """Lists the bundles used before, and chooses the one to run. Bundles are loaded in the background."""

    chosen = Signal(str, object, str, object)
    """What to run: folder ("" for the shipped model), `Bundle`, provider, labels file (a `Path` or None)."""

    def __init__(self, parent: QWidget, link: LiveLink, preferences: Preferences) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(self.tr("Model"))
        self.resize(820, 560)
        self._link, self._preferences = link, preferences
        self._bundle: Bundle | None = None
        self._list = QListWidget()
        self._list.setProperty("flat", True)
        self._list.setIconSize(QSize(18, 18))
        self._list.setFixedWidth(230)
        self._list.setAccessibleName(self.tr("Models"))
        opened = button(self.tr("Open a bundle…"), "folder", kind="pick")
        opened.clicked.connect(self._open_bundle)
        imported = button(self.tr("Import a checkpoint…"), "plus", kind="pick")
        imported.clicked.connect(self._import)
        self._title = label("", "title")
        self._about = label("", "muted", wrap=True)
        self._facts = QGridLayout()
        self._facts.setVerticalSpacing(8)
        self._facts.setHorizontalSpacing(20)
        self._facts.setColumnStretch(1, 1)
        inside = QWidget()
        inside.setLayout(column(self._title, self._about, 10, self._facts, 0, spacing=4))
        area = QScrollArea()
        area.setWidgetResizable(True)
        area.setProperty("flat", True)
        area.setWidget(inside)
        self._provider = Choice()
        self._provider.setAccessibleName(self.tr("Execution provider"))
        for name in PROVIDERS:
            if not is_offered(name) and name != preferences.provider:
                continue
            self._provider.addItem(PROVIDER_NAMES.get(name, name), name)
        self._provider.setCurrentIndex(max(0, self._provider.findData(preferences.provider)))
        self._expect = Choice()
        self._expect.setAccessibleName(self.tr("Expected frequencies"))
        for choice, title in (
            ("balanced", self.tr("Balanced")),
            ("as-trained", self.tr("As in the training data")),
            ("lab", self.tr("Lab: all expressions alike")),
        ):
            self._expect.addItem(title, choice)
        self._own = preferences.expect if self._expect.findData(preferences.expect) < 0 else ""
        if self._own:
            self._expect.addItem(Path(self._own).name, self._own)
        self._expect.addItem(self.tr("From a file…"), "")
        self._expect.setCurrentIndex(self._expect.findData(preferences.expect))
        self._expect.activated.connect(self._choose_expectation)
        tip(
            self._expect,
            self.tr(
                "How often each expression is expected. A model leans towards what was common in its training data; "
                "“balanced” takes part of that away, “lab” all of it, for studies that ask for each as often."
            ),
        )
        self._running = label("", "small", wrap=True)
        self._problem = label("", "danger", wrap=True)
        self._problem.hide()
        self._labels = button(self.tr("Zero-shot labels…"), "pencil")
        self._labels.clicked.connect(self._edit_labels)
        self._use = button(self.tr("Use this model"), kind="primary")
        self._use.setDefault(True)
        self._use.clicked.connect(self._use_it)
        close = button(self.tr("Close"))
        close.clicked.connect(self.reject)
        runs = row(label(self.tr("Runs on")), self._provider, self._running, spacing=10)
        runs.setStretch(2, 1)
        expects = row(label(self.tr("Expects")), self._expect, 0, spacing=10)
        right = column(
            area,
            self._problem,
            line(),
            expects,
            runs,
            row(self._labels, 0, close, self._use),
            spacing=12,
        )
        right.setStretch(0, 1)
        models = label(self.tr("MODELS"), "section")
        models.setContentsMargins(4, 0, 0, 0)
        left = column(models, self._list, opened, imported, spacing=6)
        body = row(left, right, spacing=24)
        body.setContentsMargins(16, 20, 24, 18)
        body.setStretch(1, 1)
        self.setLayout(body)
        self._fill()
        self._list.currentItemChanged.connect(self._show_item)
        self._list.setCurrentRow(self._row_in_use())
        link.status_changed.connect(self._show_status)
        if link.status is not None:
            self._show_status(link.status)

    def _fill(self) -> None:
        self._list.clear()
        p = self._preferences
        for path in ["", *p.models]:
            name = self.tr("Shipped with Mien") if not path else Path(path).name
            tip(entry(self._list, "model", name, path), path)

    def _row_in_use(self) -> int:
        for index in range(self._list.count()):
            if self._list.item(index).data(Qt.ItemDataRole.UserRole) == self._preferences.model:
                return index
        return 0

    def _show_item(self, item: QListWidgetItem | None) -> None:
        if item is None:
            return
        path = item.data(Qt.ItemDataRole.UserRole)
        self._use.setEnabled(False)
        self._labels.setEnabled(False)
        in_use = self._link.bundle
        if in_use is not None and path == self._preferences.model:
            self._show_bundle(path, in_use)
            return
        Task(
            self,
            lambda: load_bundle(Path(path) if path else embedded_bundle()),
            lambda bundle: self._show_bundle(path, bundle),
            lambda message: self._show_damaged(path, message),
        )

    def _show_damaged(self, path: str, message: str) -> None:
        if self._chosen_path() == path:
            self._title.setText(Path(path).name)
            self._about.setText("")
            self._fill_facts([])
            self._complain(message)

    def _show_bundle(self, path: str, bundle: Bundle) -> None:
        if self._chosen_path() != path:
            return
        self._problem.hide()
        self._bundle = bundle
        m = bundle.manifest
        self._title.setText(f"{m.name} {m.version}".strip())
        self._about.setText(
            tr(
                "Window length {window:g} s: {steps} frames of each face, {size} × {size} pixels.",
                steps=m.steps,
                window=m.window_s,
                size=m.size,
            )
        )
        labels = ", ".join(m.labels)
        if is_unvalidated(m):
            labels = self.tr("{labels} (zero-shot, unvalidated)").format(labels=labels)
        self._fill_facts([
            (self.tr("Labels"), labels),
            *_measured(m),
            (self.tr("Licence"), m.licence or self.tr("not stated")),
            (self.tr("Made from"), str(m.provenance.get("data") or m.provenance.get("checkpoint") or "") or "—"),
            (self.tr("Zero-shot labels"), self.tr("supported") if _has_text(m) else self.tr("not supported")),
            (self.tr("Folder"), str(bundle.path)),
            ("SHA-256", f"{bundle.sha256[:16]}…"),
        ])  # fmt: skip
        self._use.setEnabled(True)
        self._labels.setEnabled(_has_text(m))
        # What a model was trained on it has to say itself; else there is nothing to divide out.
        self._expect.setEnabled(m.class_prior is not None)
        self._labels.setToolTip("" if _has_text(m) else self.tr("This model has no text encoder."))

    def _fill_facts(self, facts: list[tuple[str, str]]) -> None:
        while self._facts.count():
            item = self._facts.takeAt(0)
            field = None if item is None else item.widget()
            if field is not None:
                field.deleteLater()
        for number, (name, text) in enumerate(facts):
            value = label(text, wrap=True)
            value.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            self._facts.addWidget(label(name, "muted"), number, 0, Qt.AlignmentFlag.AlignTop)
            self._facts.addWidget(value, number, 1)

    def _chosen_path(self) -> str:
        item = self._list.currentItem()
        return "" if item is None else str(item.data(Qt.ItemDataRole.UserRole))

    def _choose_expectation(self) -> None:
        """Where "From a file" was chosen, ask for the file, and show its name in its place."""
        if self._expect.currentData():
            return
        file = ask_file(self, self.tr("Expected frequencies"), self.tr("TOML files (*.toml)"))
        if file:
            try:
                weights = read_expectation(file)
                if self._bundle is not None:
                    Prior.of(self._bundle.manifest).weights(weights)
            except SettingsError as error:
                self._complain(str(error))
                file = ""
        if file and self._expect.findData(file) < 0:
            self._expect.insertItem(self._expect.count() - 1, Path(file).name, file)
        self._expect.setCurrentIndex(self._expect.findData(file or self._preferences.expect))

    def _use_it(self) -> None:
        if self._bundle is not None:
            self._preferences.expect = self._expect.currentData()
            self.chosen.emit(self._chosen_path(), self._bundle, self._provider.currentData(), None)

    def _show_status(self, status: LiveStatus) -> None:
        if status.model_state == "loading":
            text = status.model_message[:1].upper() + status.model_message[1:] + "…"
        else:
            running = status.provider.removesuffix("ExecutionProvider") or "—"
            text = self.tr("Running now: {model} on {provider}").format(model=status.model, provider=running)
        self._running.setText(text)
        if status.model_state == "failed" and status.model_message:
            self._complain(status.model_message)

    def _complain(self, text: str) -> None:
        self._problem.setText(text[:1].upper() + text[1:])
        self._problem.show()

    def _open_bundle(self) -> None:
        self.open_bundle(ask_folder(self, self.tr("Folder of a model bundle")))

    def open_bundle(self, folder: str) -> None:
        """Load the bundle in `folder` and show it."""
        if not folder:
            return

        def loaded(bundle: Bundle) -> None:
            p = self._preferences
            p.models = [folder, *(item for item in p.models if item != folder)][:8]
            self._fill()
            self._list.setCurrentRow(1)

        Task(self, lambda: load_bundle(Path(folder)), loaded, self._complain)

    def _import(self) -> None:
        if find_spec("torch") is None or find_spec("open_clip") is None:
            self._complain(self.tr("Importing needs torch; install it with pip install 'mien[train]', then try again."))
            return
        from mien.app.gui.dialogs.model_import import ModelImport

        dialog = ModelImport(self)
        if dialog.exec():
            self.open_bundle(str(dialog.bundle))
        dialog.deleteLater()

    def _edit_labels(self) -> None:
        if self._bundle is None:
            return
        from mien.app.gui.dialogs.labels import LabelsDialog

        dialog = LabelsDialog(self, self._bundle.manifest)
        if dialog.exec():
            path = self._chosen_path()
            if dialog.file is None:
                self._take_labels(path, None)
            else:
                self._take_labels(path, dialog.file)
        dialog.deleteLater()

    def _take_labels(self, path: str, file: Path | None) -> None:
        """Encode zero-shot labels in the background, then run the model with them; None: with its own labels."""
        folder = Path(path) if path else embedded_bundle()
        provider = self._provider.currentData()

        def work() -> Bundle:
            bundle = load_bundle(folder)
            return bundle if file is None else with_typed_labels(bundle, file, provider=provider)

        def done(bundle: Bundle) -> None:
            self.chosen.emit(path, bundle, provider, file)
            self._show_bundle(path, bundle)

        self._running.setText(self.tr("Encoding the labels…"))
        Task(self, work, done, self._complain)


def _has_text(manifest: Manifest) -> bool:
    return TEXT_GRAPH in manifest.files and VOCABULARY in manifest.files


def _measured(manifest: Manifest) -> list[tuple[str, str]]:
    """Rows about the measured accuracy."""
    found = []
    for name, numbers in manifest.metrics.items():
        if not isinstance(numbers, dict) or "war" not in numbers:
            continue
        text = tr(
            "{war:.1%} accuracy (WAR); {uar:.1%} averaged over labels (UAR)",
            war=float(numbers["war"]),
            uar=float(numbers.get("uar", "nan")),
        )
        found.append((tr("Measured on {name}").format(name=name), text))
    return found[:2] or [(tr("Accuracy"), tr("not measured"))]
