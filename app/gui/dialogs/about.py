"""What Mien is, and what it is built with."""

from __future__ import annotations

from importlib import metadata

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDialog, QLabel, QTextBrowser, QWidget

from mien.app.gui.look.icons import app_icon
from mien.app.gui.look.widgets import button, column, label, row
from mien.engine import version

_BUILT_WITH = (
    ("PySide6-Essentials", "Qt for Python", "LGPL-3.0"),
    ("mediapipe", "MediaPipe, BlazeFace", "Apache-2.0"),
    ("onnxruntime", "ONNX Runtime", "MIT"),
    ("onnxruntime-gpu", "ONNX Runtime (GPU)", "MIT"),
    ("opencv-contrib-python", "OpenCV", "Apache-2.0"),
    ("av", "PyAV", "BSD-3-Clause"),
    ("", "FFmpeg, x264 (inside PyAV)", "LGPL-2.1, GPL-2.0"),
    ("numpy", "NumPy", "BSD-3-Clause"),
    ("platformdirs", "platformdirs", "MIT"),
    ("click", "click", "BSD-3-Clause"),
)


class About(QDialog):
    """Version, licence, libraries."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(self.tr("About Mien"))
        self.resize(520, 520)
        image = QLabel()
        image.setPixmap(app_icon().pixmap(56, 56))
        name = column(
            label("Mien", "title"),
            label(self.tr("Version {version} · Apache licence 2.0").format(version=version()), "muted"),
            spacing=2,
        )
        text = QTextBrowser()
        text.setOpenExternalLinks(True)
        text.setProperty("flat", True)
        wide = "style='padding: 3px 18px 3px 0'"
        rows = "".join(
            f"<tr><td {wide}>{title}</td><td {wide}>{_version(package)}</td><td {wide}>{licence}</td></tr>"
            for package, title, licence in _BUILT_WITH
            if not package or _version(package)
        )
        text.setHtml(
            "<p>" + self.tr("Reads facial expressions live: what a face shows, not what a person feels.") + "</p>"
            "<p><b>" + self.tr("Built with") + f"</b></p><table>{rows}</table>"
            "<p><b>" + self.tr("The shipped model") + "</b></p><p>"
            + self.tr("Trained on FER2013 images with the FER+ votes (MIT). See its card for its accuracy.") + "</p>"
            "<p><b>" + self.tr("The portrait in the demo") + "</b></p><p>"
            + self.tr("Grace Hopper, photograph of the US Navy, public domain.") + "</p>"
        )  # fmt: skip
        close = button(self.tr("Close"), kind="primary")
        close.setDefault(True)
        close.clicked.connect(self.accept)
        body = column(row(image, name, 0, spacing=16), 6, text, row(0, close), spacing=10)
        body.setContentsMargins(28, 24, 28, 20)
        self.setLayout(body)


def _version(package: str) -> str:
    try:
        return metadata.version(package) if package else ""
    except metadata.PackageNotFoundError:
        return ""
