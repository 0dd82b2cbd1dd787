"""Makes Mien's Linux installers: `python packaging/linux/build.py OUT [--work FOLDER] [--environment FOLDER]`.

OUT gets mien-VERSION-linux-ARCH.tar.gz, mien_VERSION_ARCH.deb, their SBOM and SHA256SUMS. To be run on the oldest
system that the installers are for (Debian 12), with its packages of README's first command, gcc, binutils and dpkg-deb.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tarfile
import tomllib
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
VERSION = PROJECT["version"]

DEPENDS = "libc6 (>= 2.36), libstdc++6 (>= 12), libgcc-s1, zlib1g"
"""What a bare Debian has already; all else comes along."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--work", type=Path, default=ROOT / "build" / "packaging")
    parser.add_argument("--environment", type=Path)
    parser.add_argument("--manual", type=Path)
    parser.add_argument("--no-landmarker", action="store_true", help="see packaging/freeze/freeze.py")
    parser.add_argument("--frozen", action="store_true", help="take what is frozen in the work folder already")
    chosen = parser.parse_args()
    work, out = chosen.work.resolve(), chosen.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    program = work / "dist" / "mien"
    given = [("--environment", chosen.environment), ("--manual", chosen.manual)]
    options = [str(part) for option, value in given if value is not None for part in (option, value.absolute())]
    options += [name for name, set_ in (("--frozen", chosen.frozen), ("--no-landmarker", chosen.no_landmarker)) if set_]
    _run(sys.executable, ROOT / "packaging" / "freeze" / "freeze.py", work, *options)
    strip(program / "lib")
    remove_copies(program / "lib")
    share(program, work / "icons")
    made = [archive(program, out), package(program, work / "deb", out)]
    bill = out / f"mien-{VERSION}-linux-{platform.machine()}.cdx.json"
    shutil.copy(work / "sbom.cdx.json", bill)
    sums = "".join(f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n" for file in (*made, bill))
    (out / f"SHA256SUMS-linux-{platform.machine()}").write_text(sums)
    print(table(program))
    for file in made:
        print(f"{file.name}: {file.stat().st_size / 1e6:.0f} MB")


def strip(libraries: Path) -> None:
    """Take the symbols out of MediaPipe's library and Python's own.

    Out of no other: the linker refuses libraries that auditwheel has rewritten and strip has shortened.
    """
    for file in (libraries / "mediapipe/tasks/c/libmediapipe.so", *libraries.glob("libpython3*.so*")):
        _run("strip", "--strip-unneeded", file)
    for file in libraries.glob("python3*/lib-dynload/*.so"):
        _run("strip", "--strip-unneeded", file)


def remove_copies(libraries: Path) -> None:
    """Links in the place of files that are there twice, as PyInstaller leaves some libraries of wheels."""
    first: dict[tuple[str, int], Path] = {}
    for file in sorted(libraries.rglob("*")):
        if file.is_symlink() or not file.is_file() or file.stat().st_size < 100_000:
            continue
        key = (hashlib.sha256(file.read_bytes()).hexdigest(), file.stat().st_size)
        if key in first:
            file.unlink()
            file.symlink_to(os.path.relpath(first[key], file.parent))
        else:
            first[key] = file


def share(program: Path, icons: Path) -> None:
    """What desktops and shells look for, in `program`/share, laid out as /usr/share is."""
    folder = program / "share"
    shutil.rmtree(folder, ignore_errors=True)
    _copy(HERE / "mien.desktop", folder / "applications" / "mien.desktop")
    _copy(icons / "mien.svg", folder / "icons/hicolor/scalable/apps/mien.svg")
    for size in (16, 24, 32, 48, 64, 128, 256):
        _copy(icons / f"mien-{size}.png", folder / f"icons/hicolor/{size}x{size}/apps/mien.png")
    pages = ROOT / "packaging" / "pages"
    page = folder / "man" / "man1" / "mien.1.gz"
    page.parent.mkdir(parents=True)
    page.write_bytes(gzip.compress((pages / "mien.1").read_bytes(), mtime=0))
    _copy(pages / "mien.bash", folder / "bash-completion/completions/mien")
    _copy(pages / "mien.zsh", folder / "zsh/vendor-completions/_mien")
    _copy(pages / "mien.fish", folder / "fish/vendor_completions.d/mien.fish")
    _copy(ROOT / "LICENSE", program / "LICENSE")
    _copy(HERE / "mien-open", program / "mien-open")
    (program / "mien-open").chmod(0o755)


def archive(program: Path, out: Path) -> Path:
    """The folder as it is, with ./install and ./uninstall."""
    name = f"mien-{VERSION}-linux-{platform.machine()}"
    path = out / f"{name}.tar.gz"

    def as_root(member: tarfile.TarInfo) -> tarfile.TarInfo:
        member.uid = member.gid = 0
        member.uname = member.gname = "root"
        return member

    with tarfile.open(path, "w:gz", compresslevel=9) as tar:
        tar.add(program, name, filter=as_root)
        for script in ("install", "uninstall"):
            tar.add(HERE / script, f"{name}/{script}", filter=as_root)
    return path


def package(program: Path, work: Path, out: Path) -> Path:
    """Debian's package: /usr/lib/mien, and links to it; no scripts run, so that dpkg alone removes all of it."""
    shutil.rmtree(work, ignore_errors=True)
    home = work / "usr" / "lib" / "mien"
    home.parent.mkdir(parents=True)
    shutil.copytree(program, home, symlinks=True, ignore=shutil.ignore_patterns("share"))
    shutil.copytree(program / "share", work / "usr" / "share")
    (work / "usr" / "bin").mkdir()
    (work / "usr" / "bin" / "mien").symlink_to("../lib/mien/mien")
    documents = work / "usr" / "share" / "doc" / "mien"
    documents.mkdir(parents=True)
    shutil.copy(home / "licenses" / "README.txt", documents / "copyright")
    if (home / "manual").is_dir():
        (documents / "html").symlink_to("../../../lib/mien/manual")
    for folder, _, files in os.walk(work):
        Path(folder).chmod(0o755)
        for file in map(Path(folder).joinpath, files):
            if not file.is_symlink():
                file.chmod(0o755 if file.parent == home and file.stem in ("mien", "mien-open") else 0o644)
    size = sum(file.lstat().st_size for file in work.rglob("*") if not file.is_dir()) // 1024
    machine = _run("dpkg", "--print-architecture").strip()
    (work / "DEBIAN").mkdir()
    (work / "DEBIAN" / "control").write_text(
        f"Package: mien\nVersion: {VERSION}\nArchitecture: {machine}\nSection: video\nPriority: optional\n"
        f"Maintainer: Mien <{os.environ.get('MIEN_MAINTAINER', 'root@localhost')}>\nInstalled-Size: {size}\n"
        f"Depends: {DEPENDS}\nRecommends: libportaudio2, xdg-utils\n"
        f"Description: {PROJECT['description'].rstrip('.')}\n"
        " Live from cameras and network streams, and in files: every face is followed, its expression\n"
        " read, drawn over the video and written down frame by frame. Nothing leaves the machine.\n"
    )
    path = out / f"mien_{VERSION}_{machine}.deb"
    _run("dpkg-deb", "--root-owner-group", "-Zzstd", "-z12", "--build", work, path)
    return path


def table(program: Path) -> str:
    """Where the space goes, largest first."""
    sizes: dict[str, int] = {}
    for file in program.rglob("*"):
        if file.is_file() and not file.is_symlink():
            parts = file.relative_to(program).parts
            name = parts[1] if parts[0] == "lib" and len(parts) > 2 else "the rest" if parts[0] == "lib" else parts[0]
            sizes[name] = sizes.get(name, 0) + file.stat().st_size
    rows = [f"| {name} | {size / 1e6:.1f} |" for name, size in sorted(sizes.items(), key=lambda item: -item[1])]
    return "\n".join(["| part | MB |", "|---|---|", *rows, f"| all | {sum(sizes.values()) / 1e6:.1f} |"])


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(source, target)


def _run(*command: object) -> str:
    words = [str(part) for part in command]
    return subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True).stdout


if __name__ == "__main__":
    main()
