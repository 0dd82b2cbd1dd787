"""The rooms: who may know whom, checked on the code itself."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
CODE = sorted(path for room in ("app", "engine", "mien", "models") for path in (ROOT / room).rglob("*.py"))


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


def module_name(path: Path) -> str:
    """The name under which a file is imported: ``mien.engine.media.mp4.writer``."""
    parts = list(path.relative_to(ROOT).with_suffix("").parts)
    if parts[0] != "mien":
        parts.insert(0, "mien")
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def import_graph() -> dict[str, set[str]]:
    """Which file of the product imports which, wherever in the file it does so, and be it for types alone."""
    files = {module_name(path): path for path in CODE}
    graph: dict[str, set[str]] = {}
    for name, path in files.items():
        found: set[str] = set()
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
                found |= {f"{node.module}.{alias.name}" for alias in node.names} | {node.module}
        # A package's own file is run with every file in it, but only says what the package is for.
        graph[name] = {other for other in found if other in files and files[other].name != "__init__.py"}
    return graph


def circles(graph: dict[str, set[str]]) -> list[list[str]]:
    """Groups of files that import each other in a circle (Tarjan's strongly connected components)."""
    order: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(name: str) -> None:
        order[name] = low[name] = len(order)
        stack.append(name)
        for other in sorted(graph[name]):
            if other not in order:
                visit(other)
                low[name] = min(low[name], low[other])
            elif other in stack:
                low[name] = min(low[name], order[other])
        if low[name] == order[name]:
            group: list[str] = []
            while not group or group[-1] != name:
                group.append(stack.pop())
            if len(group) > 1 or name in graph[name]:
                found.append(sorted(group))

    for name in graph:
        if name not in order:
            visit(name)
    return found


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds the package `mien` as it is when installed."""
    folder = tmp_path_factory.mktemp("installed")
    shutil.copytree(ROOT / "mien", folder / "mien", ignore=shutil.ignore_patterns("__pycache__"))
    for room in ("app", "assets", "engine", "models"):
        skipped = shutil.ignore_patterns("__pycache__", "*.onnx", "*.png", "*.jpg")
        shutil.copytree(ROOT / room, folder / "mien" / room, ignore=skipped)
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


def test_import_contracts_hold(installed: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command as main; main()", "--no-cache"],
        cwd=installed, env={**os.environ, "PYTHONPATH": str(installed)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_file_imports_itself_by_a_detour() -> None:
    assert circles(import_graph()) == []


def test_circles_are_found() -> None:
    graph = {"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"a"}}
    assert circles(graph) == [["b", "c"]]


def test_rooms_stay_small() -> None:
    for path in CODE:
        lines = len(path.read_text(encoding="utf-8").splitlines())
        assert lines <= 400, f"{path.relative_to(ROOT)} has {lines} lines"
    for folder in {path.parent for path in CODE}:
        modules = [path.name for path in folder.glob("*.py") if path.name != "__init__.py"]
        assert len(modules) <= 14, f"{folder.relative_to(ROOT)} has {len(modules)} modules"


def test_the_page_names_the_rooms_that_exist() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    table = page[page.index("| floor |") : page.index("`models/` has")]
    cells = [line.split("|")[2] for line in table.splitlines() if line.startswith("| ") and "floor" not in line]
    named = {name for cell in cells for name in re.findall(r"`(\w+)`", cell)}
    items = [path for path in (ROOT / "engine").iterdir() if path.name not in ("__init__.py", "__pycache__")]
    assert named == {path.stem for path in items}
    drawn = set(re.findall(r"\w+", " ".join(re.findall(r'f\d\["([^"]+)"\]', page))))
    assert drawn == named, "the diagram of floors and the table disagree"
    for top, text in (("models", "`models/` has"), ("app", "`app/` has")):
        sentence = page[page.index(text) :].split(".")[0]
        folders = {path.parent.name for path in (ROOT / top).glob("*/__init__.py")}
        assert folders <= set(re.findall(r"`(\w+)`", sentence)), f"{top} has a room that the page does not name"
    for mentioned in re.findall(r"`((?:app|engine|models|tests)/[\w/]+\.py)`", page):
        assert (ROOT / mentioned).exists(), mentioned


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

    assert where(lambda path: starts_threads(path) and not path.is_relative_to(ROOT / "app")) == {"engine/threads.py"}


@pytest.mark.parametrize(
    ("package", "allowed"),
    [
        ("mediapipe", {"engine/faces/detector.py"}),
        # The second only uses the quantisation tools that come with the runtime; it runs no graph.
        ("onnxruntime", {"engine/inference/graph.py", "models/export/quantise.py"}),
        ("ray", {"engine/batch/cluster.py"}),
    ],
)
def test_a_runtime_is_named_in_one_file(package: str, allowed: set[str]) -> None:
    assert where(lambda path: package in imports(path)) == allowed


def test_torch_stays_in_models() -> None:
    users = where(lambda path: bool({"torch", "open_clip"} & imports(path)))
    assert all(user.startswith("models/") for user in users)


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
        "import mien.app.cli, mien.engine.batch.annotator, mien.engine.inference.predictor\n"
        "import mien.engine.faces.detector, mien.engine.inference.bundle\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
