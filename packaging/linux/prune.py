"""Takes out of a frozen Mien what it never loads: `python prune.py lib`, over the folder of its libraries, on Linux.

OpenCV's wheel is linked with an FFmpeg of its own, and that with OpenSSL 1.1.1, whose licence may not be mixed with
x264's. Mien reads and writes video through PyAV and never through OpenCV. The linker must still find what OpenCV names,
so each library is replaced by one that has the same names, and ends the program with a line that says so if one is ever
called. Then every library goes that no other file needs. Needs gcc and objdump.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path


def main(folder: Path) -> None:
    (libraries,) = folder.glob("opencv_python_headless.libs")
    module = folder / "cv2" / "cv2.abi3.so"
    needed = [name for name in needs(module) if re.match(r"lib(av|sw)[a-z]+[-.]", name) and "libavif" not in name]
    symbols = undefined(module)
    for name in needed:
        stem = re.match(r"lib([a-z]+)", name).group(1)
        version = next((version for version in symbols if version.startswith(f"LIB{stem.upper()}_")), None)
        replace(libraries / name, name, version, symbols.get(version, []))
    if needed:
        print(f"replaced: {', '.join(needed)}")
    remove_orphans(folder)


def needs(file: Path) -> list[str]:
    """The libraries that `file` names as needed."""
    return re.findall(r"NEEDED\s+(\S+)", _run("objdump", "-p", file))


def undefined(module: Path) -> dict[str, list[str]]:
    """By version, such as LIBAVCODEC_62, the symbols of it that `module` expects from elsewhere."""
    found: dict[str, list[str]] = defaultdict(list)
    for line in _run("objdump", "-T", module).splitlines():
        match = re.search(r"\*UND\*\s+\S+\s+\(?(LIB(?:AV|SW)[A-Z]+_\d+)\)?\s+(\S+)$", line)
        if match:
            found[match.group(1)].append(match.group(2))
    return found


def replace(target: Path, soname: str, version: str | None, names: list[str]) -> None:
    """Write a library to `target` that has `names`, in `version`, and does nothing."""
    functions = "".join(f"void {name}(void) {{ refuse(); }}\n" for name in names)
    source = (
        "#include <stdlib.h>\n#include <unistd.h>\n"
        "static void refuse(void) {\n"
        '    static const char text[] = "mien: OpenCV has no FFmpeg in this program; video goes through PyAV\\n";\n'
        "    if (write(2, text, sizeof text - 1) < 0) { }\n    abort();\n}\n" + functions
    )
    script = target.with_suffix(".map")
    script.write_text(f"{version or 'NONE_0'} {{ global: {' '.join(f'{name};' for name in names)} local: *; }};\n")
    target.unlink(missing_ok=True)
    subprocess.run(
        ["gcc", "-shared", "-fPIC", "-fno-builtin", "-Os", "-s", "-w", f"-Wl,-soname,{soname}",
         f"-Wl,--version-script,{script}", "-x", "c", "-", "-o", str(target)],
        input=source, text=True, check=True,
    )  # fmt: skip
    script.unlink()


OPENED = ("libxcb", "libX11.", "libxkbcommon", "libglib-2.0", "libdbus-1", "libfontconfig", "libEGL", "libGL")
"""Beginnings of libraries that are loaded by name: by app/display.py, Qt and OpenGL's dispatchers."""


def remove_orphans(folder: Path) -> None:
    """Remove libraries that nothing in `folder` needs any more, and links to what is gone."""
    libraries: dict[str, Path] = {}
    wanted: set[str] = set()
    for file in sorted(folder.rglob("*.so*")):
        if file.is_symlink():
            continue
        if file.parent == folder or file.parent.name.endswith(".libs") or file.parent == folder / "PySide6/Qt/lib":
            libraries[file.name] = file
            if file.name.startswith((*OPENED, "libpython")) or ".cpython-" in file.name or ".abi3" in file.name:
                wanted.update((file.name, *needs(file)))
        else:
            wanted.update(needs(file))
    while True:
        more = {name for known in wanted if known in libraries for name in needs(libraries[known])}
        if more <= wanted:
            break
        wanted |= more
    for name, file in libraries.items():
        if name not in wanted:
            print(f"removed: {name} ({file.stat().st_size / 1e6:.1f} MB)")
            file.unlink()
    for link in folder.rglob("*"):
        if link.is_symlink() and not link.exists():
            link.unlink()


def _run(*command: object) -> str:
    return subprocess.run([str(part) for part in command], capture_output=True, text=True, check=True).stdout


if __name__ == "__main__":
    main(Path(sys.argv[1]))
