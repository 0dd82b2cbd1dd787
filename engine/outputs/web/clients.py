"""What waits for each client: filled by the output's thread, emptied by the server's."""

from __future__ import annotations

import asyncio
import json
import threading
from collections import deque
from typing import Final

ROOM: Final = 30
"""Scenes that may wait for a client: one second. Of those who are slower it gets the newest."""
_EVENTS: Final = 200


class Client:
    """One connection's queue. `put…` never waits and may be called in any thread.

    Args:
        loop: of the server.
        pictures: the client wants them.

    Attributes:
        pictures: as given.
        dropped: scenes that newer ones replaced because the client was slow.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, *, pictures: bool) -> None:
        self.pictures = pictures
        self.dropped = 0
        self._loop = loop
        self._lock = threading.Lock()
        self._texts: deque[tuple[str, bool]] = deque()  # with: is it a scene?
        self._scenes = 0
        self._picture: bytes | None = None
        self._awake = asyncio.Event()
        self._woken = False

    def put_scene(self, text: str) -> None:
        """A scene, which may be dropped for a newer one."""
        with self._lock:
            if self._scenes >= ROOM:
                self.dropped += self._scenes
                self._texts = deque(item for item in self._texts if not item[1])
                self._scenes = 0
                # The client should know that it has not seen all.
                self._texts.append((json.dumps({"type": "dropped", "scenes": self.dropped}), False))
            self._texts.append((text, True))
            self._scenes += 1
            self._wake()

    def put_event(self, text: str) -> None:
        """An event, which waits until it is sent."""
        with self._lock:
            if len(self._texts) - self._scenes < _EVENTS:
                self._texts.append((text, False))
                self._wake()

    def put_picture(self, jpeg: bytes) -> None:
        """A picture; there is only ever one that waits."""
        with self._lock:
            self._picture = jpeg
            self._wake()

    async def take(self, timeout_s: float) -> str | bytes | None:
        """What is to be sent next; None: nothing came for so long. In the server's thread."""
        while True:
            with self._lock:
                if self._texts:
                    text, scene = self._texts.popleft()
                    self._scenes -= scene
                    return text
                if self._picture is not None:
                    jpeg, self._picture = self._picture, None
                    return jpeg
                self._woken = False
                self._awake.clear()
            try:
                async with asyncio.timeout(timeout_s):
                    await self._awake.wait()
            except TimeoutError:
                return None

    def _wake(self) -> None:
        if not self._woken:
            self._woken = True
            # Once for any number of items: a server that is busy is not buried in wake-ups.
            self._loop.call_soon_threadsafe(self._awake.set)
