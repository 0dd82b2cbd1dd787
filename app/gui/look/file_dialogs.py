"""Choosing files and folders."""

from __future__ import annotations

from PySide6.QtCore import QCoreApplication
from PySide6.QtWidgets import QFileDialog, QWidget

from mien.engine.batch.inputs import VIDEO_SUFFIXES
from mien.engine.sources.stills import PICTURE_SUFFIXES


def _tr(text: str) -> str:
    return QCoreApplication.translate("Files", text)


def _filter() -> str:
    videos = " ".join(f"*{suffix}" for suffix in sorted(VIDEO_SUFFIXES))
    return f"{_tr('Videos')} ({videos});;{_tr('All files')} (*)"


def ask_video(parent: QWidget) -> str:
    """The path of a video or a picture, "" when the user changed their mind."""
    videos = " ".join(f"*{suffix}" for suffix in sorted(VIDEO_SUFFIXES))
    pictures = " ".join(f"*{suffix}" for suffix in sorted(PICTURE_SUFFIXES))
    kinds = f"{_tr('Videos and pictures')} ({videos} {pictures});;{_tr('All files')} (*)"
    return QFileDialog.getOpenFileName(parent, _tr("Open a file"), "", kinds)[0]


def ask_videos(parent: QWidget) -> list[str]:
    """Paths of videos."""
    return QFileDialog.getOpenFileNames(parent, _tr("Videos to annotate"), "", _filter())[0]


def ask_folder(parent: QWidget, title: str, start: str = "") -> str:
    """The path of a folder."""
    return QFileDialog.getExistingDirectory(parent, title, start)


def ask_file(parent: QWidget, title: str, kinds: str) -> str:
    """The path of a file of one of `kinds`."""
    return QFileDialog.getOpenFileName(parent, title, "", kinds)[0]


def ask_recording(parent: QWidget, start: str) -> str:
    """The path of a recorded session."""
    return QFileDialog.getOpenFileName(parent, _tr("Review a recording"), start, f"{_tr('Recordings')} (*.mp4 *.csv)")[
        0
    ]


def ask_save(parent: QWidget, title: str, start: str, kinds: str) -> str:
    """Where to write a file."""
    return QFileDialog.getSaveFileName(parent, title, start, kinds)[0]
