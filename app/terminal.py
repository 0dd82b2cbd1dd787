"""The one way from this program to a terminal: nothing that others wrote can control it."""

from __future__ import annotations

import click

from mien.engine.system import printable


def echo(text: str, *, err: bool = False) -> None:
    """Print one line, on standard error with `err`; what is not printable in it is shown as an escape."""
    click.echo(printable(text), err=err)
