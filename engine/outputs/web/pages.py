"""The pages: one file each when they are sent, which may run and load nothing but what is in it."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Final

_PARTS: Final = {
    "/": ("dashboard.html", ("page.css", "dashboard.css"), ("link.js", "dashboard.js")),
    "/overlay": ("overlay.html", ("page.css", "overlay.css"), ("link.js", "overlay.js")),
}
"""By path: the page, its styles and its scripts, all in `mien.assets.web`."""

ALWAYS: Final = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}
"""Headers of every answer, refusals as well."""


@dataclass(frozen=True, slots=True)
class Page:
    """A page and the headers that it is sent with."""

    body: bytes
    headers: dict[str, str]


@cache
def page(path: str) -> Page | None:
    """The page at `path` (without a query); None: there is none."""
    if path not in _PARTS:
        return None
    document, styles, scripts = _PARTS[path]
    style, script = _joined(styles), _joined(scripts)
    body = _read(document).replace("/*style*/", style).replace("/*script*/", script)
    policy = "; ".join((
        "default-src 'none'",
        f"style-src {_digest(style)}",
        f"script-src {_digest(script)}",
        "connect-src 'self'",
        "img-src data:",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        # Names and labels come from others: no script can make HTML of them, not even by mistake.
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    ))  # fmt: skip
    headers = {"Content-Type": "text/html; charset=utf-8", "Content-Security-Policy": policy, **ALWAYS}
    return Page(body.encode(), headers)


def _joined(names: tuple[str, ...]) -> str:
    return "\n" + "".join(map(_read, names))


def _read(name: str) -> str:
    return resources.files("mien.assets.web").joinpath(name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
