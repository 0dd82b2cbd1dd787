"""The command line. Imports nothing heavy, and never Qt, until a command needs it."""

from __future__ import annotations

import signal
import sys
from types import FrameType
from typing import NoReturn

import click

from mien.app.commands.annotate import annotate
from mien.app.commands.bench import bench
from mien.app.commands.data.group import data
from mien.app.commands.doctor import doctor
from mien.app.commands.model.group import model
from mien.app.commands.repair import repair
from mien.app.commands.review import review
from mien.app.commands.sections import Sections
from mien.app.commands.watch import watch
from mien.engine import version
from mien.engine.errors import MienError
from mien.engine.system import detach_native_output, missing_library

EXIT_USER_ERROR = 2
EXIT_INTERRUPTED = 130  # 128 + SIGINT, as shells report it


@click.group(
    cls=Sections,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.option(
    "--source",
    metavar="SOURCE",
    help="What the window shows first: a file, camera:0, the address of a stream, or demo.",
)
@click.version_option(version(), prog_name="Mien")
@click.pass_context
def mien(context: click.Context, source: str | None) -> None:
    """Mien reads facial expressions live: what a face shows, not what a person feels.

    Without a command, the window opens.
    """
    if context.invoked_subcommand is not None:
        if source is not None:
            raise click.UsageError("--source belongs to the window; commands name their source themselves")
        return
    from mien.app.display import why_no_window

    reason = why_no_window()
    if reason is not None:
        raise MienError(reason)
    from mien.app.gui.start import run

    context.exit(run(source))


mien.add_section("For everybody", annotate, watch, review, repair, doctor, bench)
mien.add_section("For researchers", model, data)
for _name in ("import", "export", "train", "evaluate", "recipe"):
    mien.add_old_spelling(_name, f"model {_name}")


def main() -> NoReturn:
    """Run the command line and leave with its exit code: 0 done, 2 an error that the user can fix, 130 interrupted."""
    detach_native_output()
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        code = mien.main(prog_name="mien", standalone_mode=False)
    except click.exceptions.Exit as done:
        code = done.exit_code
    except click.ClickException as error:
        # click prints the usage over several lines; one line that says what to do reads better.
        context = error.ctx if isinstance(error, click.UsageError) else None
        command = "mien" if context is None else context.command_path
        _complain(f"{error.format_message().rstrip('.')} (see {command} --help)")
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


def _complain(message: str) -> None:
    click.echo(f"mien: {' '.join(message.split())}", err=True)


def _interrupt(number: int, frame: FrameType | None) -> None:
    """A polite kill is treated like Ctrl-C, so that the recording is closed."""
    raise KeyboardInterrupt
