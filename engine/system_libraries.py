"""Names the system package to install when a Python package misses a shared library."""

from __future__ import annotations

import re
from typing import Final

# By Debian's and Ubuntu's names; each was seen missing on a bare Debian 12.
_PACKAGES: Final = {
    "libxcb.so.1": "libxcb1",
    "libGL.so.1": "libgl1",
    "libglib-2.0.so.0": "libglib2.0-0",
    "libgthread-2.0.so.0": "libglib2.0-0",
    "libEGL.so.1": "libegl1",
    "libGLESv2.so.2": "libgles2",
}
_MISSING: Final = re.compile(r"(\S+\.so[.\d]*): cannot open shared object file")


def missing_library(error: BaseException) -> str | None:
    """One line for the user where `error` (ImportError, OSError) says that a shared library is missing; else None."""
    found = _MISSING.search(str(error))
    if found is None:
        return None
    name = found.group(1)
    package = _PACKAGES.get(name)
    if package is None:
        return f"the system library {name} is missing; install the package that holds it"
    everything = " ".join(sorted(set(_PACKAGES.values())))
    return f"the system library {name} is missing; install it: sudo apt-get install {everything}"
