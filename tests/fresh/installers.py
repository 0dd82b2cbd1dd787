"""Tries the Linux installers on bare Debians.

    python tests/fresh/installers.py FOLDER [--roots FOLDER] [--pictures FOLDER]

FOLDER holds what packaging/linux/build.py has made. For Debian 12 and 13, and for each of the .deb and the .tar.gz: a
bare root without Python, in an empty network namespace, in which Mien is installed, `mien doctor` passes, the demo
becomes an MP4 (read back on this machine), two files are annotated by processes of their own, what needs Ray or torch
says so, the window opens on an Xvfb of this machine and is photographed, and removal leaves nothing but the user's
files. Needs root, debootstrap, unshare, Xvfb, ImageMagick's import, and ffprobe or PyAV. Prints a line for each step;
ends with 1 where one fails. Imports nothing of Mien.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[2]
SUITES = {"bookworm": "Debian 12", "trixie": "Debian 13"}
DISPLAY = ":78"
_SCREENS = Path("/tmp/.X11-unix")
USER_FILES = ("demo.csv", "demo.json", "demo.mp4", "clips", "several")


class Bare:
    """A bare root, and what is done in it."""

    def __init__(self, suite: str, folder: Path) -> None:
        self.suite, self.folder = suite, folder

    def run(self, command: str, *, seconds: float = 900) -> str:
        """What a command in it prints on both outputs; it has no network, not even a loopback that is up."""
        done = subprocess.run(
            self.command(command),
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=seconds, check=False, env=_plain(),
        )  # fmt: skip
        expect(done.returncode == 0, f"{command!r} ended with {done.returncode}: {done.stdout.strip()[-1500:]}")
        return done.stdout

    def command(self, text: str) -> list[str]:
        """The words that run `text` in it, without a network."""
        inside = [str(ROOT / ".ci" / "root"), "run", str(self.folder)]
        path = "export PATH=/usr/local/bin:$PATH; "  # as a login on Debian has it
        return ["unshare", "--net", *inside, "-b", str(_SCREENS), str(_SCREENS), path + text]

    def files(self) -> dict[str, str]:
        """Every file in it, with what it links to; without the system's own records."""
        found = {}
        for place, folders, names in os.walk(self.folder):
            inside = Path(place).relative_to(self.folder)
            folders[:] = [name for name in folders if str(inside / name) not in _NOT_LOOKED_AT]
            for name in names:
                path = Path(place, name)
                found[str(inside / name)] = str(path.readlink()) if path.is_symlink() else ""
            if not names and not folders:
                found[f"{inside}/"] = ""
        return found


_NOT_LOOKED_AT = {"proc", "sys", "dev", "tmp/.X11-unix", "var/log", "var/cache/ldconfig", "var/lib/dpkg"}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument(
        "--roots", type=Path, help="where bare roots are kept, or are made; default: a temporary folder"
    )
    parser.add_argument("--pictures", type=Path, default=Path("pictures"))
    parser.add_argument("--suite", choices=SUITES, action="append")
    parser.add_argument("--kind", choices=("deb", "tar"), action="append")
    chosen = parser.parse_args()
    chosen.pictures.mkdir(parents=True, exist_ok=True)
    failed = 0
    with tempfile.TemporaryDirectory() as temporary:
        for suite in chosen.suite or SUITES:
            bare = (chosen.roots or Path(temporary)) / suite
            if not bare.exists():
                print(f"{SUITES[suite]}: making a bare root", flush=True)
                _run(ROOT / ".ci" / "root", "make", suite, bare)
            for kind in chosen.kind or ("deb", "tar"):
                failed += try_one(kind, suite, bare, chosen.folder.resolve(), chosen.pictures.resolve())
    return 1 if failed else 0


def try_one(kind: str, suite: str, bare: Path, installers: Path, pictures: Path) -> int:
    """All steps with one installer in a copy of a bare root; the number that failed."""
    failed = 0
    with tempfile.TemporaryDirectory(prefix="mien-bare-", dir=bare.parent) as temporary:
        copy = Path(temporary) / "root"
        _run("cp", "-a", "--reflink=auto", bare, copy)
        root = Bare(suite, copy)
        steps: list[tuple[str, Callable[[], str]]] = [
            ("bare", lambda: nothing_there(root)),
            ("install", lambda: install(kind, root, installers)),
            ("doctor", lambda: doctor(root)),
            ("demo", lambda: demo(root)),
            ("several files", lambda: several(root)),
            ("what it lacks", lambda: lacks(root)),
            ("manual page", lambda: pages(root)),
            ("window", lambda: window(root, pictures / f"window-{suite}-{kind}.png")),
            ("remove", lambda: remove(kind, root)),
        ]
        for name, step in steps:
            began = time.monotonic()
            try:
                result = step()
            except Exception as error:
                failed += 1
                result = f"FAILED: {type(error).__name__}: {error}"
            print(f"{SUITES[suite]}, {kind}: {name}: {result} ({time.monotonic() - began:.0f} s)", flush=True)
            if failed and name in ("bare", "install"):
                break
    return failed


