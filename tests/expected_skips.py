"""Fails a run in which a test is skipped that nobody expects to be: `pytest --expected-skips root,no-torch`.

The list is `.ci/expected_skips.txt`: under a heading in square brackets, which says what a machine lacks, the tests
that are then skipped. Whoever starts the run names the headings that hold; what is missing beyond that comes out.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

SKIPPED_AND_FAILED = 10
"""Exit code of a run with both: running what failed once more would not bring the skip to light again."""
LIST = Path(__file__).parent.parent / ".ci" / "expected_skips.txt"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--expected-skips",
        metavar="HEADINGS",
        help="fail when a test is skipped that is not listed under one of these headings of .ci/expected_skips.txt",
    )
    parser.addoption("--expected-skips-list", metavar="FILE", default=str(LIST), help="another list than that")


def pytest_configure(config: pytest.Config) -> None:
    headings = config.getoption("--expected-skips")
    if headings is not None:
        listed = read_list(Path(config.getoption("--expected-skips-list")))
        chosen = [heading for heading in headings.split(",") if heading]
        for heading in chosen:
            if heading not in listed:
                raise pytest.UsageError(f"--expected-skips: no heading [{heading}]; there are: {', '.join(listed)}")
        config.pluginmanager.register(_Watch({name for heading in chosen for name in listed[heading]}))


def read_list(path: Path) -> dict[str, set[str]]:
    """The tests under each heading."""
    listed: dict[str, set[str]] = {}
    under: set[str] = set()
    for line in path.read_text(encoding="utf-8").splitlines():
        line = line.partition("#")[0].strip()
        if line.startswith("["):
            under = listed.setdefault(line.strip("[]"), set())
        elif line:
            under.add(line)
    return listed


class _Watch:
    def __init__(self, expected: set[str]) -> None:
        self._expected = expected
        self._unexpected: dict[str, str] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.skipped and not hasattr(report, "wasxfail"):
            self._look(report)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.skipped:
            self._look(report)

    def _look(self, report: pytest.TestReport | pytest.CollectReport) -> None:
        if not any(name in self._expected for name in _names(report.nodeid)):
            reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
            self._unexpected[report.nodeid] = reason

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if self._unexpected and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
        elif self._unexpected and session.exitstatus == pytest.ExitCode.TESTS_FAILED:
            session.exitstatus = SKIPPED_AND_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self._unexpected:
            terminalreporter.section("skipped, though not expected to be (.ci/expected_skips.txt)", red=True)
            for name, reason in self._unexpected.items():
                terminalreporter.line(f"{name}: {reason}")


def _names(nodeid: str) -> Iterator[str]:
    """Of a test: itself, itself for all its parameters, and the file it is in."""
    yield nodeid
    yield nodeid.partition("[")[0]
    yield nodeid.partition("::")[0]
