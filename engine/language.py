"""The language of texts for people: one catalogue for the window, the command line and reports.

In the code texts stand in English; `tr` gives them in the user's language. Data stays as it is: names of columns and
keys, of commands and options, times in the notation of `mien.engine.review.spans`, and what is written to a log.

The catalogue is GNU gettext's: assets/languages/CODE.po, compiled to CODE.mo beside it by packaging/languages.py, which
also finds the texts in the code. A text that is missing is shown in English.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Rational, Real
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from gettext import GNUTranslations

LANGUAGES: Final = {
    "en": "English",
    "de": "Deutsch",
    "fr": "Français",
    "es": "Español",
    "zh_CN": "简体中文",
    "ja": "日本語",
}
"""Codes of the languages, and what each calls itself."""

SOURCE: Final = "en"
"""The language of the code."""

FOLDER: Final = Path(__file__).parents[1] / "assets" / "languages"
VARIABLE: Final = "MIEN_LANGUAGE"
"""Environment variable that chooses the language, for this program and for processes that it starts."""

_COMMA: Final = frozenset({"de", "fr", "es"})
"""Languages with a decimal comma; the window asks the system instead."""
_THOUSANDS: Final = {"de": ".", "fr": "\u202f", "es": "\u00a0"}


@dataclass(frozen=True, slots=True)
class _Language:
    code: str
    texts: GNUTranslations | None  # None: those of the code
    decimal: str
    thousands: str


_now: _Language | None = None


def choose(name: str | None = None, *, decimal: str | None = None, thousands: str | None = None) -> str:
    """Use a language from now on, in all threads of this process.

    Args:
        name: as in `LANGUAGES`, or as systems write it: de_AT.UTF-8, zh-Hans; None: as the environment says. English
            where it is none of ours.
        decimal: what stands before the decimals of a number; None: what is usual in the language.
        thousands: what stands between groups of three digits; None: as before.

    Returns:
        One of `LANGUAGES`.
    """
    global _now
    code = (_wanted() if name is None else known(name)) or SOURCE
    _now = _Language(
        code,
        _read(code),
        ("," if code in _COMMA else ".") if decimal is None else decimal,
        _THOUSANDS.get(code, ",") if thousands is None else thousands,
    )
    return code


def language() -> str:
    """The language in use: one of `LANGUAGES`."""
    return _in_use().code


def known(name: str) -> str | None:
    """The code in `LANGUAGES` for a language as systems write it; None where it is none of ours."""
    parts = name.partition(".")[0].partition("@")[0].replace("-", "_").split("_")
    first, rest = parts[0].lower(), {part.lower() for part in parts[1:]}
    if first == "zh":
        # Readers of traditional characters have a writing of their own, which is not here.
        return None if rest & {"tw", "hk", "mo", "hant"} else "zh_CN"
    if first in {"c", "posix"}:
        return SOURCE
    return first if first in LANGUAGES else None


class Said(str):
    """A text in the user's language that knows what it says in English, which is what data files hold."""

    english: str

    def __new__(cls, text: str, english: str = "") -> Said:
        made = super().__new__(cls, text)
        made.english = english
        return made

    def __str__(self) -> str:
        return self  # so that an error's message still knows it


def tr(text: str, /, **values: Any) -> str:
    """`text` in the user's language, its places filled with `values`.

    Floats are written with the decimal sign of the language: ``tr("{gap:.1f} s later", gap=1.5)`` is "1,5 s später".
    What is given as `reason` is looked up itself: systems say why in English.
    """
    now = _in_use()
    if now.texts is None:
        return _filled(text, values, now)
    return _said(text, now.texts.gettext(text) if text else "", values, now)


def trn(one: str, many: str, count: int, /, **values: Any) -> str:
    """As `tr`, of a text that depends on a number, which fills the place ``{count}``.

    Args:
        one: the English text for 1.
        many: the English text for any other number.
        count: that number.
        values: what fills the other places.
    """
    now = _in_use()
    source, values = one if count == 1 else many, {"count": count, **values}
    if now.texts is None:
        return _filled(source, values, now)
    return _said(source, now.texts.ngettext(one, many, count), values, now)


def trc(context: str, text: str, /, **values: Any) -> str:
    """As `tr`, of a text that other languages say differently in this `context`."""
    now = _in_use()
    if now.texts is None:
        return _filled(text, values, now)
    return _said(text, now.texts.pgettext(context, text), values, now)


