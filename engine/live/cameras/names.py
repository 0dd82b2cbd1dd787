"""Names of cameras: in files, lines and logs each must be told from the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from mien.engine.sources.address import SourceAddress


def named_apart(addresses: Sequence[SourceAddress]) -> list[SourceAddress]:
    """`addresses` with different names: those that would have one name are numbered, as "door 2"."""
    taken: set[str] = set()
    found = []
    for address in addresses:
        name, number = address.name, 1
        while name.casefold() in taken:  # files are named so, and some systems see no difference
            number += 1
            name = f"{address.name} {number}"
        taken.add(name.casefold())
        found.append(address if name == address.name else replace(address, name=name))
    return found
