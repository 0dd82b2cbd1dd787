"""Numbers for people that start at 1 and stay small: what a receiver can be set up for before anybody is there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from mien.engine.outputs.base import LiveScene
    from mien.engine.types import Face

SILENCE_S: Final = 5.0
"""So long nobody is in a slot before it is given to somebody else: a receiver sees that it is somebody else."""


class Slots:
    """Gives every person a slot. Who comes back finds the old one, as long as nobody else needed it.

    Args:
        silence_s: seconds of the source before a slot is given to somebody else.
    """

    def __init__(self, silence_s: float = SILENCE_S) -> None:
        self._silence_s = silence_s
        self._of: dict[int, int] = {}  # slots by person, or by track id where a person is seen twice
        self._seen_s: dict[int, float] = {}  # when somebody was in a slot last, by slot

    @property
    def highest(self) -> int:
        """The highest slot that was given so far."""
        return max(self._seen_s, default=0)

    def place(self, live: LiveScene) -> dict[int, Face]:
        """Who is in which slot: faces of the scene by slot; slots with nobody in them are missing."""
        now_s = live.scene.frame.time_s
        keys: dict[int, Face] = {}
        for face in live.scene.faces:
            person = live.book.person(face.track_id)
            keys[face.track_id if person in keys else person] = face
        placed = {self._of[key]: face for key, face in keys.items() if key in self._of}
        for key, face in keys.items():
            if key not in self._of:
                slot = self._free(now_s, placed)
                self._of = {other: taken for other, taken in self._of.items() if taken != slot} | {key: slot}
                placed[slot] = face
        self._seen_s |= dict.fromkeys(placed, now_s)
        return dict(sorted(placed.items()))

    def clear(self) -> None:
        """Nobody is known any more: another source, with another clock. Who comes is given slots from 1 again."""
        self._of.clear()
        self._seen_s.clear()

    def _free(self, now_s: float, placed: dict[int, Face]) -> int:
        slot = 1
        while slot in placed or (slot in self._seen_s and abs(now_s - self._seen_s[slot]) < self._silence_s):
            slot += 1
        return slot