def nothing_there(root: Bare) -> str:
    """No Python, no network, no library of X or OpenGL, no font."""
    root.run(
        "! command -v python3 && ! test -e /etc/fonts && ! ls /usr/lib/*/libxcb.so.1 /usr/lib/*/libEGL.so.1 2>/dev/null"
    )
    links = root.run("cat /proc/net/dev").splitlines()[2:]
    expect([line.split(":")[0].strip() for line in links] == ["lo"], f"there is a network: {links}")
    return "no Python, no network, no X, no OpenGL, no fonts"


def install(kind: str, root: Bare, installers: Path) -> str:
    root.before = root.files()  # type: ignore[attr-defined]
    (package,) = installers.glob("*.deb" if kind == "deb" else "*.tar.gz")
    shutil.copy(package, root.folder / "srv")
    if kind == "deb":
        root.run(f"dpkg -i /srv/{package.name} && rm /srv/{package.name}")
        size = root.run("dpkg-query -W -f '${Installed-Size}' mien").strip()
        expect(root.run("dpkg --verify mien").strip() == "", "dpkg --verify has complaints")
        installed = int(size) / 1024 * 1.048576
    else:
        root.run(f"mkdir -p /srv/somewhere && tar -xf /srv/{package.name} -C /srv/somewhere && rm /srv/{package.name}")
        # Moved after it was unpacked: it must not know where it lies.
        root.run("mv /srv/somewhere/mien-* '/srv/a place' && rmdir /srv/somewhere && '/srv/a place/install'")
        installed = sum(f.lstat().st_size for f in (root.folder / "srv" / "a place").rglob("*") if f.is_file()) / 1e6
    said = root.run("cd / && mien --version").strip()
    expect(said.startswith("Mien, version "), said)
    return f"{said}; {package.stat().st_size / 1e6:.0f} MB to download, {installed:.0f} MB installed"


def doctor(root: Bare) -> str:
    said = root.run("mien doctor").splitlines()
    expect(any(line.startswith("sends nothing:") for line in said), "\n".join(said))
    pipeline = next(line for line in said if line.startswith("pipeline:"))
    warnings = [line for line in said if line.startswith("warning:")]
    expect(not warnings, "; ".join(warnings))
    return f"{said[-1]}; {' '.join(pipeline.split()[1:])}"


def demo(root: Bare) -> str:
    root.run("cd /root && mien annotate demo -o demo.mp4")
    path = root.folder / "root" / "demo.mp4"
    frames = _frames(path)
    expect(frames > 100, f"{frames} frames")
    rows = (root.folder / "root" / "demo.csv").read_text(encoding="utf-8").splitlines()
    faces = [row for row in rows[1:] if ",ok," in row]
    expect(len(faces) > frames / 2, f"{len(faces)} of {frames} frames have a face with numbers")
    document = json.loads((root.folder / "root" / "demo.json").read_text(encoding="utf-8"))
    return f"{frames} frames, {len(faces)} of them with numbers, by {document['model']['name']}"


def several(root: Bare) -> str:
    """Worker processes are the frozen program again."""
    root.run("cd /root && mkdir clips && cp demo.mp4 clips/a.mp4 && cp demo.mp4 clips/b.mp4")
    root.run("cd /root && mien annotate clips -o several --jobs 2")
    made = sorted(path.name for path in (root.folder / "root" / "several").glob("*.mp4"))
    expect(len(made) == 2, f"made {made}")
    return f"{', '.join(made)} by two processes"


def lacks(root: Bare) -> str:
    """Ray and training are not in it: one line says how to get them, and nothing is a crash."""
    (root.folder / "root" / "weights.pt").write_bytes(b"no checkpoint")
    said = []
    for command in ("mien annotate demo -o ray.mp4 --ray auto", "mien model import weights.pt -o imported"):
        lines = root.run(f"cd /root; {command} 2>&1 || test $? = 2").strip().splitlines()
        expect("Traceback" not in "".join(lines) and lines[-1].startswith("mien: "), "; ".join(lines[-5:]))
        said.append(lines[-1].removeprefix("mien: "))
    (root.folder / "root" / "weights.pt").unlink()
    expect('uv tool install "mien[cluster]"' in said[0], said[0])
    return "; ".join(said)


