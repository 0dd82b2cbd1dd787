"""One line of JSON for each frame, to standard output or a file: for pipes."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any, Final, TextIO

from mien.engine.errors import SettingsError
from mien.engine.language import tr
from mien.engine.outputs.base import LiveScene
from mien.engine.types import FloatArray

FORMAT: Final = 2
"""1 had the raw probabilities as ``probabilities``, and no ``raw``."""
STDOUT: Final = "-"


class JsonLines:
    """An `Output` that writes a line for each scene, at once, so that the next program of a pipe can follow.

    Args:
        target: "-" for standard output, else a file, which is made; an existing one is not touched.

    Raises:
        SettingsError: the file exists, or cannot be made.
    """

    def __init__(self, target: str) -> None:
        self._own = target != STDOUT
        try:
            opened = Path(target).open("x", encoding="utf-8") if self._own else sys.stdout  # noqa: SIM115 (see close)
        except FileExistsError:
            raise SettingsError(tr("{path}: already exists; give another name", path=target)) from None
        except OSError as error:
            raise SettingsError(
                tr("{path}: cannot be written ({reason})", path=target, reason=error.strerror)
            ) from None
        self._stream: TextIO = opened

    def send(self, live: LiveScene) -> None:
        try:
            self._stream.write(json.dumps(as_json(live), ensure_ascii=False, allow_nan=False) + "\n")
            self._stream.flush()
        except BrokenPipeError:
            if not self._own:
                # The program behind the pipe has ended. What is left in the buffer must not fail again at the exit.
                null = os.open(os.devnull, os.O_WRONLY)
                os.dup2(null, self._stream.fileno())
                os.close(null)
            raise

    def close(self) -> None:
        if self._own:
            self._stream.close()


def as_json(live: LiveScene) -> dict[str, Any]:
    """A scene as plain lists, tables, texts and numbers: the format of all outputs that send JSON.

    Times are seconds of the source, boxes pixels of its frames (``size``: width and height) with their origin top left,
    probabilities 0 to 1. ``person`` is the lowest of the ids that somebody merged into one person. The label is the one
    with the largest of the ``probabilities``, which are steadied over time; ``raw`` are not. ``values`` are there only
    of models that predict numbers beside the classes, such as valence.
    """
    scene = live.scene
    faces: list[dict[str, Any]] = []
    for face in scene.faces:
        # While a face is hidden nothing is measured, and old numbers would pass for new ones.
        prediction = scene.predictions.get(face.track_id) if face.observed else None
        box = face.box
        entry: dict[str, Any] = {
            "id": face.track_id,
            "person": live.book.person(face.track_id),
            "name": live.names.get(face.track_id, ""),
            "box": [round(float(value), 1) for value in (box.x, box.y, box.width, box.height)],
            "status": str(scene.status(face)),
        }
        if prediction is not None:
            entry |= {
                "quality": [str(flaw) for flaw in prediction.flaws],
                "prediction_s": round(prediction.time_s, 6),
                "label": live.labels[prediction.label],
                "probabilities": _shares(live.labels, prediction.probabilities),
                "raw": _shares(live.labels, prediction.raw),
            }
            if prediction.values:
                entry["values"] = {name: round(float(value), 6) for name, value in prediction.values.items()}
        faces.append(entry)
    return {
        "format": FORMAT,
        "source": live.source,
        "frame": scene.frame.index,
        "size": [scene.frame.image.shape[1], scene.frame.image.shape[0]],
        "time_s": round(scene.frame.time_s, 6),
        "gap_s": round(live.gap_s, 3),
        "faces": faces,
    }


def _shares(labels: tuple[str, ...], values: FloatArray) -> dict[str, float]:
    return {label: round(float(share), 5) for label, share in zip(labels, values, strict=True)}