def tr_later(text: str) -> str:
    """`text` itself: marks one that is translated with `tr` where it is shown, such as one in a constant."""
    return text


def translated(text: str, context: str = "") -> str | None:
    """`text` as the catalogue has it, its places not filled; None where it is not in the catalogue."""
    texts = _in_use().texts
    if texts is None or not text:
        return None
    said = texts.pgettext(context, text) if context else texts.gettext(text)
    return None if said == text else said


def english(value: Any) -> Any:
    """`value` with all that `tr` said in it, also in its lists and tables, as it is in English: for data files."""
    if isinstance(value, Said):
        return value.english
    if isinstance(value, Mapping):
        return {name: english(inner) for name, inner in value.items()}
    return [english(inner) for inner in value] if isinstance(value, list | tuple) else value


def _in_use() -> _Language:
    if _now is None:
        choose()
        assert _now is not None
    return _now


def _said(source: str, text: str, values: dict[str, Any], now: _Language) -> str:
    """`text`, which is `source` in the language, filled."""
    plain = source.format(**{name: english(value) for name, value in values.items()}) if values else source
    reason = values.get("reason")
    if type(reason) is str and reason and now.texts is not None:
        values = {**values, "reason": now.texts.gettext(reason)}
    return Said(_filled(text, values, now), plain)


def _filled(text: str, values: dict[str, Any], now: _Language) -> str:
    if not values:
        return text
    if now.decimal != "." or now.thousands != ",":
        values = {name: _written(value, now) for name, value in values.items()}
    return text.format(**values)


def _written(value: Any, now: _Language) -> Any:
    if isinstance(value, Real) and not isinstance(value, Rational):  # NumPy's, too
        return _Float(float(value), now)
    return _Int(value, now) if type(value) is int else value


class _Float(float):
    """Formats itself with the signs of a language."""

    _now: _Language

    def __new__(cls, value: float, now: _Language) -> _Float:
        made = super().__new__(cls, value)
        made._now = now
        return made

    def __format__(self, spec: str) -> str:
        return _signed(float(self).__format__(spec), self._now)


class _Int(int):
    """As `_Float`, for groups of digits."""

    _now: _Language

    def __new__(cls, value: int, now: _Language) -> _Int:
        made = super().__new__(cls, value)
        made._now = now
        return made

    def __format__(self, spec: str) -> str:
        return _signed(int(self).__format__(spec), self._now)


def _signed(number: str, now: _Language) -> str:
    return number.translate({ord("."): now.decimal, ord(","): now.thousands})


def _read(code: str) -> GNUTranslations | None:
    if code == SOURCE:
        return None
    from gettext import GNUTranslations

    try:
        with (FOLDER / f"{code}.mo").open("rb") as file:
            return GNUTranslations(file)
    except (OSError, ValueError, UnicodeDecodeError):
        return None  # better the program in English than none


def _wanted() -> str | None:
    """The language that the user's environment asks for."""
    own = os.environ.get(VARIABLE)
    if own:
        return known(own)
    # As gettext reads them: the first that is set names the locale; LANGUAGE is a list that only refines it.
    locale = next((os.environ[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if os.environ.get(name)), "")
    if locale.partition(".")[0] in {"C", "POSIX"}:
        return SOURCE
    if locale:
        listed = (known(name) for name in os.environ.get("LANGUAGE", "").split(":") if name)
        return next((code for code in listed if code is not None), known(locale))
    return _of_windows() if sys.platform == "win32" else None


def _of_windows() -> str | None:
    if sys.platform == "win32":
        import ctypes
        import locale

        return known(locale.windows_locale.get(ctypes.windll.kernel32.GetUserDefaultUILanguage(), ""))
    return None


# What systems say most often where something fails; `tr` looks it up.
_SYSTEM_SAYS: Final = (
    *(tr_later("Permission denied"), tr_later("No such file or directory"), tr_later("No space left on device")),
    *(tr_later("Read-only file system"), tr_later("Is a directory"), tr_later("Not a directory")),
    *(tr_later("File exists"), tr_later("Input/output error"), tr_later("File name too long")),
    *(tr_later("Disk quota exceeded"), tr_later("Connection refused"), tr_later("Connection reset by peer")),
    *(tr_later("Network is unreachable"), tr_later("No route to host"), tr_later("Address already in use")),
    *(tr_later("Cannot assign requested address"), tr_later("Name or service not known"), tr_later("timed out")),
)
