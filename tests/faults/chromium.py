"""Plays a video in headless Chromium."""

from __future__ import annotations

import html
import tempfile
import time
from pathlib import Path

from tests.browser import Browser, chromium

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


def play(path: Path) -> str:
    """Play `path` to its end: "ended ready=4 duration=... time=... frames=... size=...", or what went wrong."""
    if chromium() is None:
        return "no Chromium"
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        page = Path(folder) / "page.html"
        page.write_text(_PAGE.format(source=html.escape(path.resolve().as_uri())), encoding="utf-8")
        browser = Browser(folder)
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


def _wait_for_video(browser: Browser, session: str) -> None:
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
