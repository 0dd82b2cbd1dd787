"""The tests in this folder need torch and open_clip, which the train extra brings."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # for seeded_weights and its like, beside the tests

_MISSING = [name for name in ("torch", "open_clip", "onnx") if importlib.util.find_spec(name) is None]


class _Skipped(pytest.Module):
    """A test file that is not even imported, so that its imports cannot fail."""

    def collect(self) -> list[pytest.Item]:
        pytest.skip(f"{', '.join(_MISSING)} not installed (the train extra)", allow_module_level=True)


def pytest_pycollect_makemodule(module_path: Path, parent: pytest.Collector) -> pytest.Module | None:
    return _Skipped.from_parent(parent, path=module_path) if _MISSING else None


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Networks this small are slowed down by sharing them out, and the tests' machine may be busy."""
    torch = importlib.import_module("torch")
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(autouse=True)
def fresh_accelerate() -> Iterator[None]:
    """Accelerate keeps its settings for the whole process; every run here is one of its own."""
    yield
    if (state := sys.modules.get("accelerate.state")) is not None:
        state.AcceleratorState._reset_state(reset_partial_state=True)
