"""The rooms: who may know whom, checked on the code itself."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
CODE = sorted(path for room in ("app", "engine", "models") for path in (ROOT / room).rglob("*.py"))


def imports(path: Path) -> set[str]:
    """Top-level names of all modules that a file imports, wherever in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            found.add(node.module.split(".")[0])
    return found


def where(condition) -> set[str]:
    return {path.relative_to(ROOT).as_posix() for path in CODE if condition(path)}


def test_import_contracts_hold() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command as main; main()"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def test_only_one_file_starts_threads() -> None:
    def starts_threads(path: Path) -> bool:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        names = {"Thread", "Timer", "ThreadPoolExecutor", "ProcessPoolExecutor", "start_new_thread", "QThread"}
        return any(
            (isinstance(node, ast.Attribute) and node.attr in names)
            or (isinstance(node, ast.Name) and node.id in names)
            or (isinstance(node, ast.ImportFrom) and names & {alias.name for alias in node.names})
            for node in ast.walk(tree)
        )

    assert where(lambda path: starts_threads(path) and not path.is_relative_to(ROOT / "app")) == {"engine/stages.py"}


@pytest.mark.parametrize(
    ("package", "allowed"),
    [
        ("mediapipe", {"engine/detector.py"}),
        # The second only uses the quantisation tools that come with the runtime; it runs no graph.
        ("onnxruntime", {"engine/graph.py", "models/quantise.py"}),
        ("ray", {"engine/cluster.py"}),
    ],
)
def test_a_runtime_is_named_in_one_file(package: str, allowed: set[str]) -> None:
    assert where(lambda path: package in imports(path)) == allowed


def test_torch_stays_in_models() -> None:
    users = where(lambda path: bool({"torch", "open_clip"} & imports(path)))
    assert all(user.startswith("models/") for user in users)
    assert "models/bundle.py" not in users


def test_nothing_is_unpickled_unsafely() -> None:
    for path in CODE:
        text = path.read_text(encoding="utf-8")
        assert "weights_only=False" not in text, path
        assert "allow_pickle=True" not in text, path
        assert not {"joblib", "dill", "cloudpickle", "shelve"} & imports(path), path
        for call in ("pickle.load", "pickle.loads", "pickle.Unpickler", "read_pickle"):
            assert call not in text, path


def test_running_needs_no_torch() -> None:
    code = (
        "import sys\n"
        "for name in ('torch', 'open_clip', 'PySide6'):\n"
        "    sys.modules[name] = None\n"
        "import app.cli, engine.annotate, engine.predictor, engine.detector, models.bundle\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
