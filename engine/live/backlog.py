"""What waits to be recorded, in order. Frames that must wait long are compressed, so that none need be left out."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final, Generic, TypeVar

from mien.engine.live.scene_context import SceneContext
from mien.engine.recording.pre_roll import PackedScene, size_of
from mien.engine.types import AudioChunk, Scene

RAW_BYTES: Final = 64 * 1024 * 1024
"""Of frames that wait as they are: 24 of 720p; more are compressed."""
MOST_BYTES: Final = 384 * 1024 * 1024
"""Of compressed frames and of audio: a pre-roll of 256 MB, and half as much."""
_MOST_ITEMS: Final = 12_000  # two minutes of frames and their audio: what waits must still be written after the end

Other = TypeVar("Other")


@dataclass(frozen=True, slots=True, eq=False)
class Write:
    """A scene to be recorded, or to be kept for a pre-roll.

    Attributes:
        scene: as it is, or packed.
        context: what is known beside it.
        gap_s: seconds without signal since the scene before in this queue.
        dropped: frames of the recording that were left out since the scene before, for lack of room.
        wanted: a recording was running or about to when the scene came.
    """

    scene: Scene | PackedScene
    context: SceneContext
    gap_s: float = 0.0
    dropped: int = 0
    wanted: bool = True

    @property
    def time_s(self) -> float:
        """Of the frame."""
        return self.scene.time_s if isinstance(self.scene, PackedScene) else self.scene.frame.time_s

    def unpacked(self) -> Scene:
        """The scene with its image."""
        return self.scene.unpacked() if isinstance(self.scene, PackedScene) else self.scene


class Backlog(Generic[Other]):
    """First in, first out; `Other` items pass through as they are. For one thread at a time.

    Whoever empties it may for a time be slower than whoever fills it, as at the beginning of a recording, when the
    pre-roll must be written while live frames come. A few frames wait as they are, the others compressed, up to a
    bound of memory and of number; only then is one left out, and what comes next says so.
    """

    def __init__(
        self, *, raw_bytes: int = RAW_BYTES, most_bytes: int = MOST_BYTES, most_items: int = _MOST_ITEMS
    ) -> None:
        self._raw_bytes_allowed, self._most_bytes, self._most_items = raw_bytes, most_bytes, most_items
        self._items: deque[Write | AudioChunk | Other] = deque()
        self._raw_bytes = 0
        self._bytes = 0
        self._peak_bytes = 0
        self._left_out = 0
        self._left_gap_s = 0.0

    def __len__(self) -> int:
        return len(self._items)

    @property
    def bytes_used(self) -> int:
        """Of frames, compressed or not, and of audio."""
        return self._raw_bytes + self._bytes

    def take_peak_bytes(self) -> int:
        """The most that `bytes_used` was since the last call."""
        peak, self._peak_bytes = self._peak_bytes, self.bytes_used
        return peak

    def append(self, item: Write | AudioChunk | Other) -> bool:
        """Add the newest; False: it was a frame that a recording wanted, and there was no room for it."""
        if isinstance(item, Write):
            return self._append_scene(item)
        if not isinstance(item, AudioChunk):
            self._items.append(item)
        elif self._bytes + size_of(item) <= self._most_bytes and len(self._items) < self._most_items:
            self._account(item, 1)
            self._items.append(item)
        return True

    def prepend(self, items: Iterable[Write | AudioChunk]) -> None:
        """Put `items` before all others, in their order; there is always room for these."""
        ordered = [*items]
        for item in ordered:
            self._account(item, 1)
        self._items.extendleft(reversed(ordered))

    def popleft(self) -> Write | AudioChunk | Other:
        """Take the oldest."""
        item = self._items.popleft()
        if isinstance(item, Write | AudioChunk):
            self._account(item, -1)
        return item

    def take_left_out(self) -> int:
        """How many frames were left out that no later one has told of."""
        count, self._left_out, self._left_gap_s = self._left_out, 0, 0.0
        return count

    def _append_scene(self, item: Write) -> bool:
        if self._left_out or self._left_gap_s:
            gap_s, dropped = item.gap_s + self._left_gap_s, item.dropped + self.take_left_out()
            item = replace(item, gap_s=gap_s, dropped=dropped)
        if isinstance(item.scene, Scene) and self._crowded(item.scene.frame.image.nbytes):
            packed = PackedScene.of(item.scene, gap_s=item.gap_s)
            if packed is not None:
                item = replace(item, scene=packed)
        room = self._most_bytes if isinstance(item.scene, PackedScene) else self._most_bytes + self._raw_bytes_allowed
        if self._items and (self.bytes_used + _weight(item) > room or len(self._items) >= self._most_items):
            self._left_out, self._left_gap_s = item.dropped + item.wanted, item.gap_s
            return not item.wanted
        self._account(item, 1)
        self._items.append(item)
        return True

    def _crowded(self, size: int) -> bool:
        """Whether a frame of `size` bytes should be compressed; one that is written next never, however little is
        allowed.
        """
        return self._raw_bytes > 0 and self._raw_bytes + size > self._raw_bytes_allowed

    def _account(self, item: Write | AudioChunk, sign: int) -> None:
        if isinstance(item, Write) and isinstance(item.scene, Scene):
            self._raw_bytes += sign * _weight(item)
        else:
            self._bytes += sign * _weight(item)
        self._peak_bytes = max(self._peak_bytes, self.bytes_used)


def _weight(item: Write | AudioChunk) -> int:
    if isinstance(item, AudioChunk):
        return size_of(item)
    return size_of(item.scene) if isinstance(item.scene, PackedScene) else item.scene.frame.image.nbytes
