"""Says in words where Mien cannot be installed, before pip looks for wheels that do not exist.

All else about the package is in pyproject.toml. README.md has the table of systems.

Built with MIEN_REPOSITORY=https://… in the environment, as the release workflow does, the package names its repository,
and the pictures and links of its description lead there. Elsewhere links to files of the repository are plain text: on
PyPI they would lead nowhere.
"""

import os
import platform
import re
import sys
import tempfile
from pathlib import Path


def why_not(system: str, machine: str, glibc: str | None) -> str | None:
    """Why Mien cannot be installed here, and what to do; None where it can.

    Args:
        system: as `sys.platform`.
        machine: as `platform.machine()`.
        glibc: version of the C library, as "2.36"; None where there is no glibc.
    """
    machine = machine.lower()
    if system == "darwin" and machine == "x86_64":
        return "Intel Macs: MediaPipe and ONNX Runtime no longer make wheels for them; use a Mac with Apple silicon"
    if system == "win32" and machine == "arm64":
        return "Python for Windows on ARM: OpenCV makes no wheels for it; install Python for x64, which runs there, too"
    if system == "linux" and machine not in ("x86_64", "amd64", "aarch64", "arm64"):
        return f"{machine}: MediaPipe makes wheels for x86_64 and aarch64 only; use such a machine"
    if system == "linux" and glibc is None:
        return "Linux without glibc, such as Alpine: MediaPipe makes no wheels for it; use Debian or Ubuntu"
    if system == "linux" and machine in ("aarch64", "arm64") and _numbers(glibc) < (2, 39):
        return (
            f"arm64 with glibc {glibc}, such as Debian 12: PySide6's wheels need glibc 2.39; use Debian 13, "
            "Ubuntu 24.04 or newer"
        )
    return None


def _numbers(version: str | None) -> tuple:
    return tuple(int(part) for part in (version or "0").split(".")[:2])


_PICTURE = re.compile(r"^!\[([^\]]*)\]\((?!https?:)([^)]+)\)\n?", re.MULTILINE)
_LINK = re.compile(r"(?<!!)\[([^\]]*)\]\((?!https?:|#)([^)]+)\)")


def description(readme: str, repository: str, version: str) -> str:
    """README as PyPI shows it: `readme` with addresses that lead somewhere from there.

    Args:
        readme: README.md, in which addresses of files are relative.
        repository: https address of the repository, without a slash at its end; "" where there is none.
        version: of Mien; its tag in the repository is v and this.
    """
    if not repository:
        return _LINK.sub(r"\1", _PICTURE.sub("", readme))
    readme = _PICTURE.sub(rf"![\1]({repository}/raw/v{version}/\2)\n", readme)
    return _LINK.sub(rf"[\1]({repository}/blob/v{version}/\2)", readme)


def addresses(repository: str) -> dict:
    """The addresses that PyPI lists beside the description."""
    if not repository:
        return {}
    return {
        "Repository": repository,
        "Issues": f"{repository}/issues",
        "Changelog": f"{repository}/blob/main/CHANGELOG.md",
        "Releases": f"{repository}/releases",
    }


if __name__ == "__main__":
    name, glibc = platform.libc_ver()
    reason = why_not(sys.platform, platform.machine(), glibc if name == "glibc" else None)
    if reason is not None:
        sys.exit(f"Mien cannot be installed on {reason}.")
    from setuptools import setup  # there while the package is built

    here = Path(__file__).parent
    repository = os.environ.get("MIEN_REPOSITORY", "").rstrip("/")
    version = re.search(r'^version = "(.+)"$', (here / "pyproject.toml").read_text(encoding="utf-8"), re.MULTILINE)
    # In a folder of its own: what an earlier build left in build/lib would be installed again, deleted files included.
    with tempfile.TemporaryDirectory() as folder:
        setup(
            options={"build": {"build_base": folder}},
            long_description=description(
                (here / "README.md").read_text(encoding="utf-8"), repository, version.group(1)
            ),
            long_description_content_type="text/markdown",
            project_urls=addresses(repository),
        )
