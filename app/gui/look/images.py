"""Images on disk."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QBuffer, QIODevice
from PySide6.QtGui import QImage

from mien.engine.disk import write_whole


def save_png(image: QImage, path: Path) -> None:
    """Write `image` as a PNG, all of it or nothing.

    Raises:
        OSError: it cannot be written. Qt itself says nothing of a full disk.
    """
    buffer = QBuffer()
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    if not image.save(buffer, "PNG"):  # type: ignore[call-overload]
        raise OSError(0, "the image cannot be encoded", str(path))
    write_whole(path, bytes(buffer.data().data()))
