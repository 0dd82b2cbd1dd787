"""What Mien is, and what it is built with."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from importlib import metadata

from PySide6.QtCore import Qt, QUrl
from PySide6.QtWidgets import QDialog, QLabel, QTextBrowser, QWidget

from mien.app.gui.look.icons import app_icon
from mien.app.gui.look.widgets import button, column, label, row
from mien.app.installed import licences
from mien.engine import version

_BUILT_WITH = (
    ("PySide6-Essentials", "Qt for Python", "LGPL-3.0"),
    ("mediapipe", "MediaPipe, BlazeFace", "Apache-2.0"),
    ("onnxruntime", "ONNX Runtime", "MIT"),
    ("onnxruntime-gpu", "ONNX Runtime (GPU)", "MIT"),
    ("opencv-contrib-python", "OpenCV", "Apache-2.0"),
    ("opencv-python-headless", "OpenCV", "Apache-2.0"),
    ("av", "PyAV", "BSD-3-Clause"),
    ("", "FFmpeg (inside PyAV)", "LGPL-3.0-or-later"),
    ("", "x264, x265 (inside PyAV)", "GPL-2.0-or-later"),
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
        shipped = licences()
        if shipped is None:
            rows = _table((title, _version(name), licence) for name, title, licence in _BUILT_WITH if _there(name))
            notice = self.tr(
                "Mien's source is under the Apache licence 2.0. PyAV's wheels hold x264 and x265: whoever passes Mien "
                "on together with them does so under the GNU GPL, version 3 or later."
            )
        else:
            rows = _table((work.name, work.version, work.licence) for work in shipped.works)
            notice = self.tr(
                "Mien's source is under the Apache licence 2.0. This installed program holds x264 and x265, so as a "
                "whole it is passed on under the GNU GPL, version 3 or later, without any warranty. {link} holds all "
                "licences and says where the source of each part is. What you record is yours."
            ).format(link=_link(QUrl.fromLocalFile(str(shipped.page)), self.tr("The list of licences")))
            notice += f"</p><p>FFmpeg: <small>{escape(shipped.ffmpeg)}</small>"
        text.setHtml(
            "<p>" + self.tr("Reads facial expressions live: what a face shows, not what a person feels.") + "</p>"
            "<p><b>" + self.tr("Licence") + f"</b></p><p>{notice}</p>"
            "<p><b>" + self.tr("Built with") + f"</b></p>{rows}"
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


def _table(rows: Iterable[tuple[str, str, str]]) -> str:
    wide = "style='padding: 3px 18px 3px 0'"
    cells = ("".join(f"<td {wide}>{escape(text)}</td>" for text in row) for row in rows)
    return "<table>" + "".join(f"<tr>{row}</tr>" for row in cells) + "</table>"


def _link(address: QUrl, text: str) -> str:
    return f'<a href="{address.toString(QUrl.ComponentFormattingOption.FullyEncoded)}">{escape(text)}</a>'


def _there(package: str) -> bool:
    return not package or bool(_version(package))


def _version(package: str) -> str:
    try:
        return metadata.version(package) if package else ""
    except metadata.PackageNotFoundError:
        return ""
