"""Live outputs in the window: added, switched, tested and removed with the keyboard; remembered without secrets."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("websockets")

from PySide6.QtCore import Qt

from mien.app.gui import preferences
from mien.app.gui.dialogs.outputs import OutputsDialog
from mien.app.gui.live.outputs import GOOD, WAITING, menu_text
from tests.engine.outputs.scenes import free_port

LSL_SENDER = Path(__file__).parent.parent / "engine" / "outputs" / "lsl_sender.py"


def dialog_of(window, qtbot) -> OutputsDialog:
    window.actions_by_name["outputs"].trigger()
    return next(child for child in window.findChildren(OutputsDialog) if child.isVisible())


def remembered() -> list[str]:
    return json.loads((preferences.folder() / preferences.FILE).read_text(encoding="utf-8"))["outputs"]


def test_an_output_is_added_tested_and_removed_by_keyboard(open_window: Callable, qtbot, tmp_path: Path) -> None:
    window = open_window()
    dialog = dialog_of(window, qtbot)
    file = tmp_path / "out.jsonl"
    dialog.kind.setCurrentIndex(dialog.kind.findData("json"))
    dialog.target.setFocus()
    qtbot.keyClicks(dialog.target, str(file))
    qtbot.keyClick(dialog.target, Qt.Key.Key_Return)
    (line,) = dialog.rows()
    qtbot.waitUntil(lambda: line.one.status.sent > 3, timeout=20_000)
    qtbot.waitUntil(lambda: " sent" in line.state and line.one.light == GOOD)
    assert len(file.read_text().splitlines()) >= 3
    assert remembered() == [f"on json {file}"]
    line.test.setFocus()
    qtbot.keyClick(line.test, Qt.Key.Key_Return)
    line.on.setFocus()
    qtbot.keyClick(line.on, Qt.Key.Key_Space)
    assert remembered() == [f"off json {file}"] and line.one.stage is None
    qtbot.waitUntil(lambda: not window.link.session.outputs.stages, timeout=10_000)
    line.remove.setFocus()
    qtbot.keyClick(line.remove, Qt.Key.Key_Space)
    assert dialog.rows() == [] and remembered() == []


def test_what_cannot_be_is_said_in_the_dialog(open_window: Callable, qtbot) -> None:
    window = open_window()
    dialog = dialog_of(window, qtbot)
    for kind, target, says in (
        ("json", "", "Give a target"), ("publish", "http://a.example/x", "Publish: write the address"),
        ("ws", "here", "HOST:PORT"),
    ):  # fmt: skip
        dialog.kind.setCurrentIndex(dialog.kind.findData(kind))
        dialog.target.setText(target)
        dialog.add_button.click()
        assert says in dialog._problem.text() and dialog._problem.isVisible()
    assert dialog.rows() == [] and window.outputs.chosen == []


def test_a_taken_port_shows_a_light_and_comes_later(open_window: Callable, qtbot) -> None:
    window = open_window()
    with socket.create_server(("127.0.0.1", 0)) as other:
        one = window.outputs.add("ws", str(other.getsockname()[1]))
        assert one.light == WAITING and "is in use" in one.message
        menu = window.menus.outputs
        menu.aboutToShow.emit()
        assert any("WebSocket" in entry.text() and entry.isChecked() for entry in menu.actions())
    qtbot.waitUntil(lambda: one.light == GOOD, timeout=20_000)
    dialog = dialog_of(window, qtbot)
    (line,) = dialog.rows()
    qtbot.waitUntil(lambda: line.open.isVisible(), timeout=10_000)
    line.copy.click()
    from PySide6.QtGui import QGuiApplication

    with urllib.request.urlopen(QGuiApplication.clipboard().text(), timeout=10) as got:
        assert got.status == 200
    assert "token" not in menu_text(one) and "token" not in line.state


def test_choices_are_remembered_and_secrets_are_not(open_window: Callable, qtbot) -> None:
    port = free_port()
    kept = [f"on ws {port}", "off osc 127.0.0.1:9000", "nonsense", "on nothing 1"]
    window = open_window(outputs=kept)
    ws = window.outputs.chosen[0]
    qtbot.waitUntil(lambda: ws.stage is not None and ws.status.sent > 2, timeout=20_000)
    assert [one.kind for one in window.outputs.chosen] == ["ws", "osc", "nothing"]
    assert window.outputs.chosen[1].stage is None
    assert "not known" in window.outputs.chosen[2].problem
    window.outputs.add("publish", "rtmp://127.0.0.1:1/live2/abcd-efgh-key")
    text = (preferences.folder() / preferences.FILE).read_text(encoding="utf-8")
    assert "abcd" not in text and "rtmp://127.0.0.1:1" in text
    assert remembered()[-1].startswith("off publish")  # it would go nowhere without its key
    token = ws.stage.address().partition("token=")[2]
    assert len(token) > 16 and token not in text


def test_pictures_are_covered_as_on_the_screen(open_window: Callable, qtbot) -> None:
    window = open_window(screen_privacy="none", record_privacy="pixelate")
    qtbot.waitUntil(lambda: window.link.session.outputs.look().privacy == "pixelate", timeout=10_000)
    window.set_screen_privacy("blur")
    qtbot.waitUntil(lambda: window.link.session.outputs.look().privacy == "blur", timeout=10_000)


def test_markers_of_other_programs_are_set_when_asked_for(open_window: Callable, qtbot) -> None:
    pytest.importorskip("pylsl", reason="pylsl is not installed; pip install 'mien[lsl]'")
    window = open_window()
    dialog = dialog_of(window, qtbot)
    assert not dialog.markers.isChecked() and window.outputs.markers is None
    dialog.markers.setFocus()
    qtbot.keyClick(dialog.markers, Qt.Key.Key_Space)
    qtbot.waitUntil(lambda: window.outputs.markers is not None, timeout=20_000)
    sender = subprocess.Popen(
        [sys.executable, str(LSL_SENDER), f"stimulus {os.getpid()}"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert sender.stdout is not None and sender.stdin is not None
        assert sender.stdout.readline() == "ready\n"
        for _ in range(40):  # whom it is ready for may be another program on this machine
            sender.stdin.write("trial 3\n")
            sender.stdin.flush()
            qtbot.wait(500)
            if window.outputs.markers.sent >= 1:
                break
        assert window.outputs.markers.sent >= 1
        qtbot.waitUntil(lambda: "markers" in dialog._heard.text() and dialog._heard.isVisible(), timeout=10_000)
    finally:
        sender.kill()
        sender.communicate()
    qtbot.keyClick(dialog.markers, Qt.Key.Key_Space)
    qtbot.waitUntil(lambda: window.outputs.markers is None, timeout=20_000)
    assert json.loads((preferences.folder() / preferences.FILE).read_text(encoding="utf-8"))["lsl_markers"] is False


def test_markers_without_the_package_are_said_in_the_dialog(
    open_window: Callable, qtbot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pylsl", None)
    window = open_window()
    dialog = dialog_of(window, qtbot)
    dialog.markers.click()
    qtbot.waitUntil(lambda: "lsl" in dialog._heard.text(), timeout=20_000)
    qtbot.waitUntil(lambda: not dialog.markers.isChecked(), timeout=10_000)


@pytest.mark.parametrize("size", [(1024, 640), (640, 440)])
def test_the_dialog_fits_the_window(open_window: Callable, qtbot, size: tuple[int, int]) -> None:
    window = open_window()
    window.resize(*size)
    for number in range(4):
        window.outputs.add("osc", f"127.0.0.1:{9000 + number},rate=20")
    dialog = dialog_of(window, qtbot)
    dialog.resize(dialog.minimumSize())
    qtbot.wait(300)
    assert dialog.width() <= 640 and dialog.height() <= 440
    for line in dialog.rows():
        assert line.width() <= dialog.width()
        assert line.remove.geometry().right() < line.width()
