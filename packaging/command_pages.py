"""Writes the manual page and the shells' completions from the commands: `python packaging/command_pages.py`.

packaging/pages gets mien.1, mien.bash, mien.zsh and mien.fish. tests/test_packaging.py fails where the page is out of
date, or where bash completes nothing.
Needs the installed Mien; where the checkout is on PYTHONPATH, that one is described.
"""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import click
from click.shell_completion import get_completion_class

from mien.app.cli import mien

PAGES = Path(__file__).parent / "pages"
PROJECT = Path(__file__).parents[1] / "pyproject.toml"
SHELLS = ("bash", "zsh", "fish")


def main(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    (folder / "mien.1").write_text(manual_page(), encoding="utf-8")
    for shell in SHELLS:
        (folder / f"mien.{shell}").write_text(completion(shell), encoding="utf-8")


def completion(shell: str) -> str:
    """The script that `shell` sources, as click writes it."""
    kind = get_completion_class(shell)
    if kind is None:
        raise SystemExit(f"click knows no completion for {shell}")
    return kind(mien, {}, "mien", "_MIEN_COMPLETE").source()


def manual_page() -> str:
    """The page that `man mien` shows, in roff."""
    version = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]["version"]
    lines = [
        f'.TH MIEN 1 "" "Mien {version}" "User commands"',
        ".SH NAME",
        r"mien \- reads facial expressions in video",
        ".SH SYNOPSIS",
        *_synopsis("mien", mien),
        ".SH DESCRIPTION",
        *_paragraphs(mien.help or ""),
        ".PP",
        "Mien sends nothing by itself: what it sees, and what it finds, stays on the machine.",
        ".SH OPTIONS",
        *_options(mien),
        ".SH COMMANDS",
    ]
    for name, command in _commands("mien", mien):
        lines += [
            f".SS {_roff(name)}",
            *_synopsis(name, command),
            ".PP",
            *_paragraphs(command.help or ""),
            *_options(command),
        ]
    lines += [
        ".SH EXIT STATUS",
        ".TP", "0", "Done.",
        ".TP", "1", "Of doctor: all works, but a graphics card is not used.",
        ".TP", "2", "An error that the user can fix; one line on standard error says how.",
        ".TP", "70", "An error that nobody foresaw; a report is kept, and a line says where.",
        ".TP", "130", "Interrupted. What was recorded is whole.",
        ".SH ENVIRONMENT",
        ".TP", "MIEN_CACHE", "Folder of downloaded files.",
        ".TP", "MIEN_CONFIG", "Folder of the window's settings.",
        ".TP", "MIEN_STATE", "Folder of reports about errors.",
        ".TP", "MIEN_STREAM_USER, MIEN_STREAM_PASSWORD", "The login of a network stream.",
        ".TP", "MIEN_NATIVE_LOG", "1: show what native libraries write to standard error.",
        ".SH EXAMPLES",
        ".nf",
        r"mien annotate talk.mp4 \-o talk_annotated.mp4",
        r"mien watch camera:0 \-\-record sessions/",
        r"mien review talk_annotated.mp4",
        "mien doctor",
        ".fi",
    ]  # fmt: skip
    return "\n".join(line for line in lines if line) + "\n"


def _commands(path: str, group: click.Group) -> Iterator[tuple[str, click.Command]]:
    for name, command in sorted(group.commands.items()):
        if command.hidden:
            continue
        if isinstance(command, click.Group):
            yield from _commands(f"{path} {name}", command)
        else:
            yield f"{path} {name}", command


def _synopsis(name: str, command: click.Command) -> list[str]:
    arguments = [parameter for parameter in command.params if isinstance(parameter, click.Argument)]
    words = [
        f"{argument.human_readable_name}{'...' if argument.nargs == -1 else ''}" if argument.required
        else f"[{argument.human_readable_name}{'...' if argument.nargs == -1 else ''}]"
        for argument in arguments
    ]  # fmt: skip
    tail = "[COMMAND]" if isinstance(command, click.Group) else " ".join(words)
    return [f".B {_roff(name)}", _roff(f"[OPTIONS] {tail}".strip())]


def _options(command: click.Command) -> list[str]:
    lines = []
    for parameter in command.params:
        if not isinstance(parameter, click.Option) or parameter.hidden:
            continue
        names = ", ".join([*parameter.opts, *parameter.secondary_opts])
        value = "" if parameter.is_flag or parameter.count else f" {_value(parameter)}"
        lines += [".TP", rf"\fB{_roff(names)}\fR{_roff(value)}", _roff(" ".join((parameter.help or "").split()))]
    return lines


def _value(option: click.Option) -> str:
    if option.metavar:
        return option.metavar
    if isinstance(option.type, click.Choice):
        return "|".join(str(choice) for choice in option.type.choices)
    return option.type.name.upper()


def _paragraphs(text: str) -> list[str]:
    text = text.replace("\b", "").strip()
    paragraphs = [" ".join(part.split()) for part in re.split(r"\n\s*\n", text)]
    return [line for part in paragraphs for line in (_roff(part), ".PP")][:-1] if text else []


def _roff(text: str) -> str:
    text = text.replace("\\", r"\e").replace("-", r"\-")
    return rf"\&{text}" if text.startswith((".", "'")) else text


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else PAGES)
