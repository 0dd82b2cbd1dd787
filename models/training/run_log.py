"""What a run tells while it goes on: one line that is rewritten, a file of losses, TensorBoard."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from mien.engine.disk import write_whole
from mien.engine.errors import ModelError
from mien.engine.language import tr
from mien.engine.system import printable

HISTORY: Final = "history.jsonl"


def make_folder(path: Path) -> None:
    """Make the folder of a run; one that is there will do.

    Raises:
        ModelError: it cannot be made.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ModelError(
            tr("{path}: cannot be made ({reason}); choose another output folder", path=path, reason=error.strerror)
        ) from None


class RunLog:
    """Writes ``history.jsonl``, one JSON object a line, and TensorBoard events beside it.

    After a kill the history may hold steps that no checkpoint knows; a resumed run cuts them off and makes them anew.
    """

    def __init__(self, folder: Path, step: int, *, enabled: bool) -> None:
        self._enabled = enabled
        self._lively = enabled and sys.stderr.isatty()
        self._board: Any = None
        if not enabled:
            return
        path = folder / HISTORY
        kept = [line for line in self._lines(path) if json.loads(line)["step"] <= step] if step else []
        write_whole(path, "".join(kept))
        self._file = path.open("a", encoding="utf-8")
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            self._say("TensorBoard is not installed; losses go to history.jsonl only")
        else:
            self._board = SummaryWriter(str(folder / "tensorboard"), purge_step=step + 1)

    @staticmethod
    def _lines(path: Path) -> list[str]:
        """Whole lines; the last one may have been cut off by the kill."""
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        return [line for line in text.splitlines(keepends=True) if line.endswith("\n")]

    def step(
        self, step: int, epoch: int, batch: int, of: int, loss: float, left_s: float, groups: list[dict[str, Any]]
    ) -> None:
        """After each optimiser step; `left_s`: seconds to the end of the epoch."""
        if not self._enabled:
            return
        self._write({"step": step, "epoch": epoch, "loss": loss})
        if self._board is not None:
            self._board.add_scalar("train/loss", loss, step)
            for group in groups:
                self._board.add_scalar(f"rate/{group['name']}", group["lr"], step)
        if self._lively:
            minutes, seconds = divmod(round(left_s), 60)
            sys.stderr.write(f"\repoch {epoch + 1}: {batch}/{of}, loss {loss:.4f}, {minutes}:{seconds:02d} left \033[K")
            sys.stderr.flush()

    def test_progress(self, done: int, of: int) -> None:
        """After each test batch."""
        if self._lively:
            sys.stderr.write(f"\rtesting: {done}/{of} \033[K")
            sys.stderr.flush()

    def say(self, message: str) -> None:
        """A line about the run as such."""
        if self._enabled:
            self._say(message)

    def epoch(self, epoch: int, step: int, measures: Mapping[str, float]) -> None:
        """After each epoch."""
        if not self._enabled:
            return
        self._write({"step": step, "epoch": epoch, **{name.lower(): value for name, value in measures.items()}})
        self._file.flush()
        if self._board is not None:
            for name, value in measures.items():
                self._board.add_scalar(f"test/{name.lower()}", value, step)
        self._say(f"epoch {epoch + 1}: " + ", ".join(f"{name} {value:.2f}" for name, value in measures.items()))

    def flush(self) -> None:
        """Hand everything written so far to the system, so that a kill does not lose it."""
        if self._enabled:
            self._file.flush()

    def close(self) -> None:
        """Finish the files."""
        if self._enabled:
            self._file.close()
            if self._board is not None:
                self._board.close()

    def _write(self, entry: dict[str, Any]) -> None:
        self._file.write(json.dumps(entry) + "\n")

    def _say(self, message: str) -> None:
        sys.stderr.write(("\r\033[K" if self._lively else "") + printable(message) + "\n")
