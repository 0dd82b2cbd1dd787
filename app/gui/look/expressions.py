"""What expressions, people without a name, and what is wrong with faces are called on the screen and in reports."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from mien.engine.language import tr, tr_later

if TYPE_CHECKING:
    from mien.engine.types import Prediction

_BASIC: Final = frozenset(
    (
        *(tr_later("happiness"), tr_later("sadness"), tr_later("anger"), tr_later("fear"), tr_later("disgust")),
        *(tr_later("surprise"), tr_later("contempt"), tr_later("neutral")),
    )
)
"""Those that most models know, and by these names; others are shown as the model names them."""


_FLAWS: Final = (
    *(tr_later("small"), tr_later("dark"), tr_later("overexposed"), tr_later("blurred"), tr_later("noisy")),
    *(tr_later("turned away"), tr_later("eyes closed"), tr_later("speaking"), tr_later("mouth covered")),
    tr_later("eyes covered"),
)

_NOBODY: Final = re.compile(r"Person (\d+)")
"""As `mien.engine.faces.people.default_name` has it, which stands in data."""


def expression(name: str) -> str:
    """The label `name` of a model in the user's language; in data, and drawn on frames, it stays as it is."""
    return tr(name) if name in _BASIC else name


def flaws(of: Prediction) -> str:
    """What makes a face hard to read, in words."""
    return ", ".join(tr(str(flaw)) for flaw in of.flaws)


def called(name: str) -> str:
    """The name of a person; in the user's language where it is the one of those who were given none."""
    found = _NOBODY.fullmatch(name)
    return name if found is None else tr("Person {number}", number=int(found[1]))
