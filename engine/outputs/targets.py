"""How the targets of outputs are written: a place, and what else is wanted, divided by commas.

``127.0.0.1:9000,tcp,rate=20``: a shell leaves it as it is, one text can be remembered and shown, and several targets of
one kind can each have their own wishes. Secrets have no place in it; see `mien.engine.outputs.secrets`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from mien.engine.errors import SettingsError
from mien.engine.language import tr

LOOPBACK: Final = "127.0.0.1"
_HOST_PORT: Final = re.compile(r"(?:(\[[0-9A-Fa-f:.%\w]+\]|[^\s\[\]:/?#@\\,]+)?:)?(\d{1,5})")


def split_target(kind: str, target: str, known: Mapping[str, bool]) -> tuple[str, dict[str, str]]:
    """Divide a target into its place and its wishes.

    Args:
        kind: for messages.
        target: as the user wrote it.
        known: the wishes that this kind knows; True: it is written with a value.

    Returns:
        The place, and the wishes with their values ("" for those without).

    Raises:
        SettingsError: a wish is not known, lacks its value, has one too many, or is there twice.
    """
    place, *parts = (part.strip() for part in target.split(","))
    name, equals, _ = place.partition("=")
    if name in known and (bool(equals) is known[name]):
        place, parts = "", [place, *parts]
    wishes: dict[str, str] = {}
    for part in parts:
        name, equals, value = part.partition("=")
        if name not in known:
            choice = ", ".join(f"{name}=…" if valued else name for name, valued in known.items())
            # The part itself is not quoted: it may be what somebody took for a place for a password.
            raise SettingsError(
                tr("{kind}: after the target, choose from {choice}", kind=kind, choice=choice)
                if choice
                else tr("{kind}: no commas", kind=kind)
            )
        if known[name] is not bool(value) or (equals and not known[name]):
            raise SettingsError(
                tr("{kind}: write {name}=VALUE", kind=kind, name=name)
                if known[name]
                else tr("{kind}: {name} has no value", kind=kind, name=name)
            )
        if name in wishes:
            raise SettingsError(tr("{kind}: {name} is there twice", kind=kind, name=name))
        wishes[name] = value
    return place, wishes


def host_and_port(kind: str, place: str, default_port: int | None = None) -> tuple[str, int]:
    """The host (without the brackets of IPv6; `LOOPBACK` where none is named) and the port of HOST:PORT.

    Raises:
        SettingsError: it is something else.
    """
    if not place and default_port is not None:
        return LOOPBACK, default_port
    found = _HOST_PORT.fullmatch(place)
    if found is None or not 0 < int(found[2]) < 65536:
        raise SettingsError(
            tr(
                "{kind}: write the target as HOST:PORT, such as {loopback}:{default_port}",
                kind=kind,
                loopback=LOOPBACK,
                default_port=default_port or 9000,
            )
        )
    return (found[1] or LOOPBACK).strip("[]"), int(found[2])


def number(kind: str, wishes: Mapping[str, str], name: str, default: float, low: float, high: float) -> float:
    """The value of a wish as a number from `low` to `high`.

    Raises:
        SettingsError: it is none.
    """
    text = wishes.get(name)
    if text is None:
        return default
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not low <= value <= high:
        raise SettingsError(
            tr("{kind}: {name} must be a number from {low:g} to {high:g}", kind=kind, name=name, low=low, high=high)
        )
    return value
