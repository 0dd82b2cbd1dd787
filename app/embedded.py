"""Where the model is that ships with the application."""

from __future__ import annotations

import atexit
from contextlib import ExitStack
from importlib import resources
from pathlib import Path


def embedded_bundle() -> Path:
    """The folder of the embedded bundle; unpacked for the life of the program where the package is zipped."""
    stack = ExitStack()
    atexit.register(stack.close)
    return stack.enter_context(resources.as_file(resources.files("mien.assets").joinpath("embedded")))
