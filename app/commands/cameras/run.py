"""Watches several cameras at once until the end, whatever ends it; all recordings are finished then."""

from __future__ import annotations

import signal
import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Final

import click

from mien.app.commands.cameras.lines import JsonLog, Told, camera_lines, to_standard_error
from mien.app.commands.cameras.wishes import Wishes
from mien.app.commands.console import EXIT_INTERRUPTED, Console
from mien.app.commands.watch_lines import Warned
from mien.app.terminal import echo
from mien.engine.errors import MienError, SourceError
from mien.engine.interrupts import Interrupts
from mien.engine.language import tr
from mien.engine.live.cameras.group import Camera, LiveCameras
from mien.engine.live.cameras.health import HealthServer
from mien.engine.live.cameras.report import health
from mien.engine.live.status import LiveStatus, wait_for_model
from mien.engine.outputs.kinds import OUTPUTS
from mien.engine.types import SourceState

EXIT_USER_ERROR: Final = 2
_POLL_S: Final = 0.1
_LOOK_S: Final = 0.5


def watch_cameras(cameras: Sequence[Camera], shared: Iterable[tuple[str, str]], wishes: Wishes) -> None:
    """Watch `cameras`; `shared` are outputs that get the scenes of all.

    A camera that fails does not end the others. Ctrl-C ends with status 130 as ever, SIGTERM, which is how services
    are ended in order, with 0.

    Raises:
        MienError: the model cannot be used, all share a fault, or cameras or recordings failed, which was told before.
    """
    shared = tuple(shared)
    silent = any(target == "-" for _, target in (*shared, *(one for camera in cameras for one in camera.outputs)))
    with (
        Interrupts(Console(wishes.quiet).interrupted_here) as interrupts,
        camera_lines(quiet=wishes.quiet, silent=silent, log_json=wishes.log_json) as told,
        LiveCameras(cameras, shared) as watched,
        _health(watched, wishes, told),
    ):
        for session in watched.sessions.values():
            wait_for_model(session.status, lambda: interrupts.count > 0)
        failed: set[str] = set()
        if not interrupts.count:
            watched.open()
            failed = _follow(watched, wishes.seconds, told, interrupts)
        failed |= _finish(watched, told, failed)
    if interrupts.count:
        told.say("stopped")
        raise click.exceptions.Exit(0 if interrupts.last == signal.SIGTERM else EXIT_INTERRUPTED)
    if failed:
        raise SourceError(
            tr(
                "{count} of {count2} cameras did not end well; the warnings above say why",
                count=len(failed),
                count2=len(cameras),
            )
        )


@contextmanager
def errors_in_log(*, log_json: bool) -> Iterator[None]:
    """With `log_json`, an error for the user becomes a line of the log, too, and nothing else is printed."""
    try:
        yield
    except MienError as error:
        if not log_json:
            raise
        JsonLog(to_standard_error).put("error", "error", message=str(error))
        raise click.exceptions.Exit(EXIT_USER_ERROR) from None


@contextmanager
def _health(watched: LiveCameras, wishes: Wishes, told: Told) -> Iterator[None]:
    if wishes.health is None:
        yield
        return
    with HealthServer(partial(health, watched, since_s=time.monotonic()), wishes.health) as server:
        told.say(tr("health: {address}", address=server.address), port=server.port)
        yield


def _follow(watched: LiveCameras, seconds: float | None, told: Told, interrupts: Interrupts) -> set[str]:
    """Tell what happens until the end; returns the cameras that failed for good."""
    failed: set[str] = set()
    began = time.monotonic()
    warned = {name: Warned(partial(told.warn, camera=name)) for name in watched.sessions}
    addresses: set[str] = set()
    look_at = began
    while not interrupts.count and (seconds is None or time.monotonic() - began < seconds):
        time.sleep(_POLL_S)
        if watched.error is not None:
            raise watched.error
        if time.monotonic() < look_at:
            continue
        look_at = time.monotonic() + _LOOK_S
        shared = [stage.status() for stage in watched.shared]
        for name, session in watched.sessions.items():
            status = session.status()
            warned[name].look(status, session.outputs.status())
            trouble = _trouble(status)
            if trouble and name not in failed:
                told.warn(trouble, name)
            if trouble or session.error is not None:
                failed.add(name)
            for stage in session.outputs.stages:
                address = stage.address()
                if address and address not in addresses:
                    addresses.add(address)
                    # Holds a token: for a person at the screen, never for a log.
                    echo(f"{name}: {OUTPUTS[stage.name[0]].name}: {address}", err=True)
        if any(output.target == "-" and output.message for output in shared):
            return failed  # the program behind the pipe has ended
        if all(map(watched.over, watched.sessions)):
            break
        told.show(watched)
    told.show(watched, last=True)
    return failed


def _trouble(status: LiveStatus) -> str:
    """Why nothing more is to come of a camera, or of its recording, in a line; "" while all is well, or at its end."""
    condition, recording = status.condition, status.recording
    if condition is not None and condition.state is SourceState.FAILED:
        return condition.message
    ended = recording is not None and recording.state in ("done", "failed")
    return recording.message if recording is not None and ended else ""


def _finish(watched: LiveCameras, told: Told, known: Collection[str]) -> set[str]:
    """Finish all recordings and name their files; returns the cameras whose recording did not end well.

    Of those in `known` it was said already that something is wrong.
    """
    watched.close()
    troubles = set()
    for name, session in watched.sessions.items():
        recording = session.status().recording
        if recording is None:
            continue
        for path in recording.files if recording.state == "done" else ():
            told.say(tr("recorded: {path}", path=path), name, file=str(path))
        if recording.message:
            troubles.add(name)
            if name not in known:
                told.warn(recording.message, name)
    return troubles
