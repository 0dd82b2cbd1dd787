"""Types of arguments on command lines."""

from __future__ import annotations

import argparse
from pathlib import Path

__all__ = ["existing"]


def existing(text: str) -> Path:
    """The path of an argument, which has to be there.

    Raises:
        argparse.ArgumentTypeError: it is not.
    """
    path = Path(text)
    if not path.exists():
        raise argparse.ArgumentTypeError(f"{path}: no such file or folder")
    return path
