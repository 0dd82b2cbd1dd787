"""`mien data`: what prepares and checks training data."""

from __future__ import annotations

import click

from mien.app.commands.data.check import check
from mien.app.commands.data.crop import crop
from mien.app.research import ResearchGroup


@click.group(cls=ResearchGroup)
def data() -> None:
    """Prepare and check training data."""


for _command in (check, crop):
    data.add_command(_command)
