"""Writes down which releases of the libraries are tested: `python .ci/tested_versions.py` (needs uv and a network).

`constraints.txt`: the newest of everything that pyproject.toml allows, one file for all Pythons and systems; README's
install takes these. `assets/tested_versions.json`: of each library that Mien names itself, those releases and the
oldest allowed ones; `mien doctor` warns of others. Run it, and then `.ci/run`, whenever the bounds in pyproject.toml
change or newer releases are to be taken in.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
# The release that the training tests run with; a torch comes with exactly one torchvision that was built for it.
TORCH = ("torch==2.13.0", "torchvision==0.28.0")
EXTRAS = ("gpu", "train", "cluster", "test")
TESTED_ON = "x86_64-manylinux_2_36"


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        torch = Path(folder) / "torch.txt"
        torch.write_text("\n".join(TORCH) + "\n", encoding="utf-8")
        # Not TensorRT: what PyPI has of it is a placeholder, which only NVIDIA's own index can replace.
        extras = [word for name in EXTRAS for word in ("--extra", name)]
        everything = resolve("--universal", "--python-version", PYTHONS[0], *extras, "--constraints", str(torch))
        (ROOT / "constraints.txt").write_text(HEADER + everything, encoding="utf-8")
        seen: dict[str, set[str]] = {name: set() for name in named()}
        for python in PYTHONS:
            here = (
                "--python-version",
                python,
                "--python-platform",
                TESTED_ON,
                "--extra",
                "train",
                "--extra",
                "cluster",
            )
            for choice in (("--constraints", str(ROOT / "constraints.txt")), ("--resolution", "lowest-direct")):
                for name, release in pins(resolve(*here, *choice)):
                    if name in seen:
                        seen[name].add(release)
    table = {name: sorted(releases, key=by_number) for name, releases in sorted(seen.items()) if releases}
    text = json.dumps(table, indent=2) + "\n"
    (ROOT / "assets" / "tested_versions.json").write_text(text, encoding="utf-8")


HEADER = """\
# The releases that Mien is tested with, on every Python from 3.11 to 3.14: pip install -c constraints.txt .
# Made by `python .ci/tested_versions.py`; not to be edited by hand.
"""


def resolve(*arguments: str) -> str:
    """What uv would install of pyproject.toml, a line each."""
    command = ["uv", "pip", "compile", "--quiet", "--no-config", "--no-header", "--no-annotate", "--upgrade"]
    # Only published releases count, not what this machine may have besides.
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("UV_", "PIP_"))}
    done = subprocess.run(
        [*command, *arguments, "pyproject.toml"], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(f"uv found no set of releases:\n{done.stderr}")
    return done.stdout


def named() -> set[str]:
    """Libraries that Mien asks for itself, other than for its tests."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    asked = [*project["dependencies"], *extras["train"], *extras["cluster"]]
    return {normal(re.split(r"[<>=!~;\[ ]", requirement)[0]) for requirement in asked}


def pins(resolved: str) -> list[tuple[str, str]]:
    """Name and release of each line."""
    found = re.findall(r"^([A-Za-z0-9._-]+)==([^\s;+]+)", resolved, re.MULTILINE)
    return [(normal(name), release) for name, release in found]


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def by_number(release: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", release))


if __name__ == "__main__":
    main()
