"""Clips for the benchmarks: the demo's portrait, animated, once or several times on a 1280x720 frame."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np

from mien.engine.sources.demo import RATE, SECONDS, DemoSource

WIDTH, HEIGHT = 1280, 720
# Left, top and width of each face's tile.
_PLACES = {
    1: ((320, 120, 640),),
    5: ((20, 20, 400), (440, 20, 400), (860, 20, 400), (200, 380, 400), (680, 380, 400)),
}


def write_clip(path: Path, faces: int, seconds: float) -> Path:
    """An H.264 clip of `seconds` at 25 frames a second with `faces` (1 or 5) people who move out of step."""
    # Noise at rest, so that the frame is not easier to encode than a real one.
    background = cv2.GaussianBlur(np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8), (0, 0), 3)
    with av.open(str(path), "w") as out, DemoSource() as demo:
        stream: Any = out.add_stream("libx264", rate=RATE, options={"preset": "medium", "crf": "20"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for index in range(round(seconds * RATE)):
            image = background.copy()
            for number, (x, y, width) in enumerate(_PLACES[faces]):
                tile = demo.image((index / RATE + 2.3 * number) % SECONDS)
                height = width * 3 // 4
                image[y : y + height, x : x + width] = cv2.resize(tile, (width, height), interpolation=cv2.INTER_AREA)
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = index, Fraction(1, RATE)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path
