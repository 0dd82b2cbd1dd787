"""The command line. Imports nothing heavy, and never Qt, until a command needs it."""

from __future__ import annotations

import signal
import sys
from types import FrameType
from typing import NoReturn

import click

from app.annotate_command import annotate
from app.data_commands import data
from app.doctor_command import doctor
from app.model_commands import export_command, import_command
from app.training_commands import evaluate, recipe, train
from engine import version
from engine.errors import MienError
from engine.quiet import detach_native_output
from engine.system_libraries import missing_library

EXIT_USER_ERROR = 2
EXIT_INTERRUPTED = 130  # 128 + SIGINT, as shells report it


@click.group(no_args_is_help=True, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(version(), prog_name="Mien")
def mien() -> None:
    """Mien reads facial expressions in video: what a face shows, not what a person feels."""


mien.add_command(annotate)
mien.add_command(doctor)
mien.add_command(import_command)
mien.add_command(export_command)
mien.add_command(train)
mien.add_command(recipe)
mien.add_command(evaluate)
mien.add_command(data)


def main() -> NoReturn:
    """Run the command line and leave with its exit code: 0 done, 2 something the user can mend, 130 interrupted."""
    detach_native_output()
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        code = mien.main(prog_name="mien", standalone_mode=False)
    except click.exceptions.Exit as done:
        code = done.exit_code
    except click.exceptions.NoArgsIsHelpError as shown:
        click.echo(shown.format_message())
        code = EXIT_USER_ERROR
    except click.ClickException as error:
        # click prints the usage over several lines; one line that says what to do reads better.
        where = f"mien {error.ctx.info_name}" if isinstance(error, click.UsageError) and _inner(error) else "mien"
        _complain(f"{error.format_message().rstrip('.')} (see {where} --help)")
        code = EXIT_USER_ERROR
    except MienError as error:
        _complain(str(error))
        code = EXIT_USER_ERROR
    except (ImportError, OSError) as error:
        explained = missing_library(error)
        if explained is None:
            raise
        _complain(explained)
        code = EXIT_USER_ERROR
    except (click.Abort, KeyboardInterrupt):
        _complain("interrupted")
        code = EXIT_INTERRUPTED
    sys.exit(code)


def _inner(error: click.UsageError) -> bool:
    return error.ctx is not None and error.ctx.parent is not None


def _complain(message: str) -> None:
    click.echo(f"mien: {' '.join(message.split())}", err=True)


def _interrupt(number: int, frame: FrameType | None) -> None:
    """A polite kill is treated like Ctrl-C, so that the recording is closed."""
    raise KeyboardInterrupt
