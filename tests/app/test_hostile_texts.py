"""File names, labels and names come from others: on a terminal and in the window they are letters and nothing else."""

from __future__ import annotations

import ast
import shutil
import sys
from pathlib import Path

import pytest

from mien.engine.system import printable
from tests.app.test_cli import ROOT, mien
from tests.videos import plain, write_video

IMAGE = '<img src="file:///etc/passwd"><b>x</b> & [red]y[/red]'


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain, Ärger 怒り 👍 [red]", "plain, Ärger 怒り 👍 [red]"),
        ("\x1b]0;title\x07\x1b[2J", "\\x1b]0;title\\x07\\x1b[2J"),
        ("a\nmien: all is well", "a\\nmien: all is well"),
        ("\x9b31m\r\t\x7f", "\\x9b31m\\r\\t\\x7f"),
        ("left\u202ethgir", "left\\u202ethgir"),
        ("\udcff", "\\udcff"),
        ("10\u00a0000\u202f€", "10\u00a0000\u202f€"),
    ],
)
def test_what_could_control_a_terminal_is_shown_as_letters(text: str, shown: str) -> None:
    assert printable(text) == shown


@pytest.mark.skipif(sys.platform == "win32", reason="Windows allows no such names")
def test_names_of_files_do_not_control_the_terminal(tmp_path: Path) -> None:
    name = "\x1b[2J\x1b]0;owned\x07[red]v.mp4"
    (tmp_path / name).write_text("not a video")
    done = mien("annotate", name, "-o", "o.mp4", cwd=tmp_path)
    assert done.returncode == 2
    assert "\x1b" not in done.stderr + done.stdout and "\x07" not in done.stderr + done.stdout
    assert "\\x1b[2J\\x1b]0;owned\\x07[red]v.mp4" in done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="Windows allows no such names")
def test_a_name_that_is_markup_is_a_name(tmp_path: Path) -> None:
    """Over several videos, so that the table and the bar are drawn as well."""
    folder = tmp_path / "in"
    folder.mkdir()
    made = write_video(tmp_path / "v.mp4", plain(3))
    for name in ("[red]a[bold].mp4", "\x1b[31mb.mp4"):
        shutil.copy(made, folder / name)
    done = mien("annotate", folder, "-o", tmp_path / "out", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "[red]a[bold]" in done.stderr
    assert "\x1b" not in done.stderr
    assert "\\x1b[31mb" in done.stderr


def test_only_one_file_writes_to_the_terminal() -> None:
    """Whoever prints by another way would have to think of all this again."""
    for path in sorted((ROOT / "app").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                called = ast.unparse(node.func)
                allowed = path.name == "terminal.py" or called not in {"click.echo", "click.secho", "print"}
                assert allowed, f"{path.relative_to(ROOT)} calls {called}"
                if called.endswith((".print", "Text")) and "onsole" in ast.unparse(node):
                    given = ast.unparse(node.args[0])
                    assert given.startswith(("printable(", "table", "'")), f"{path.name}: {given}"


def test_texts_in_the_window_are_not_html(open_window) -> None:
    from PySide6.QtCore import Qt
    from PySide6.QtWidgets import QLabel

    window = open_window(ready=False)
    labels = window.findChildren(QLabel)
    assert len(labels) > 10
    unsafe = [item for item in labels if item.text() and item.textFormat() is not Qt.TextFormat.PlainText]
    assert [item.text() for item in unsafe] == []


def test_a_tool_tip_shows_its_text(settled, qtbot) -> None:
    from PySide6.QtGui import QTextDocument
    from PySide6.QtWidgets import QWidget

    from mien.app.gui.look.widgets import tip

    widget = QWidget()
    qtbot.addWidget(widget)
    tip(widget, IMAGE)
    document = QTextDocument()
    document.setHtml(widget.toolTip())
    assert document.toPlainText() == IMAGE
    tip(widget, "")
    assert widget.toolTip() == ""


def test_the_legend_of_a_review_shows_labels_as_they_are(settled, qtbot, tmp_path: Path) -> None:
    from PySide6.QtGui import QTextDocument

    from mien.app.gui.review.window import ReviewWindow

    (tmp_path / "talk.csv").write_text(
        "pts_s,frame,track_id,x,y,width,height,score,status,quality,steps,read_s,label,top_label,"
        f'"p_{IMAGE.replace(chr(34), chr(34) * 2)}",p_calm\n'
        "0.000000,0,1,1,1,9,9,0.9,ok,good,16,0.0,calm,calm,0.2,0.8\n",
        encoding="utf-8",
    )
    window = ReviewWindow(None, tmp_path / "talk.csv")
    window.show()
    qtbot.waitUntil(lambda: window.session is not None, timeout=30_000)
    document = QTextDocument()
    document.setHtml(window._legend.text())
    assert IMAGE in document.toPlainText().replace("\u00a0", " ")
    assert "<img" not in window._legend.text()
    window.close()
