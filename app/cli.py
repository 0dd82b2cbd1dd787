"""The command line. Imports nothing heavy, and never Qt, until a command needs it."""

from __future__ import annotations

import signal
import sys
from contextlib import suppress
from types import FrameType
from typing import Any, NoReturn

import click

from mien.app.commands.annotate import annotate
from mien.app.commands.bench import bench
from mien.app.commands.console import EXIT_INTERRUPTED, LEFT, Console
from mien.app.commands.data.group import data
from mien.app.commands.doctor import doctor
from mien.app.commands.model.group import model
from mien.app.commands.repair import repair
from mien.app.commands.review import review
from mien.app.commands.sections import Sections
from mien.app.commands.stream import NO_STREAM_OPTIONS, stream_address, stream_options
from mien.app.commands.watch import watch
from mien.app.crash import EXIT_UNEXPECTED, complain, report, report_what_nobody_catches
from mien.engine import version
from mien.engine.errors import MienError
from mien.engine.interrupts import SIGNALS, Abandoned, Interrupts, leave, survive_hang_up
from mien.engine.language import tr
from mien.engine.system import detach_native_output, missing_library, silence_telemetry

EXIT_USER_ERROR = 2


@click.group(
    cls=Sections,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.option(
    "--source",
    metavar="SOURCE",
    help="What the window shows first: a file, camera:0, the address of a stream, or demo. Takes the options of watch "
    "about network streams.",
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
            raise click.UsageError(tr("--source belongs to the window; commands name their source themselves"))
        if stream != NO_STREAM_OPTIONS:
            raise click.UsageError(tr("options about network streams belong behind the name of the command"))
        return
    if source is None and stream != NO_STREAM_OPTIONS:
        raise click.UsageError(tr("options about network streams belong to --source"))
    from mien.app.display import why_no_window

    reason = why_no_window()
    if reason is not None:
        raise MienError(reason)
    address = None if source is None else stream_address(source, warn=Console(False).warn, **stream)
    from mien.app.gui.start import run

    context.exit(run(address if address is not None and address.kind == "stream" else source))


for _option in mien.params:
    if isinstance(_option, click.Option) and _option.name in NO_STREAM_OPTIONS:
        _option.hidden = True  # `mien watch --help` has them

mien.add_section("For everybody", annotate, watch, review, repair, doctor, bench)
mien.add_section("For researchers", model, data)
for _name in ("import", "export", "train", "evaluate", "recipe", "wrap"):
    mien.add_old_spelling(_name, f"model {_name}")


def main() -> NoReturn:
    """Run the command line and leave with its exit code.

    0: done; 2: an error that the user can fix; 70: an error that nobody foresaw, with a report; 130: interrupted.
    """
    signals = _Signals()
    try:
        signals.listen()
        detach_native_output()
        silence_telemetry()
        report_what_nobody_catches(complain)
        code = mien.main(prog_name="mien", standalone_mode=False) or 0
    except click.exceptions.Exit as done:
        code = done.exit_code
    except click.ClickException as error:
        # click prints the usage over several lines; one line that says what to do reads better.
        context = error.ctx if isinstance(error, click.UsageError) else None
        command = "mien" if context is None else context.command_path
        complain(tr("{error} (see {command} --help)", error=error.format_message().rstrip("."), command=command))
        code = EXIT_USER_ERROR
    except Abandoned:
        leave(EXIT_INTERRUPTED, LEFT)
    except (click.Abort, KeyboardInterrupt):
        complain(tr("interrupted"))
        code = EXIT_INTERRUPTED
    except MienError as error:
        complain(str(error))
        code = EXIT_USER_ERROR
    except Exception as error:
        explained = missing_library(error)
        if signals.heard:
            # Native libraries make errors of their own of an interrupt that hits them while they are loaded.
            complain(tr("interrupted"))
            code = EXIT_INTERRUPTED
        elif explained is not None:
            complain(explained)
            code = EXIT_USER_ERROR
        else:
            complain(report(error))
            code = EXIT_UNEXPECTED
    signals.end_at_once(code)
    sys.exit(code)


class _Signals:
    """What Ctrl-C, a polite kill and a closed terminal do, where no command counts them: `KeyboardInterrupt`."""

    def __init__(self) -> None:
        self.heard = False
        # What was ignored before, as nohup does, stays so.
        self._numbers = [number for number in SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]

    def listen(self) -> None:
        for number in self._numbers:
            signal.signal(number, self._interrupt)

    def end_at_once(self, code: int) -> None:
        """Everything is done: a signal while Python takes itself down ends that."""
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError, AttributeError):
                stream.flush()
        for number in self._numbers:
            signal.signal(number, lambda *_: leave(code))
        if "ray" in sys.modules:
            leave(code)  # Ray's threads outlive `ray.shutdown`, and now and then crash Python as it takes itself down

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        survive_hang_up(number)
        if self.heard:  # and what was interrupted is being cleaned up, which takes too long for the user
            leave(EXIT_INTERRUPTED, "mien: interrupted\n")
        self.heard = Interrupts.swallowed = True
        raise KeyboardInterrupt
