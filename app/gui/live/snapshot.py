"""Saves a frame as it is on the screen."""

from __future__ import annotations

import time
from pathlib import Path

from PySide6.QtCore import QCoreApplication
from PySide6.QtGui import QImage

from mien.app.gui.look.images import save_png
from mien.app.gui.look.notice import Notice
from mien.app.gui.look.widgets import open_folder


def _tr(text: str) -> str:
    return QCoreApplication.translate("Snapshot", text)


def save_snapshot(image: QImage, folder: Path, notice: Notice) -> None:
    """Write `image` as a PNG into `folder`, and say in `notice` how that went."""
    now = time.time()
    stamp = time.strftime("%Y-%m-%d %H-%M-%S", time.localtime(now)) + f"-{int(now * 1000) % 1000:03d}"
    path = folder / f"mien {stamp}.png"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        save_png(image, path)
        saved = True
    except OSError:
        saved = False
    if saved:
        notice.say(
            _tr("Saved {name}.").format(name=path.name), key="snapshot", kind="check", seconds=6,
            action=(_tr("Open folder"), lambda: open_folder(folder)),
        )  # fmt: skip
    else:
        notice.say(_tr("{path} cannot be written; choose another folder.").format(path=path), kind="warning")
