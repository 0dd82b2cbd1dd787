"""Plays a video in headless Chromium, driven over a pipe: no port is opened."""

from __future__ import annotations

import fcntl
import html
import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

_PAGE = '<!doctype html><body><video id="v" muted preload="auto" src="{source}"></video></body>'
_SCRIPT = """new Promise(resolve => {
  const v = document.getElementById("v");
  let frames = 0;
  const count = () => { frames++; v.requestVideoFrameCallback(count); };
  v.requestVideoFrameCallback(count);
  const say = word => resolve(`${word} ready=${v.readyState} duration=${v.duration.toFixed(3)} ` +
    `time=${v.currentTime.toFixed(3)} frames=${frames} size=${v.videoWidth}x${v.videoHeight}`);
  v.onerror = () => say("error " + v.error.message);
  v.onended = () => say("ended");
  setTimeout(() => say("stuck"), 60000);
  if (v.error) say("error " + v.error.message);
  v.playbackRate = 4;
  v.play().catch(e => say("refused " + e));
})"""


def chromium() -> str | None:
    """The browser's path, where there is one."""
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


class _Browser:
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


def play(path: Path) -> str:
    """Play `path` to its end: "ended ready=4 duration=... time=... frames=... size=...", or what went wrong."""
    if chromium() is None:
        return "no Chromium"
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        page = Path(folder) / "page.html"
        page.write_text(_PAGE.format(source=html.escape(path.resolve().as_uri())), encoding="utf-8")
        browser = _Browser(folder)
        try:
            target = browser.call("Target.createTarget", url=page.as_uri())["targetId"]
            session = browser.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
            _wait_for_video(browser, session)
            answer = browser.call(
                "Runtime.evaluate", session=session, expression=_SCRIPT, awaitPromise=True, returnByValue=True
            )
            return str(answer.get("result", {}).get("value", answer))
        except (TimeoutError, EOFError) as error:
            return f"{type(error).__name__} {error}"
        finally:
            browser.close()


def _wait_for_video(browser: _Browser, session: str) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        ready = browser.call(
            "Runtime.evaluate", session=session, expression='!!document.getElementById("v")', returnByValue=True
        )
        if ready.get("result", {}).get("value"):
            return
        time.sleep(0.1)
    raise TimeoutError("the page did not load")


if __name__ == "__main__":
    import sys

    for name in sys.argv[1:]:
        print(name, play(Path(name)))
