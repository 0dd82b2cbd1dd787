"""How a run of several cameras goes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Wishes:
    """How a run of several cameras goes.

    Attributes:
        seconds: end so long after the sources were opened; None: when all have ended.
        quiet: warnings and errors only.
        log_json: JSON lines on standard error.
        health: port of the answers to GET /health; None: none is opened.
        window: show them side by side, instead of lines.
        only: names of the cameras of the file that are watched; none: all.
        ray: address of a Ray cluster, on whose machines they are watched; None: here.
    """

    seconds: float | None = None
    quiet: bool = False
    log_json: bool = False
    health: int | None = None
    window: bool = False
    only: tuple[str, ...] = ()
    ray: str | None = None

    @property
    def special(self) -> bool:
        """Whether there is anything that one source alone has nothing to do with otherwise."""
        return self.log_json or self.health is not None or self.window
