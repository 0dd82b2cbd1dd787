"""Opens the source that an address names."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from mien.engine.settings import MAX_PIXELS
from mien.engine.sources.address import DEMO, LIVE_SOURCES, SourceAddress
from mien.engine.sources.base import LiveSettings, LiveSource, Source


def open_source(
    spec: str, *, threads: int = 0, start_s: float = 0.0, max_pixels: int = MAX_PIXELS, keep_decoded: bool = False
) -> Source:
    """Open what `spec` names: a video file, a still picture, a folder of such pictures, or ``demo``.

    Args:
        spec: what to open.
        threads: that decode a file; 0: as it likes.
        start_s: where to begin in a file, in seconds from its beginning.
        max_pixels: the largest frame that is decoded.
        keep_decoded: give `Frame.decoded`, too, where there is one that a recording can take over.

    Raises:
        SourceError: it does not exist or holds no video; the message says what to do.
    """
    # Imported on demand: each backend brings its own library, and a start that needs one should not pay for all.
    if spec == DEMO:
        from mien.engine.sources.demo import DemoSource

        return DemoSource()
    from mien.engine.sources.stills import Stills, is_picture, pictures_in

    path = Path(spec)
    if path.is_dir() and (pictures := pictures_in(path)):
        return Stills(pictures, name=spec, start_s=start_s, max_pixels=max_pixels)
    if is_picture(path):
        return Stills([path], start_s=start_s, max_pixels=max_pixels)
    from mien.engine.sources.file import VideoFile

    return VideoFile(path, threads=threads, start_s=start_s, max_pixels=max_pixels, keep_decoded=keep_decoded)


def open_live(address: SourceAddress, settings: LiveSettings | None = None) -> LiveSource:
    """The live source for `address`. Returns at once; whatever takes time or can fail happens in `frames`."""
    settings = settings or LiveSettings()
    if address.kind in LIVE_SOURCES:
        # Imported on demand: each kind brings its own library, and a start that needs one should not pay for all.
        module, _, name = LIVE_SOURCES[address.kind].partition(":")
        opened: LiveSource = getattr(import_module(module), name)(address, settings)
        return opened
    from mien.engine.sources.paced import PacedSource

    spec = DEMO if address.kind == "demo" else address.target
    if address.kind == "file" and spec == DEMO:
        spec = f"./{spec}"
    return PacedSource(
        address, lambda start_s: open_source(spec, start_s=start_s, max_pixels=settings.max_pixels), stay=settings.stay
    )
