"""The engine: frames in, scenes out. No Qt and no torch in this room."""

from __future__ import annotations


def version() -> str:
    """Version of the installed package; "unknown" in a checkout that was never installed."""
    from importlib import metadata

    try:
        return metadata.version("mien")
    except metadata.PackageNotFoundError:
        return "unknown"
