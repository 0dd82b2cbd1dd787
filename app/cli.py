"""The command line. Imports nothing heavy, and never Qt, until a command needs it."""

from __future__ import annotations

import signal
import sys
from types import FrameType
from typing import Any, NoReturn

import click

from mien.app.commands.annotate import annotate
from mien.app.commands.bench import bench
from mien.app.commands.console import Console
from mien.app.commands.data import data
from mien.app.commands.doctor import doctor
from mien.app.commands.model import export_command, import_command
from mien.app.commands.repair import repair
from mien.app.commands.stream import NO_STREAM_OPTIONS, stream_address, stream_options
from mien.app.commands.training import evaluate, recipe, train
from mien.app.commands.watch import watch
from mien.app.crash import EXIT_UNEXPECTED, complain, report, report_what_nobody_catches
from mien.engine import version
from mien.engine.errors import MienError
from mien.engine.system import detach_native_output, missing_library, silence_telemetry

EXIT_USER_ERROR = 2
EXIT_INTERRUPTED = 130  # 128 + SIGINT, as shells report it


@click.group(
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.option(
    "--source",
    metavar="SOURCE",
    help="What the window shows first: a file, camera:0, the address of a stream, or demo.",
)
@stream_options
@click.version_option(version(), prog_name="Mien")
@click.pass_context
def mien(context: click.Context, source: str | None, stream: dict[str, Any]) -> None:
    """Mien reads facial expressions live: what a face shows, not what a person feels.

    Without a command, the window opens.
    """
    if context.invoked_subcommand is not None:
        if source is not None:
            raise click.UsageError("--source belongs to the window; commands name their source themselves")
        if stream != NO_STREAM_OPTIONS:
            raise click.UsageError("options about network streams belong behind the name of the command")
        return
    if source is None and stream != NO_STREAM_OPTIONS:
        raise click.UsageError("options about network streams belong to --source")
    from mien.app.display import why_no_window

    reason = why_no_window()
    if reason is not None:
        raise MienError(reason)
    address = None if source is None else stream_address(source, warn=Console(False).warn, **stream)
    from mien.app.gui.start import run

    context.exit(run(address if address is not None and address.kind == "stream" else source))


mien.add_command(annotate)
mien.add_command(watch)
mien.add_command(repair)
mien.add_command(bench)
mien.add_command(doctor)
mien.add_command(import_command)
mien.add_command(export_command)
mien.add_command(train)
mien.add_command(recipe)
mien.add_command(evaluate)
mien.add_command(data)


def main() -> NoReturn:
    """Run the command line and leave with its exit code.

    0: done; 2: something the user can mend; 70: an error that nobody foresaw, with a report; 130: interrupted.
    """
    detach_native_output()
    silence_telemetry()
    report_what_nobody_catches(complain)
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        code = mien.main(prog_name="mien", standalone_mode=False)
    except click.exceptions.Exit as done:
        code = done.exit_code
    except click.ClickException as error:
        # click prints the usage over several lines; one line that says what to do reads better.
        context = error.ctx if isinstance(error, click.UsageError) else None
        command = "mien" if context is None else context.command_path
        complain(f"{error.format_message().rstrip('.')} (see {command} --help)")
        code = EXIT_USER_ERROR
    except MienError as error:
        complain(str(error))
        code = EXIT_USER_ERROR
    except (ImportError, OSError) as error:
        explained = missing_library(error)
        code = EXIT_USER_ERROR
        if explained is not None:
            complain(explained)
        else:
            complain(report(error))
            code = EXIT_UNEXPECTED
    except (click.Abort, KeyboardInterrupt):
        complain("interrupted")
        code = EXIT_INTERRUPTED
    except Exception as error:
        complain(report(error))
        code = EXIT_UNEXPECTED
    sys.exit(code)


def _interrupt(number: int, frame: FrameType | None) -> None:
    """A polite kill is treated like Ctrl-C, so that the recording is closed."""
    raise KeyboardInterrupt
