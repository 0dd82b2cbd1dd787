"""Files and pictures in the live window: seek bar, pause, replay, loop, speed."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, Qt

from tests.videos import portrait, write_video


@pytest.fixture
def film(tmp_path: Path) -> Path:
    """Six seconds of a face."""
    return write_video(tmp_path / "film.mp4", portrait(150))


def place(window) -> float:
    return window.link.playback.now.position_s


def test_a_file_is_played_sought_and_played_again(open_window, qtbot, film: Path) -> None:
    window = open_window(str(film))
    qtbot.waitUntil(lambda: window.player.isVisible() and place(window) > 0, timeout=40_000)
    window.canvas.setFocus()
    qtbot.keyClick(window, Qt.Key.Key_Space)
    qtbot.waitUntil(lambda: window.link.playback.now.paused, timeout=5_000)
    assert window.actions_by_name["pause"].isChecked()
    bar = window.player.bar
    qtbot.mouseClick(bar, Qt.MouseButton.LeftButton, pos=QPoint(8 + (bar.width() - 16) // 2, bar.height() // 2))
    qtbot.waitUntil(lambda: place(window) == pytest.approx(3.0, abs=0.1), timeout=20_000)
    qtbot.waitUntil(lambda: window.canvas.view.scene.frame.shot == 1, timeout=20_000)
    bar.setFocus()
    qtbot.keyClick(bar, Qt.Key.Key_Right)
    qtbot.waitUntil(lambda: place(window) == pytest.approx(4.0, abs=0.1), timeout=20_000)
    qtbot.keyClick(bar, Qt.Key.Key_End)
    qtbot.keyClick(bar, Qt.Key.Key_Space)
    qtbot.waitUntil(lambda: window.link.playback.now.ended, timeout=20_000)
    assert window.canvas.view is not None  # the last frame stays
    qtbot.keyClick(window, Qt.Key.Key_Space)
    qtbot.waitUntil(lambda: not window.link.playback.now.ended and place(window) < 3, timeout=20_000)


def test_loop_and_speed_by_key(open_window, qtbot, film: Path) -> None:
    window = open_window(str(film))
    qtbot.waitUntil(lambda: window.player.isVisible(), timeout=40_000)
    window.canvas.setFocus()
    qtbot.keyClick(window, Qt.Key.Key_L)
    for _ in range(4):
        qtbot.keyClick(window, Qt.Key.Key_Period)
    state = window.link.playback.now
    assert (state.loop, state.speed) == (True, 4.0)
    qtbot.waitUntil(lambda: window.canvas.view.scene.frame.shot >= 2, timeout=40_000)
    window.sources.open_text("demo")
    qtbot.waitUntil(lambda: window.player.isHidden(), timeout=20_000)
    assert not window.actions_by_name["loop"].isChecked()
    assert not window.actions_by_name["faster"].isEnabled()


def test_a_folder_of_pictures_is_shown(open_window, qtbot, tmp_path: Path) -> None:
    import cv2

    folder = tmp_path / "pictures"
    folder.mkdir()
    for number, image in enumerate(portrait(100, width=640, height=480)[::50]):
        cv2.imwrite(str(folder / f"{number}.jpg"), cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    window = open_window(str(folder))
    qtbot.waitUntil(lambda: window.people.selected.prediction is not None, timeout=60_000)
    assert window.link.playback.now.length_s == pytest.approx(6.0)
    window.player.seek(4.0)
    qtbot.waitUntil(lambda: window.canvas.view.scene.frame.shot >= 1, timeout=20_000)
    qtbot.waitUntil(lambda: min(window.people.persons, default=0) >= 2, timeout=20_000)
    assert window.people.suggestion is None
