"""Which releases are tested: what is committed fits together, and doctor's question is answered by it."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from mien.app.versions import in_one_line, releases_seen, untested

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
CONSTRAINTS = [
    Requirement(line)
    for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    if not line.startswith("#")
]
SYSTEMS = [
    ("linux", "x86_64"), ("linux", "aarch64"), ("darwin", "arm64"), ("win32", "AMD64"),
]  # fmt: skip


def environment(python: str, system: str, machine: str) -> dict[str, str]:
    return {
        "python_version": python, "python_full_version": f"{python}.0", "sys_platform": system,
        "platform_machine": machine, "implementation_name": "cpython", "platform_python_implementation": "CPython",
        "platform_system": {"linux": "Linux", "darwin": "Darwin", "win32": "Windows"}[system],
    }  # fmt: skip


def holds(marker: Marker | None, where: dict[str, str]) -> bool:
    return marker is None or marker.evaluate({**where, "extra": ""})


@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13", "3.14"])
@pytest.mark.parametrize(("system", "machine"), SYSTEMS)
def test_the_constraints_pin_all_that_is_asked_for_to_one_allowed_release(
    python: str, system: str, machine: str
) -> None:
    where = environment(python, system, machine)
    extras = PROJECT["optional-dependencies"]
    chosen = [name for name in extras if name not in ("gpu", "tensorrt")]
    for text in [*PROJECT["dependencies"], *(line for name in chosen for line in extras[name])]:
        asked = Requirement(text)
        if asked.name == "mien":
            continue  # extras that bring others
        if not holds(asked.marker, where):
            continue
        name = canonicalize_name(asked.name)
        pins = [pin for pin in CONSTRAINTS if canonicalize_name(pin.name) == name and holds(pin.marker, where)]
        assert len(pins) == 1, (text, pins)
        (exactly,) = pins[0].specifier
        assert exactly.operator == "=="
        assert asked.specifier.contains(exactly.version), (text, pins)


def test_every_library_is_bounded_on_both_sides() -> None:
    for extra in ("", *(name for name in PROJECT["optional-dependencies"] if name != "test")):
        for text in PROJECT["optional-dependencies"][extra] if extra else PROJECT["dependencies"]:
            if text.startswith("mien["):
                continue
            operators = {part.operator for part in Requirement(text).specifier}
            assert operators == {">=", "<"}, text


def test_the_oldest_and_the_pinned_releases_are_the_tested_ones() -> None:
    table = releases_seen()
    on_linux = [environment(python, "linux", "x86_64") for python in ("3.11", "3.12", "3.13", "3.14")]
    for text in [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["train"]]:
        asked = Requirement(text)
        if not any(holds(asked.marker, where) for where in on_linux):
            continue
        known = table[canonicalize_name(asked.name)]
        (lowest,) = (part.version for part in asked.specifier if part.operator == ">=")
        assert re.sub(r"(\.0)+$", "", known[0]) == re.sub(r"(\.0)+$", "", lowest), text
        pins = [pin for pin in CONSTRAINTS if canonicalize_name(pin.name) == canonicalize_name(asked.name)]
        for pin in pins:
            assert {part.version for part in pin.specifier} <= set(known), pin


def test_nothing_of_the_machine_that_made_them_is_in_the_files() -> None:
    for name in ("constraints.txt", "assets/tested_versions.json"):
        text = (ROOT / name).read_text(encoding="utf-8")
        assert not re.search(r"://|/[a-z]+/|--(index|find|extra)|\+cpu", text), name
    assert json.loads((ROOT / "assets" / "tested_versions.json").read_text(encoding="utf-8")) == releases_seen()


def test_releases_that_no_test_has_seen() -> None:
    table = {"av": ["17.1.0", "19.0.2"], "torch": ["2.13.0"]}
    assert untested({"av": "19.0.2", "torch": "2.13.0+cpu", "ray": None}, table) == []
    assert untested({"av": "20.0.0"}, table) == ["no test has seen av 20.0.0 (but 17.1.0, 19.0.2)"]
    assert untested({"onnxruntime": "1.31.1"}, table) == ["no test has seen onnxruntime 1.31.1"]


def test_the_line_for_reports_names_the_libraries() -> None:
    for name in ("Mien ", "Python ", "numpy ", "av ", "mediapipe ", "onnxruntime", "PySide6-Essentials "):
        assert name in in_one_line()
