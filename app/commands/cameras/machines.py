"""`mien watch --config FILE --ray ADDRESS`: the cameras of a file, shared out among the machines of a Ray cluster."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import click

from mien.app.commands.cameras.config import CameraEntry, CamerasFile
from mien.app.commands.cameras.lines import JsonLog, TextLines, to_standard_error
from mien.app.commands.cameras.machine import Line, Machine, Seen
from mien.app.commands.cameras.wishes import Wishes
from mien.app.commands.console import EXIT_INTERRUPTED, Console
from mien.engine.batch.cluster import connected, on_each_machine
from mien.engine.errors import SourceError
from mien.engine.interrupts import Interrupts
from mien.engine.language import tr, trn

WATCHED: Final = 0.21
"""Cores for a camera that is watched, until it is measured; see docs/scale.md."""
RECORDED: Final = 0.32
_LOOK_S: Final = 2.0
_ANSWER_S: Final = 10.0
_MISSES: Final = 3  # answers that may be missing on end before a machine is given up
_STOP_S: Final = 90.0
_AGAIN_S: Final = 5.0  # between two beginnings of a camera whose process crashed


@dataclass(slots=True)
class _Member:
    """A machine of the cluster."""

    name: str
    room: float  # cores
    actor: Any
    cameras: set[str] = field(default_factory=set)
    cores: float = 0.0  # in use, by its own count
    asked: Any = None
    misses: int = 0


def shared_out(costs: Mapping[str, float], room: Mapping[str, float]) -> dict[str, list[str]]:
    """Who gets what: the dearest camera first, each to the machine with the most room left.

    Args:
        costs: cores by camera.
        room: free cores by machine; may be less than none.

    Returns:
        Cameras by machine, for every machine.
    """
    left = dict(room)
    given: dict[str, list[str]] = {name: [] for name in room}
    for camera in sorted(costs, key=lambda name: -costs[name]):
        name = max(left, key=lambda one: left[one])
        given[name].append(camera)
        left[name] -= costs[camera]
    return given


def watch_on_cluster(read: CamerasFile, address: str, wishes: Wishes) -> None:
    """Watch the cameras of a file on all machines of a cluster, until all have ended or somebody ends it.

    Each machine has Mien, the file and what it names at the same places. A machine that is lost loses its cameras to
    the others.

    Raises:
        SettingsError: Ray is not installed, or there is no such cluster.
        SourceError: a camera did not end well, or no machine is left.
    """
    if wishes.log_json:
        told = _Told(JsonLog(to_standard_error, quiet=wishes.quiet))
    else:
        told = _Told(TextLines(None, quiet=wishes.quiet))
    # In this order: to connect sets a handler of Ray's own for SIGTERM.
    with connected(address) as ray, Interrupts(Console(wishes.quiet).interrupted_here) as interrupts:
        cluster = _Cluster(ray, read, told)
        try:
            cluster.begin()
            began = time.monotonic()
            while not interrupts.count and not cluster.over:
                if wishes.seconds is not None and time.monotonic() - began >= wishes.seconds:
                    break
                cluster.look()
                time.sleep(0.1)
        finally:
            cluster.end()
    if interrupts.count:
        told.say("stopped")
        raise click.exceptions.Exit(0 if interrupts.last == signal.SIGTERM else EXIT_INTERRUPTED)
    if told.warned:
        raise SourceError(tr("not all cameras ended well; the warnings above say why"))


class _Cluster:
    def __init__(self, ray: Any, read: CamerasFile, told: _Told) -> None:
        self._ray, self._told = ray, told
        self._config = str(read.file.resolve())
        self._costs = {entry.address.name: _cost(entry) for entry in read.cameras}
        self._members: dict[str, _Member] = {}
        self._again: dict[str, float] = {}  # cameras without a machine, and when they may have one
        self._look_at = 0.0

    @property
    def over(self) -> bool:
        """Whether no camera is watched any more."""
        return not self._again and not any(member.cameras for member in self._members.values())

    def begin(self) -> None:
        """Start on every machine, and give each its cameras."""
        for name, cores, actor in on_each_machine(self._ray, Machine, self._config):
            self._members[name] = _Member(name, cores, actor)
        self._give(self._costs)

    def look(self) -> None:
        """Take what the machines say; give away the cameras of those that are gone."""
        if time.monotonic() < self._look_at:
            return
        self._look_at = time.monotonic() + _LOOK_S
        for member in list(self._members.values()):
            member.asked = member.asked or member.actor.look.remote(time.monotonic())
            try:
                seen: Seen = self._ray.get(member.asked, timeout=_ANSWER_S)
            except self._ray.exceptions.GetTimeoutError:
                member.misses += 1
                if member.misses >= _MISSES:
                    self._lose(member)
                continue
            except self._ray.exceptions.RayError:
                self._lose(member)
                continue
            member.asked, member.misses, member.cores = None, 0, seen.cores
            self._told.lines(seen.lines, member.name)
            member.cameras -= {*seen.ended, *seen.crashed}
            for camera in seen.crashed:
                self._told.warn(tr("its process ended unexpectedly; it is begun anew"), camera)
                self._again[camera] = time.monotonic() + _AGAIN_S
        due = {name: self._costs[name] for name, at_s in self._again.items() if time.monotonic() >= at_s}
        if due:
            for name in due:
                del self._again[name]
            self._give(due)

    def end(self) -> None:
        """End all in order, so that recordings are finished."""
        waiting = {member.actor.stop.remote(): member for member in self._members.values()}
        done, late = self._ray.wait(list(waiting), num_returns=len(waiting), timeout=_STOP_S) if waiting else ([], [])
        for reference in done:
            try:
                self._told.lines(self._ray.get(reference), waiting[reference].name)
            except self._ray.exceptions.RayError:
                late.append(reference)
        for reference in late:
            self._told.warn(tr("machine {name}: did not end in time", name=waiting[reference].name))

    def _give(self, costs: Mapping[str, float]) -> None:
        room = {name: member.room - self._load(member) for name, member in self._members.items()}
        if not room:
            raise SourceError(tr("no machine of the cluster is left"))
        for name, cameras in shared_out(costs, room).items():
            if cameras:
                member = self._members[name]
                member.cameras |= set(cameras)
                member.actor.watch.remote(cameras)
                self._told.say(tr("machine {name}: watches {cameras}", name=name, cameras=", ".join(cameras)))

    def _load(self, member: _Member) -> float:
        """Cores in use there, or what its cameras should take, while they have not begun."""
        return max(member.cores, sum(self._costs[name] for name in member.cameras))

    def _lose(self, member: _Member) -> None:
        del self._members[member.name]
        count = len(member.cameras)
        self._told.warn(
            trn(
                "machine {name}: is lost; its camera goes to another machine",
                "machine {name}: is lost; its {count} cameras go to other machines",
                count, name=member.name,
            ),
            blame=False,
        )  # fmt: skip
        self._again |= dict.fromkeys(member.cameras, 0.0)


class _Told:
    """Says what happens: as lines of a log, or for people."""

    def __init__(self, out: JsonLog | TextLines) -> None:
        self._out = out
        self.warned = False
        """Whether something is wrong with a camera."""

    def lines(self, lines: Iterable[Line], machine: str) -> None:
        """Hand on what a machine logged."""
        for line in lines:
            told = {key: value for key, value in line.items() if key not in ("time", "level", "event")}
            level, camera = str(line.get("level", "info")), str(line.get("camera", ""))
            self.warned |= level == "error"
            if isinstance(self._out, JsonLog):
                self._out.put(level, str(line.get("event", "message")), **told, machine=machine)
            elif level != "info":
                self.warn(str(line.get("message", "")), camera, blame=level == "error")
            elif line.get("event") == "camera":
                self.say(_described(told))
            elif "message" in line:
                self.say(str(line["message"]))

    def warn(self, message: str, camera: str = "", *, blame: bool = True) -> None:
        """Something that a user should know; `blame`: and that makes this a run that did not end well."""
        self.warned |= blame and bool(camera)
        self._out.warn(message, camera)

    def say(self, message: str) -> None:
        """Something that happened in order."""
        self._out.say(message)


def _described(told: Mapping[str, Any]) -> str:
    parts = [str(told.get("state", ""))]
    if "frames_per_second" in told:
        parts.append(f"{told['frames_per_second']:.1f} fps")
    parts += [f"{told[key]} {key}" for key in ("faces", "dropped") if key in told]
    return f"{told.get('camera', '')}: {' | '.join(parts)}"


def _cost(entry: CameraEntry) -> float:
    return WATCHED if entry.plan is None else RECORDED
