"""What holds for every kind of output: nothing is imported, waited for, said or kept beyond what is needed."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mien.engine.errors import MienError, SettingsError
from mien.engine.outputs import kinds
from mien.engine.outputs.base import Event, EventKind, output_type
from mien.engine.outputs.kinds import OUTPUTS
from mien.engine.outputs.stage import OutputStage
from tests.engine.outputs.mosquitto import until
from tests.engine.outputs.scenes import free_port, live, prediction

ROOT = Path(__file__).parents[3]
HAPPY = prediction(0.9, 0.05, 0.05)
AWAY: dict[str, Callable[[], str]] = {
    "osc": lambda: f"127.0.0.1:{free_port()},tcp",
    "mqtt": lambda: f"mqtt://127.0.0.1:{free_port()}",
}
"""Targets at which nobody is, of kinds that have such."""
TYPED = [kind for kind in OUTPUTS if kind not in ("json", "lsl")]  # the one would make files, the other open streams


@contextmanager
def opened(stage: OutputStage) -> Iterator[OutputStage]:
    try:
        yield stage
    finally:
        stage.close()


def test_none_is_imported_before_it_is_used() -> None:
    modules = sorted({module for kind in OUTPUTS.values() for module in kind.requires})
    assert modules
    code = (
        "import sys\n"
        f"for name in {modules}: sys.modules[name] = None\n"
        "import mien.app.commands.watch, mien.engine.live.session, mien.engine.outputs.stage\n"
        "loaded = [name for name in sys.modules if name.startswith('mien.engine.outputs.')]\n"
        "print(*sorted(loaded))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    outputs = {kind.type.partition(":")[0] for kind in OUTPUTS.values()}
    assert not outputs & set(done.stdout.split())


@pytest.mark.parametrize("kind", [kind for kind in OUTPUTS if OUTPUTS[kind].requires])
def test_what_is_missing_is_said_in_one_line(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kinds, "find_spec", lambda name: None)
    known = OUTPUTS[kind]
    with pytest.raises(SettingsError) as error:
        OutputStage(kind, "")
    assert str(error.value) == f"{kind}: {known.package} is not installed; pip install 'mien[{known.extra}]'"


@pytest.mark.parametrize("kind", OUTPUTS)
def test_it_is_described(kind: str) -> None:
    known = OUTPUTS[kind]
    assert known.name and known.help.endswith(".") and known.target
    assert bool(known.requires) == bool(known.extra) == bool(known.package)
    listed = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert not known.extra or f"\n{known.extra} = [" in listed


@pytest.mark.parametrize("kind", TYPED)
@given(
    text=st.text(max_size=80)
    | st.from_regex(r"[a-z]{0,6}(://)?[a-z:@.\[\]0-9/]{0,20}(,[a-z]{0,6}=?[0-9a-z./~]{0,8}){0,3}")
)
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_whatever_is_typed_is_taken_or_refused_in_one_line(kind: str, text: str) -> None:
    made = output_type(kind)
    try:
        output = made(text)
    except SettingsError as error:
        assert str(error).startswith(f"{kind}: ") and "\n" not in str(error)
    except MienError as error:  # what it needs is not on this machine
        assert "\n" not in str(error)
    else:
        output.close()


@pytest.mark.parametrize("kind", AWAY)
def test_a_target_that_is_away_is_one_line_and_all_is_counted(kind: str) -> None:
    with opened(OutputStage(kind, AWAY[kind]())) as stage:
        for number in range(100):
            stage.offer(live(number, {1: HAPPY}))
        stage.note(Event(EventKind.MARKER, 1.0, time.monotonic(), "kept"))
        until(lambda: stage.status().dropped == 100)
        status = stage.status()
        assert status.sent == 0 and status.message.startswith(f"{kind} ") and "\n" not in status.message


@pytest.mark.parametrize("kind", AWAY)
def test_threads_end(kind: str) -> None:
    before = threading.active_count()
    for _ in range(3):
        with opened(OutputStage(kind, AWAY[kind]())) as stage:
            stage.offer(live(0, {1: HAPPY}))
            until(lambda: stage.status().dropped)
    until(lambda: threading.active_count() <= before)


@pytest.mark.parametrize("kind", AWAY)
def test_a_second_close_does_no_harm(kind: str) -> None:
    output = output_type(kind)(AWAY[kind]())
    output.close()
    output.close()
