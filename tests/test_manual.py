"""The manual: its commands run, its tables are complete, its menu has every page."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest

from mien.app.cli import mien
from mien.engine.recording.table import FIXED_COLUMNS, NOTE_COLUMN
from tests.videos import portrait, write_video

ROOT = Path(__file__).parent.parent
PAGES = sorted((ROOT / "docs" / "manual").glob("*.md"))


def commands(text: str) -> list[str]:
    """The lines of its code blocks, and words in its sentences, that call `mien` with something behind."""
    blocks = [line.strip() for line in text.splitlines() if re.match(r"(    )?mien [a-z-]", line)]
    return [line.split(" #")[0].rstrip() for line in [*blocks, *re.findall(r"`(mien [a-z][^`]*)`", text)]]


EVERY = sorted({(page.name, line) for page in PAGES for line in commands(page.read_text(encoding="utf-8"))})


@pytest.mark.parametrize(("page", "line"), EVERY)
def test_every_command_is_one_that_mien_takes(page: str, line: str) -> None:
    words = shlex.split(line)[1:]
    command: click.Command = mien
    context = click.Context(mien, info_name="mien")
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        name, found, words = command.resolve_command(context, words)
        assert found is not None, line
        command, context = found, click.Context(found, info_name=name, parent=context)
    # Only what is an option and what is an argument; files of the examples need not be there.
    rest = context.command.make_parser(context).parse_args(list(words))[1]
    assert rest == [] or isinstance(command, click.Group), f"{page}: {line}: {rest}"


def test_the_examples_run(tmp_path: Path) -> None:
    write_video(tmp_path / "talk.mp4", portrait(12), audio="aac")
    (tmp_path / "recordings").mkdir()
    for name in ("a", "b"):
        write_video(tmp_path / "recordings" / f"{name}.mp4", portrait(6))
    ran = 0
    for page in PAGES:
        for block in re.findall(r"```console\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL):
            for line in block.splitlines():
                _run([str(ROOT / "main.py"), *shlex.split(line)[1:]], tmp_path)
                ran += 1
        for block in re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL):
            _run(["-c", block], tmp_path)
            ran += 1
    assert ran >= 5
    assert {path.name for path in (tmp_path / "results").glob("*.mp4")}
    assert (tmp_path / "figures.csv").stat().st_size > 0


def _run(arguments: list[str], folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, *arguments], cwd=folder, capture_output=True, text=True, check=False, timeout=150,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 0, f"{arguments}: {done.stderr}"


def test_every_column_is_explained() -> None:
    text = (ROOT / "docs" / "manual" / "data.md").read_text(encoding="utf-8")
    table = text.partition("## The CSV")[2].partition("## The JSON")[0]
    named = [
        name for row in re.findall(r"^\| (`.+?) \|", table, re.MULTILINE) for name in re.findall(r"`([^`]+)`", row)
    ]
    assert [name for name in named if "_LABEL" not in name and "_NAME" not in name] == [*FIXED_COLUMNS, NOTE_COLUMN]


def test_the_menu_has_every_page() -> None:
    menu = (ROOT / "packaging" / "manual" / "mkdocs.yml").read_text(encoding="utf-8").partition("\nnav:")[2]
    listed = set(re.findall(r"(\S+\.md)", menu))
    there = {path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.md")}
    assert listed == there | {"manual/model-card.md"}


def test_its_pictures_are_made_by_a_script(tmp_path: Path) -> None:
    """All are named by it, and those that take no time are made here."""
    from tests.screenshots import MANUAL

    shown = {
        name
        for page in [*(ROOT / "docs").rglob("*.md"), ROOT / "README.md"]
        for name in re.findall(r"(?:pictures|screenshots)/(\w+)\.jpg", page.read_text(encoding="utf-8"))
    }
    kept = {path.stem for path in (ROOT / "assets" / "screenshots").glob("*.jpg")}
    made = set(MANUAL.values())
    assert (
        shown == kept == made | {"dashboard", "overlay"}
    )  # pages in a browser: tests/engine/outputs/test_web_pages.py
    done = subprocess.run(
        [sys.executable, "tests/screenshots.py", str(tmp_path), "--manual", "--only", "main,source-stream,options",
         "--seconds", "0.5"],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=120,
        env={**os.environ, "QT_QPA_PLATFORM": "offscreen"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    assert {path.name for path in tmp_path.iterdir()} == {"live.jpg", "source.jpg", "recording.jpg"}
    sizes = [len(path.read_bytes()) for path in tmp_path.iterdir()]
    assert min(sizes) > 10_000
