"""`mien model`: what makes, trains and measures models."""

from __future__ import annotations

import click

from mien.app.commands.model.evaluate import evaluate
from mien.app.commands.model.export import export_command
from mien.app.commands.model.importing import import_command
from mien.app.commands.model.prior import prior
from mien.app.commands.model.recipe import recipe
from mien.app.commands.model.train import train
from mien.app.commands.model.words import words
from mien.app.commands.model.wrap import wrap_command
from mien.app.research import ResearchGroup


@click.group(cls=ResearchGroup)
def model() -> None:
    """Import, export, train and evaluate models."""


for _command in (import_command, export_command, wrap_command, train, evaluate, prior, recipe, words):
    model.add_command(_command)
