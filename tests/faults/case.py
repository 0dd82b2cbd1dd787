"""What every fault script gives: cases, each with what was expected and what happened."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Case:
    """One fault that was made.

    Attributes:
        name: what was done.
        expected, happened: in a few words.
        survived: nothing was lost, let out or silently wrong; None where it could not be tried here.
    """

    name: str
    expected: str
    happened: str
    survived: bool | None


def table(cases: Iterable[Case]) -> Iterator[str]:
    """Lines of a table, as the cases come."""
    for case in cases:
        mark = {True: "ok", False: "LOST", None: "skipped"}[case.survived]
        yield f"{mark:8}{case.name:62}{case.expected:42}{case.happened}"


def main(cases: Callable[[], Iterable[Case]]) -> None:
    """Print the cases; exit code 1 where one was not survived."""
    failed = 0

    def counted() -> Iterator[Case]:
        nonlocal failed
        for case in cases():
            failed += case.survived is False
            yield case

    for line in table(counted()):
        print(line, flush=True)
    sys.exit(1 if failed else 0)
