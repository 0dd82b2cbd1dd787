"""Makes the folder that every installer holds: Mien, its Python, its libraries, the detector's files, licences.

    python packaging/freeze/freeze.py WORK [--environment FOLDER] [--manual FOLDER]

The Python that runs this is the one that is shipped; it must have a shared library (`./configure --enable-shared`, as
Debian's, python.org's and GitHub's have). WORK gets `dist/mien/` (macOS: `dist/Mien.app`) and `sbom.cdx.json`. It needs
the network, to install what constraints.txt pins; an environment that was made before is given with --environment.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tomllib
import venv
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent.parent

SMALLER = {"opencv-contrib-python": "opencv-python-headless", "onnxruntime-gpu": "onnxruntime"}
"""Builds of the same releases without windows of their own and without CUDA."""

_ALONE = ("mediapipe", "matplotlib")
"""Installed without what they ask for: MediaPipe would bring the larger OpenCV, and of matplotlib the demo's portrait
and a font are used."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path)
    parser.add_argument("--environment", type=Path, help="a virtual environment that --prepare made")
    parser.add_argument("--manual", type=Path, help="the built manual, to go along")
    parser.add_argument("--no-landmarker", action="store_true", help="do without it where it cannot be downloaded")
    parser.add_argument("--frozen", action="store_true", help="go on with what PyInstaller has made in WORK before")
    chosen = parser.parse_args()
    work = chosen.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    environment = (chosen.environment or make_environment(work / "environment")).absolute()
    python = interpreter(environment)
    if not chosen.frozen:
        install_mien(python)
        fetch_models(python, work / "models", landmarker=not chosen.no_landmarker)
        run(python, HERE / "icons.py", work / "icons")
        freeze(python, work)
    program = work / "dist" / ("Mien.app" if sys.platform == "darwin" else "mien")
    # macOS signs what lies in Contents/Resources as data.
    beside = program / "Contents" / "Resources" if sys.platform == "darwin" else program
    if sys.platform.startswith("linux"):
        run(python, ROOT / "packaging" / "linux" / "prune.py", program / "lib")
    licences = ("report.json", program / "lib", beside / "licenses", work / "sbom.cdx.json")
    run(python, ROOT / "packaging" / "licences.py", work / licences[0], *licences[1:])
    if chosen.manual is not None:
        shutil.copytree(chosen.manual, beside / "manual", dirs_exist_ok=True)
    print(program)


def make_environment(folder: Path) -> Path:
    """A virtual environment that holds what is shipped, and what builds it."""
    venv.create(folder, clear=True, with_pip=True, symlinks=sys.platform != "win32")
    python = interpreter(folder)
    pins = folder / "pins.txt"
    pins.write_text("".join(f"{line}\n" for line in constraints()), encoding="utf-8")
    pip = (python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-c", pins)
    run(*pip, "-r", ROOT / "packaging" / "requirements.txt", *requirements())
    run(*pip, "--no-deps", *_ALONE)
    return folder


def interpreter(environment: Path) -> Path:
    return environment / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")


def constraints() -> list[str]:
    """The lines of constraints.txt, with the smaller builds in the same releases as those they stand for."""
    lines = [line for line in _text("constraints.txt").splitlines() if line and not line.startswith("#")]
    pins = dict(re.findall(r"^([a-z0-9-]+)==([^\s;]+)", "\n".join(lines), re.MULTILINE))
    others = [line for line in lines if re.split("==", line)[0] not in SMALLER.values()]
    return others + [f"{build}=={pins[name]}" for name, build in SMALLER.items()]


def requirements() -> list[str]:
    """What pyproject.toml asks for, with the smaller builds, and the live outputs that may go along."""
    project = tomllib.loads(_text("pyproject.toml"))["project"]
    extras = project["optional-dependencies"]
    asked = list(project["dependencies"])
    # Not virtualcam: pyvirtualcam is under version 2 of the GPL alone, and cannot be passed on with what is under the
    # Apache licence, such as MediaPipe.
    for name in ("lsl", "osc", "mqtt", "web"):
        asked += extras.get(name, [])
    found = []
    for text in asked:
        name = re.match(r"[A-Za-z0-9._-]+", text).group()
        if name == "mien" or name in _ALONE:
            continue
        found.append(SMALLER.get(name, text))
    return [*found, "absl-py", "flatbuffers", "certifi", "sounddevice"]  # the last four for MediaPipe


def install_mien(python: Path) -> None:
    """This checkout, as a wheel would install it."""
    pip = [python, "-m", "pip"] if (python.parent.parent / "pins.txt").exists() else ["uv", "pip"]
    where = [] if pip[0] == python else ["--python", python]
    run(*pip, "install", "--quiet", "--no-deps", "--reinstall" if where else "--force-reinstall", *where, ROOT)


def fetch_models(python: Path, folder: Path, *, landmarker: bool) -> None:
    """The detector's files, and the landmarker's, checked against the sums that Mien knows."""
    folder.mkdir(exist_ok=True)
    program = (
        "import shutil, sys\n"
        "from mien.engine.inference import downloads\n"
        "found = [downloads.resolve_detector(name) for name in downloads.DETECTORS]\n"
        f"if {landmarker}:\n"
        "    found.append(downloads.resolve_landmarker())\n"
        "for path in found:\n"
        "    shutil.copy(path, sys.argv[1])\n"
    )
    run(python, "-c", program, folder)


def freeze(python: Path, work: Path) -> None:
    """PyInstaller over mien.spec."""
    for old in ("dist", "build"):
        shutil.rmtree(work / old, ignore_errors=True)
    environment = {
        **os.environ,
        "MIEN_FREEZE_MODELS": str(work / "models"),
        "MIEN_FREEZE_ICONS": str(work / "icons"),
        "MIEN_FREEZE_REPORT": str(work / "report.json"),
    }
    command = (python, "-m", "PyInstaller", "--noconfirm", "--log-level", "WARN", "--distpath", work / "dist",
               "--workpath", work / "build", HERE / "mien.spec")  # fmt: skip
    run(*command, env=environment, cwd=work)
    if sys.platform.startswith("linux"):
        program = work / "dist" / "mien"
        (program / "qt.conf").write_text("[Paths]\nPrefix = lib/PySide6/Qt\n", encoding="utf-8")


def run(*command: object, env: dict[str, str] | None = None, cwd: Path | None = None) -> None:
    subprocess.run([str(part) for part in command], check=True, env=env, cwd=cwd or ROOT.parent)


def _text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


if __name__ == "__main__":
    main()
