"""Batches from worker processes, and errors in them as one line."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from torch.utils.data import DataLoader, Dataset, Sampler

from mien.engine.errors import MienError
from mien.engine.language import tr
from mien.models.data.entries import DataError


class _Careful(Dataset[Any]):
    """Hands on what a user can mend as a value: raised in a worker, it would come back with a traceback as its text."""

    def __init__(self, inner: Dataset[Any]) -> None:
        self._inner = inner

    def __getitem__(self, key: Any) -> Any:
        try:
            return self._inner[key]
        except MienError as error:
            return error


class _Collate:
    def __init__(self, collate: Callable[[list[Any]], Any]) -> None:
        self._collate = collate

    def __call__(self, samples: list[Any]) -> Any:
        wrong = next((sample for sample in samples if isinstance(sample, MienError)), None)
        if wrong is not None:
            return str(wrong)
        try:
            return self._collate(samples)
        except MienError as error:
            return str(error)


class Batches:
    """The batches of one epoch, read by `workers` processes (0: this one). Iterate over it once.

    Raises:
        DataError: from the iteration: a sample cannot be read, or a worker ended.
    """

    def __init__(
        self, dataset: Dataset[Any], batches: Sampler[Any], workers: int, collate: Callable[[list[Any]], Any]
    ) -> None:
        self._loader: Any = DataLoader(
            _Careful(dataset), batch_sampler=batches, num_workers=workers, collate_fn=_Collate(collate)
        )

    def __len__(self) -> int:
        return len(self._loader)

    def __iter__(self) -> Iterator[Any]:
        loaded = iter(self._loader)
        while True:
            try:
                batch = next(loaded)
            except StopIteration:
                return
            except RuntimeError as error:
                # torch says so of a worker that was killed, as for want of memory; anything else is for its author.
                if "DataLoader worker" not in str(error) or "Caught" in str(error):
                    raise
                reason = " ".join(str(error).split())[:160]
                raise DataError(
                    tr("a process that reads clips has ended ({reason}); lower training.workers", reason=reason)
                ) from None
            if isinstance(batch, str):
                raise DataError(batch)
            yield batch