def pages(root: Bare) -> str:
    there = root.run(
        "ls -d /usr/share/man/man1/mien.1.gz /usr/local/share/man/man1/mien.1.gz 2>/dev/null || true"
    ).split()
    expect(len(there) == 1, f"manual pages: {there}")
    text = root.run(f"zcat {there[0]}")
    expect("mien annotate" in text, "the manual page says nothing about annotate")
    completed = root.run("COMP_WORDS='mien ann' COMP_CWORD=1 _MIEN_COMPLETE=bash_complete mien").strip()
    expect(completed == "plain,annotate", completed)
    return f"{there[0]}; the shell completes ann to annotate"


def window(root: Bare, picture: Path) -> str:
    """Opened by what the menu starts, photographed once it shows numbers."""
    screen = subprocess.Popen(
        ["Xvfb", DISPLAY, "-screen", "0", "1400x900x24", "-nolisten", "tcp", "-ac"], stderr=subprocess.DEVNULL
    )
    try:
        _wait(lambda: (_SCREENS / f"X{DISPLAY[1:]}").exists(), 30)
        entry = next((root.folder / "usr").rglob("share/applications/mien.desktop")).read_text(encoding="utf-8")
        start = next(line for line in entry.splitlines() if line.startswith("Exec=")).removeprefix("Exec=")
        # MIEN_STARTUP makes the window say when its first numbers are painted; then it has 4 s more, and is closed.
        command = (
            f"cd /root && export DISPLAY={DISPLAY} MIEN_STARTUP=1 && "
            f"{{ {start.replace('%u', 'demo')} >window.txt 2>&1 & }}; "
            "pid=$!; for i in $(seq 600); do grep -q 'first bars' window.txt && break; sleep 0.5; done; sleep 4; "
            "touch ready; for i in $(seq 600); do test -e taken && break; sleep 0.2; done; "
            "kill $pid; code=0; wait $pid || code=$?; cat window.txt; rm -f window.txt ready taken; exit $code"
        )
        process = subprocess.Popen(
            root.command(command),
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=_plain(),
        )  # fmt: skip
        home = root.folder / "root"
        _wait(lambda: (home / "ready").exists() or process.poll() is not None, 400)
        if process.poll() is None:
            _run("import", "-display", DISPLAY, "-window", "root", picture)
            (home / "taken").touch()
        said, _ = process.communicate(timeout=120)
        lines = [line for line in said.splitlines() if line.strip()]
        expect(process.returncode == 0, f"the window ended with {process.returncode}: {said.strip()[-1500:]}")
        expect(lines and lines[-1].startswith("first bars"), said.strip()[-1500:])
        expect(all(line.startswith(("window painted", "first ")) for line in lines), said.strip()[-1500:])
        return f"{', '.join(lines)}; {picture.name}"
    finally:
        screen.terminate()
        screen.wait()


def remove(kind: str, root: Bare) -> str:
    if kind == "deb":
        root.run("dpkg --purge mien")
    else:
        root.run("'/srv/a place/uninstall' && rm -r '/srv/a place'")
    before: dict[str, str] = root.before  # type: ignore[attr-defined]
    left = sorted(set(root.files()) - set(before))
    # The user's own settings and caches.
    mine = [
        name for name in left
        if not name.startswith(tuple(f"root/{file}" for file in USER_FILES))
        and not name.startswith(("root/.cache/", "root/.config/", "root/.local/state/"))
    ]  # fmt: skip
    expect(not mine, f"left behind: {', '.join(mine[:20])}")
    gone = sorted(name for name in set(before) - set(root.files()) if not name.endswith("/"))
    expect(not gone, f"files of the system are gone: {gone[:20]}")
    kept = {"/".join(Path(name).parts[1:3]) for name in left}
    return f"left are the user's own: {', '.join(sorted(kept))}"


def _frames(path: Path) -> int:
    if shutil.which("ffprobe"):
        said = _run("ffprobe", "-v", "error", "-count_frames", "-select_streams", "v", "-show_entries",
                    "stream=nb_read_frames", "-of", "csv=p=0", path)  # fmt: skip
        return int(said.strip().strip(","))
    import av

    with av.open(str(path)) as container:
        return sum(1 for _ in container.decode(video=0))


def _plain() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG")}


def _run(*command: object) -> str:
    words = [str(part) for part in command]
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    expect(done.returncode == 0, f"{' '.join(words)} ended with {done.returncode}: {done.stdout.strip()[-1500:]}")
    return done.stdout


def _wait(condition: Callable[[], bool], seconds: float) -> None:
    end = time.monotonic() + seconds
    while not condition():
        expect(time.monotonic() < end, f"nothing happened for {seconds:.0f} s")
        time.sleep(0.1)


def expect(fact: object, otherwise: str) -> None:
    if not fact:
        raise RuntimeError(otherwise)


if __name__ == "__main__":
    sys.exit(main())
