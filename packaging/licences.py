"""Gathers the licences of all that a frozen Mien ships.

    python packaging/licences.py REPORT LIBRARIES FOLDER SBOM

Run by packaging/freeze/freeze.py in the environment that was frozen. REPORT is what mien.spec wrote: every file that is
shipped, with where it came from; of libraries, those count that are still in LIBRARIES. FOLDER gets README.txt (what is
what, and where its source is), index.json for the About page, and the licences themselves; SBOM is written in
CycloneDX's form. Ends with an error where a library is shipped whose licence nobody has looked up.
"""

from __future__ import annotations

import importlib
import json
import platform
import re
import shutil
import subprocess
import sys
from dataclasses import asdict, dataclass, field
from importlib import metadata
from pathlib import Path

TEXTS = Path(__file__).parent / "licences"

# What wheels hold beside their own work, by the beginning of the file's name: title, SPDX licence, where the source is.
NATIVE = {
    "av": {
        "av": ("FFmpeg", "LGPL-3.0-or-later", "https://ffmpeg.org/releases/"),
        "sw": ("FFmpeg", "LGPL-3.0-or-later", "https://ffmpeg.org/releases/"),
        "x264": ("x264", "GPL-2.0-or-later", "https://code.videolan.org/videolan/x264"),
        "x265": ("x265", "GPL-2.0-or-later", "https://bitbucket.org/multicoreware/x265_git"),
        "SvtAv1": ("SVT-AV1", "BSD-3-Clause-Clear", "https://gitlab.com/AOMediaCodec/SVT-AV1"),
        "dav1d": ("dav1d", "BSD-2-Clause", "https://code.videolan.org/videolan/dav1d"),
        "vpx": ("libvpx", "BSD-3-Clause", "https://chromium.googlesource.com/webm/libvpx"),
        "webp": ("libwebp", "BSD-3-Clause", "https://chromium.googlesource.com/webm/libwebp"),
        "sharpyuv": ("libwebp", "BSD-3-Clause", "https://chromium.googlesource.com/webm/libwebp"),
        "mp3lame": ("LAME", "LGPL-2.0-or-later", "https://lame.sourceforge.io"),
        "opus": ("Opus", "BSD-3-Clause", "https://opus-codec.org"),
        "opencore": ("OpenCORE AMR", "Apache-2.0", "https://sourceforge.net/projects/opencore-amr"),
        "gnutls": ("GnuTLS", "LGPL-2.1-or-later", "https://gnutls.org"),
        "nettle": ("Nettle", "LGPL-3.0-or-later OR GPL-2.0-or-later", "https://www.lysator.liu.se/~nisse/nettle"),
        "hogweed": ("Nettle", "LGPL-3.0-or-later OR GPL-2.0-or-later", "https://www.lysator.liu.se/~nisse/nettle"),
        "gmp": ("GMP", "LGPL-3.0-or-later OR GPL-2.0-or-later", "https://gmplib.org"),
        "unistring": (
            "libunistring",
            "LGPL-3.0-or-later OR GPL-2.0-or-later",
            "https://www.gnu.org/software/libunistring",
        ),
        "tasn1": ("libtasn1", "LGPL-2.1-or-later", "https://www.gnu.org/software/libtasn1"),
        "vpl": ("oneVPL", "MIT", "https://github.com/intel/libvpl"),
        "asound": ("alsa-lib", "LGPL-2.1-or-later", "https://www.alsa-project.org"),
        "drm": ("libdrm", "MIT", "https://gitlab.freedesktop.org/mesa/drm"),
        "xcb": ("libxcb", "MIT", "https://gitlab.freedesktop.org/xorg/lib/libxcb"),
        "Xau": ("libXau", "MIT", "https://gitlab.freedesktop.org/xorg/lib/libxau"),
    },
    "opencv-python-headless": {
        "av": ("stand-ins for FFmpeg", "Apache-2.0", "packaging/linux/without_ffmpeg.py of Mien's source"),
        "sw": ("stand-ins for FFmpeg", "Apache-2.0", "packaging/linux/without_ffmpeg.py of Mien's source"),
        "avif": ("libavif", "BSD-2-Clause", "https://github.com/AOMediaCodec/libavif"),
        "aom": ("libaom", "BSD-2-Clause", "https://aomedia.googlesource.com/aom"),
        "openblas": ("OpenBLAS", "BSD-3-Clause", "https://github.com/OpenMathLib/OpenBLAS"),
        "gfortran": ("GNU Fortran's runtime", "GPL-3.0-or-later WITH GCC-exception-3.1", "https://gcc.gnu.org"),
        "quadmath": ("GNU quadmath", "LGPL-2.0-or-later", "https://gcc.gnu.org"),
        "drm": ("libdrm", "MIT", "https://gitlab.freedesktop.org/mesa/drm"),
        "png": ("libpng", "libpng-2.0", "http://www.libpng.org"),
    },
    "numpy": {
        "scipy_openblas": ("OpenBLAS", "BSD-3-Clause", "https://github.com/OpenMathLib/OpenBLAS"),
        "gfortran": ("GNU Fortran's runtime", "GPL-3.0-or-later WITH GCC-exception-3.1", "https://gcc.gnu.org"),
        "quadmath": ("GNU quadmath", "LGPL-2.0-or-later", "https://gcc.gnu.org"),
    },
    "PySide6-Essentials": {
        "Qt6": ("Qt", "LGPL-3.0-only", "https://download.qt.io/official_releases/qt/"),
        "icu": ("ICU", "Unicode-3.0", "https://icu.unicode.org"),
        "pyside6": ("Qt for Python", "LGPL-3.0-only", "https://download.qt.io/official_releases/QtForPython/"),
    },
}

