"""The outputs of a live session: each has its thread; a scene is offered to all, and none is waited for."""

from __future__ import annotations

import threading

from mien.engine.outputs.base import LiveScene, OutputStage, OutputStatus


class LiveOutputs:
    """Any number of outputs, which may come while the session runs. For any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._stages: tuple[OutputStage, ...] = ()

    def add(self, kind: str, target: str) -> None:
        """Start one.

        Raises:
            SettingsError: kind or target cannot be understood.
        """
        stage = OutputStage(kind, target)
        with self._lock:
            self._stages = (*self._stages, stage)

    def offer(self, live: LiveScene) -> None:
        """Hand a scene to every output; never waits."""
        for stage in self._stages:
            stage.offer(live)

    def status(self) -> tuple[OutputStatus, ...]:
        """How each goes."""
        return tuple(stage.status() for stage in self._stages)

    def close(self) -> bool:
        """Send what waits and let go of all; True when that was done in time."""
        with self._lock:
            stages, self._stages = self._stages, ()
        done = True
        for stage in stages:
            done = stage.close() and done
        return done
