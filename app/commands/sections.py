"""The list of commands that `mien --help` prints: in sections, and without the spellings of old."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click

from mien.app.terminal import echo
from mien.engine.language import tr


class Sections(click.Group):
    """A group whose help lists its commands under headings, and which still takes the names they had before."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._sections: dict[str, list[click.Command]] = {}
        self._moved: dict[str, str] = {}

    def add_section(self, title: str, *commands: click.Command) -> None:
        """Add commands under a heading; groups are listed with each of their commands."""
        for command in commands:
            self.add_command(command)
            self._sections.setdefault(title, []).append(command)

    def add_old_spelling(self, old: str, new: str) -> None:
        """Take `old` for `new`, words separated by spaces, with a hint on standard error."""
        self._moved[old] = new

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        new = self._moved.get(args[0])
        if new is not None:
            echo(tr("mien: note: mien {old} is now mien {new}", old=args[0], new=new), err=True)
            args = [*new.split(), *args[1:]]
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        sections = {title: list(_named(commands)) for title, commands in self._sections.items()}
        longest = max(len(name) for rows in sections.values() for name, _ in rows)
        limit = formatter.width - 6 - longest
        for title, rows in sections.items():
            with formatter.section(title):
                # Padded, so that the columns of all sections are aligned.
                formatter.write_dl([(name.ljust(longest), command.get_short_help_str(limit)) for name, command in rows])


def _named(commands: list[click.Command]) -> Iterator[tuple[str, click.Command]]:
    for command in commands:
        if isinstance(command, click.Group):
            yield from ((f"{command.name} {name}", inner) for name, inner in command.commands.items())
        else:
            yield command.name or "", command