# What metadata of a release says in other words than SPDX's, or not at all.
EXPRESSIONS = {
    "certifi": "MPL-2.0", "flatbuffers": "Apache-2.0", "markdown-it-py": "MIT", "matplotlib": "PSF-2.0 (matplotlib)",
    "mdurl": "MIT", "mediapipe": "Apache-2.0", "onnxruntime": "MIT", "opencv-python-headless": "Apache-2.0",
    "mss": "MIT", "pylsl": "MIT", "python-osc": "Unlicense", "rich": "MIT", "PySide6-Essentials": "LGPL-3.0-only",
    "shiboken6": "LGPL-3.0-only",
}  # fmt: skip


_PREFACE = """\
What this program is made of
============================

Mien itself is under the Apache licence 2.0 (Apache-2.0.txt). It writes H.264 with x264, which is under the GNU General
Public License, version 2 or any later one; other parts ask for version 3. So this program AS A WHOLE, as it is
installed, is passed on under the GNU General Public License, version 3 or later (GPL-3.txt). That is so for this
binary, not for Mien's source, and not for what you make with it: your recordings are yours. It comes without any
warranty.

FFmpeg {version} comes with PyAV's wheels and says of itself: {licence}. It was built with
    {configuration}
It calls itself LGPL because its builders (https://github.com/PyAV-Org/pyav-ffmpeg) do not count x264 and x265 as GPL;
they are, and so this whole is.

The source of each part is at the address beside it, in the version named; the source of Mien, with the scripts that put
all this together, is attached to the same release as this program. Where an address no longer answers within three
years of the release, ask where you got this program: you will be sent the source for what sending it costs. Libraries
under the LGPL are files of their own, and may be replaced by other builds of them.
"""


@dataclass
class Shipped:
    """One work: what it is, under which licence, where its source is, and the files of FOLDER with the text."""

    name: str
    version: str
    licence: str
    source: str
    texts: list[str] = field(default_factory=list)
    inside: str = ""


