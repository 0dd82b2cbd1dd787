"""Headless Chromium, driven over a pipe: no port is opened."""

from __future__ import annotations

import base64
import fcntl
import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray


def chromium() -> str | None:
    """The browser's path, where there is one."""
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


class Browser:
    """Chromium with its debugging pipe: file descriptor 3 in, 4 out, messages end in a zero byte."""

    def __init__(self, folder: str) -> None:
        browser = chromium()
        assert browser is not None
        there, self._out = os.pipe()
        self._in, back = os.pipe()
        # Numbers above those that the shell reassigns.
        high = [fcntl.fcntl(end, fcntl.F_DUPFD, 20) for end in (there, back)]
        command = [
            "bash", "-c", f'exec "$@" 3<&{high[0]} 4>&{high[1]}', "bash", browser, "--headless", "--no-sandbox",
            "--disable-gpu", "--disable-dev-shm-usage", "--allow-file-access-from-files", "--remote-debugging-pipe",
            "--autoplay-policy=no-user-gesture-required", f"--user-data-dir={folder}/profile",
        ]  # fmt: skip
        self._process = subprocess.Popen(command, pass_fds=high, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for end in (there, back, *high):
            os.close(end)
        self._rest = b""
        self._serial = 0

    def call(self, method: str, timeout_s: float = 90, session: str | None = None, **params: Any) -> dict[str, Any]:
        """Send a command of the DevTools protocol and wait for its answer."""
        self._serial += 1
        message: dict[str, Any] = {"id": self._serial, "method": method, "params": params}
        if session is not None:
            message["sessionId"] = session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        deadline = time.monotonic() + timeout_s
        while True:
            while b"\0" not in self._rest:
                if not select.select([self._in], [], [], max(0.0, deadline - time.monotonic()))[0]:
                    raise TimeoutError(method)
                data = os.read(self._in, 1 << 16)
                if not data:
                    raise EOFError("Chromium ended")
                self._rest += data
            line, self._rest = self._rest.split(b"\0", 1)
            answer = json.loads(line)
            if answer.get("id") == self._serial:
                return dict(answer.get("result", {"error": answer.get("error")}))

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._out)
        os.close(self._in)


class Tab:
    """One page of a browser."""

    def __init__(self, browser: Browser, address: str, *, width: int, height: int, dark: bool = False) -> None:
        self._browser = browser
        self._target = browser.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = browser.call("Target.attachToTarget", targetId=self._target, flatten=True)["sessionId"]
        self.size(width, height)
        self.dark(dark)
        self.call("Page.enable")
        self.call("Page.navigate", url=address)
        self.wait("location.href !== 'about:blank' && document.readyState === 'complete'")

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        return self._browser.call(method, session=self._session, **params)

    def size(self, width: int, height: int) -> None:
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def dark(self, on: bool) -> None:
        feature = {"name": "prefers-color-scheme", "value": "dark" if on else "light"}
        self.call("Emulation.setEmulatedMedia", features=[feature])

    def close(self) -> None:
        self._browser.call("Target.closeTarget", targetId=self._target)

    def ask(self, expression: str) -> Any:
        """The value of an expression in JavaScript."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer
        return answer.get("result", {}).get("value")

    def wait(self, expression: str, seconds: float = 20.0) -> None:
        """Wait until an expression in JavaScript is true."""
        self.call("Page.bringToFront")  # pages behind others are not painted, and their scripts wait
        deadline = time.monotonic() + seconds
        while not self.ask(f"Boolean({expression})"):
            assert time.monotonic() < deadline, (
                f"waited in vain for {expression}: {self.ask('document.body.innerText')}"
            )
            time.sleep(0.05)

    def picture(self, *, transparent: bool = False) -> NDArray[np.uint8]:
        """What is to be seen: (H,W,3) uint8 RGB; `transparent`: (H,W,4), where nothing is painted with alpha 0."""
        if transparent:
            nothing = {"r": 0, "g": 0, "b": 0, "a": 0}
            self.call("Emulation.setDefaultBackgroundColorOverride", color=nothing)
        self.call("Page.bringToFront")
        data = base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"])
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
        assert image is not None
        way = cv2.COLOR_BGRA2RGBA if image.shape[2] == 4 else cv2.COLOR_BGR2RGB
        found = np.asarray(cv2.cvtColor(image, way), np.uint8)
        return found if transparent else found[:, :, :3]


@contextmanager
def browser() -> Iterator[Browser]:
    """A browser with a profile of its own, which is thrown away."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        made = Browser(folder)
        try:
            yield made
        finally:
            made.close()
