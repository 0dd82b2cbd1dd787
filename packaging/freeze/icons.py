"""Draws Mien's icon, the one of its window, in the forms that systems want: `python icons.py FOLDER`.

Needs the installed program and Pillow. Writes mien.svg, mien-SIZE.png, mien.ico (Windows) and mien.icns (macOS).
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

SIZES = (16, 24, 32, 48, 64, 128, 256, 512, 1024)


def main(folder: Path) -> None:
    os.environ["QT_QPA_PLATFORM"] = "offscreen"
    from PIL import Image
    from PySide6.QtCore import QByteArray, QRectF, Qt
    from PySide6.QtGui import QGuiApplication, QImage, QPainter
    from PySide6.QtSvg import QSvgRenderer

    from mien.app.gui.look.icons import _APP

    folder.mkdir(parents=True, exist_ok=True)
    (folder / "mien.svg").write_text(_APP + "\n", encoding="utf-8")
    _application = QGuiApplication([])
    for size in SIZES:
        image = QImage(size, size, QImage.Format.Format_ARGB32)
        image.fill(Qt.GlobalColor.transparent)
        painter = QPainter(image)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        QSvgRenderer(QByteArray(_APP.encode())).render(painter, QRectF(0, 0, size, size))
        painter.end()
        image.save(str(folder / f"mien-{size}.png"))
    largest = Image.open(folder / "mien-1024.png")
    largest.save(folder / "mien.ico", sizes=[(size, size) for size in SIZES if size <= 256])
    largest.save(folder / "mien.icns")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