def main(report: Path, libraries: Path, folder: Path, sbom: Path) -> None:
    shipped = [
        Path(source)
        for name, source in json.loads(report.read_text(encoding="utf-8"))["shipped"]
        if not re.search(r"\.so(\.|$)", name) or (libraries / name).exists()
    ]
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    works = [python(folder), pyinstaller(folder)]
    owners = owner_of_files()
    found = {owners[path] for path in shipped if path in owners and path.name != "METADATA"}
    for name in sorted(found - {"pyinstaller", "pyinstaller-hooks-contrib", "setuptools"}, key=str.lower):
        works.append(of_distribution(name, folder))
        works += inside_wheel(name, [path for path in shipped if owners.get(path) == name])
    system = [path for path in shipped if path not in owners and path.is_absolute() and path.parts[1] in ("usr", "lib")]
    works += of_debian(system, folder)
    works += [
        Shipped("BlazeFace and Face Landmarker, files of networks", "MediaPipe", "Apache-2.0", "https://github.com/google-ai-edge/mediapipe",
                ["Apache-2.0.txt"]),
        Shipped("DejaVu fonts", "2.37", "Bitstream-Vera", "https://dejavu-fonts.github.io", ["LICENSE_DEJAVU"]),
    ]  # fmt: skip
    for text in TEXTS.iterdir():
        shutil.copy(text, folder)
    fonts = next((path for path in shipped if path.name == "LICENSE_DEJAVU"), None)
    if fonts is not None:
        shutil.copy(fonts, folder)
    flags = ffmpeg()
    unknown = [work.name for work in works if not work.licence]
    if unknown:
        if not sys.platform.startswith("linux"):  # nobody has gone through what wheels for other systems carry
            for work in works:
                work.licence = work.licence or f"see the texts of {work.inside}"
        else:
            sys.exit(f"licences.py: nobody has said under which licence these are: {', '.join(unknown)}")
    index = {"works": [asdict(work) for work in works], "ffmpeg": flags, "whole": "GPL-3.0-or-later"}
    (folder / "index.json").write_text(json.dumps(index, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    (folder / "README.txt").write_text(readme(works, flags), encoding="utf-8")
    write_sbom(works, sbom)
    print(f"licences of {len(works)} works in {folder}")


def owner_of_files() -> dict[Path, str]:
    """Which distribution each installed file belongs to."""
    owners = {}
    for found in metadata.distributions():
        for file in found.files or ():
            owners[Path(str(found.locate_file(file)))] = found.metadata["Name"].replace("_", "-")
    return owners


def of_distribution(name: str, folder: Path) -> Shipped:
    """A Python package, with the licences that its wheel holds."""
    found = metadata.distribution(name)
    about = found.metadata
    licence = about.get("License-Expression") or EXPRESSIONS.get(name) or ""
    texts = []
    for file in found.files or ():
        if re.search(r"(?i)(licen[sc]e|copying|notice|authors)", file.name) and file.suffix not in (
            ".py",
            ".pyc",
            ".svg",
        ):
            source = Path(str(found.locate_file(file)))
            if source.is_file():
                inner = [part for part in file.parts[:-1] if not part.endswith(".dist-info") and part != "licenses"]
                target = folder / name / "-".join([*inner, file.name])
                target.parent.mkdir(exist_ok=True)
                shutil.copy(source, target)
                texts.append(target.relative_to(folder).as_posix())
    if not texts:
        short = {"LGPL-3.0-only": ["LGPL-3.txt", "GPL-3.txt"], "Apache-2.0": ["Apache-2.0.txt"]}
        texts = short.get(licence, [])
    address = next(
        (
            line.partition(", ")[2]
            for line in about.get_all("Project-URL") or ()
            if re.match(r"(?i)(source|repo|code)", line)
        ),
        about.get("Home-page") or f"https://pypi.org/project/{name}/{found.version}/#files",
    )
    return Shipped(name, found.version, licence, address, texts)


def inside_wheel(name: str, files: list[Path]) -> list[Shipped]:
    """The libraries that a wheel carries."""
    table = NATIVE.get(name)
    if table is None:
        return []
    works: dict[str, Shipped] = {}
    for file in files:
        carried = file.parent.name.endswith(".libs") or file.parent.name in ("lib", ".dylibs")
        if not carried or not re.search(r"\.(so|dll|dylib)(\.|$)", file.name):
            continue
        key = max((key for key in table if file.name.removeprefix("lib").startswith(key)), key=len, default=None)
        if key is None:
            works[file.name] = Shipped(file.name, "", "", "", inside=name)
        else:
            title, licence, source = table[key]
            works[title] = Shipped(title, "", licence, source, inside=name)
    for work in works.values():
        short = {"GPL-2": "GPL-2.txt", "LGPL-2": "LGPL-2.1.txt", "LGPL-3": "LGPL-3.txt", "GPL-3": "GPL-3.txt"}
        work.texts = [text for begin, text in short.items() if re.search(rf"(^| ){begin}", work.licence)]
    return list(works.values())


def of_debian(files: list[Path], folder: Path) -> list[Shipped]:
    """Libraries of the system that was built on, by Debian's packages."""
    works: dict[str, Shipped] = {}
    for file in files:
        package = next(
            filter(None, (_package(path) for path in (file, file.resolve(), Path("/usr", *file.parts[1:])))), ""
        )
        if not package:
            if not file.is_relative_to(sys.base_prefix):
                works[file.name] = Shipped(file.name, "", "", "")
            continue
        text = Path("/usr/share/doc", package, "copyright")
        version, source = _run("dpkg-query", "-W", "-f", "${Version}|${source:Package}", package).split("|")
        target = folder / "debian" / f"{package}.txt"
        target.parent.mkdir(exist_ok=True)
        shutil.copy(text, target)
        licences = sorted(
            {*re.findall(r"^License: *(\S+)", text.read_text(encoding="utf-8", errors="replace"), re.MULTILINE)}
        )
        works[package] = Shipped(
            package, version, ", ".join(licences) or "see the text", f"https://sources.debian.org/src/{source}/{version}/",
            [target.relative_to(folder).as_posix()], inside="the system that this was built on",
        )  # fmt: skip
    return list(works.values())


def _package(file: Path) -> str:
    done = subprocess.run(["dpkg-query", "-S", str(file)], capture_output=True, text=True, check=False)
    return done.stdout.split(":")[0].split(",")[0] if done.returncode == 0 else ""


def python(folder: Path) -> Shipped:
    """The interpreter."""
    release = platform.python_version()
    for name in ("LICENSE.txt", "LICENSE"):
        for place in (Path(importlib.import_module("os").__file__).parent, Path(sys.base_prefix)):
            if (place / name).is_file():
                shutil.copy(place / name, folder / "Python.txt")
    return Shipped("Python", release, "PSF-2.0", f"https://www.python.org/ftp/python/{release}/",
                   ["Python.txt"])  # fmt: skip


def pyinstaller(folder: Path) -> Shipped:
    """The loader: GPL, with an exception for what it loads."""
    work = of_distribution("pyinstaller", folder)
    work.licence = "GPL-2.0-or-later WITH Bootloader-exception"
    work.name = "PyInstaller's loader"
    return work


def ffmpeg() -> dict[str, str]:
    """How the FFmpeg that video goes through was built, as it says itself."""
    core = importlib.import_module("av._core")
    about = core.library_meta["libavcodec"]
    return {"version": core.ffmpeg_version_info, "configuration": about["configuration"], "licence": about["license"]}


def readme(works: list[Shipped], flags: dict[str, str]) -> str:
    """The page that leads through the folder."""
    rows = [f"{work.name} {work.version}".strip() + (f" (in {work.inside})" if work.inside else "") for work in works]
    lines = [*_PREFACE.format(**flags).splitlines(), ""]
    for row, work in zip(rows, works, strict=True):
        texts = f" ({', '.join(work.texts)})" if work.texts else ""
        lines += [row, f"    licence: {work.licence}{texts}", f"    source:  {work.source}"]
    return "\n".join(lines) + "\n"


def write_sbom(works: list[Shipped], path: Path) -> None:
    """The list of parts in CycloneDX 1.6."""
    from cyclonedx.model import ExternalReference, ExternalReferenceType, XsUri
    from cyclonedx.model.bom import Bom
    from cyclonedx.model.component import Component, ComponentType
    from cyclonedx.model.license import DisjunctiveLicense
    from cyclonedx.output.json import JsonV1Dot6

    bom = Bom()
    bom.metadata.component = Component(name="mien", version=metadata.version("mien"), type=ComponentType.APPLICATION)
    for work in works:
        bom.components.add(
            Component(
                name=work.name,
                version=work.version or None,
                type=ComponentType.LIBRARY,
                group=work.inside or None,
                licenses=[DisjunctiveLicense(name=work.licence)],
                external_references=[
                    ExternalReference(type=ExternalReferenceType.DISTRIBUTION, url=XsUri(work.source))
                ],
            )
        )
    path.write_text(JsonV1Dot6(bom).output_as_string(indent=1) + "\n", encoding="utf-8")


def _run(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:5]))
