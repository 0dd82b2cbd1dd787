"""The window's language: its texts, Qt's own, and how numbers and dates are written."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import PySide6
from PySide6.QtCore import QLibraryInfo, QLocale, QTranslator
from PySide6.QtGui import QFontDatabase, QGuiApplication

from mien.engine.language import LANGUAGES, SOURCE, VARIABLE, choose, known, translated

_WRITING: Final = {
    "zh_CN": QFontDatabase.WritingSystem.SimplifiedChinese,
    "ja": QFontDatabase.WritingSystem.Japanese,
}
"""What a font must have, that many systems lack."""


class Catalogue(QTranslator):
    """Gives Qt's `tr` the texts of `mien.engine.language`; its disambiguation is their context."""

    def isEmpty(self) -> bool:
        return False

    def translate(self, context: str, sourceText: str, disambiguation: str | None = None, n: int = -1) -> str | None:
        return translated(sourceText, disambiguation or "")


def speak(app: QGuiApplication, choice: str = "") -> str:
    """Use a language in this process, and in those that it starts; before any widget is made.

    Args:
        app: the application.
        choice: one of `LANGUAGES`; "": what MIEN_LANGUAGE says, else what the system says.

    Returns:
        The language: one of `LANGUAGES`.
    """
    code = choice if choice in LANGUAGES else _wanted()
    locale = _locale(code)
    choose(code, decimal=locale.decimalPoint(), thousands=locale.groupSeparator())
    os.environ[VARIABLE] = code
    QLocale.setDefault(locale)
    for before in app.findChildren(QTranslator):
        app.removeTranslator(before)
        before.deleteLater()
    if code != SOURCE:
        # The one that is installed last is asked first.
        for translator in (_of_qt(code, app), Catalogue(app)):
            app.installTranslator(translator)
    return code


def _wanted() -> str:
    own = os.environ.get(VARIABLE)
    found = [known(name) for name in ([own] if own else QLocale.system().uiLanguages())]
    code = next((code for code in found if code is not None), SOURCE)
    # Empty boxes in place of letters would help nobody. Who chose the language in the preferences has seen its name.
    if code in _WRITING and not QFontDatabase.families(_WRITING[code]):
        return SOURCE
    return code


def _locale(code: str) -> QLocale:
    """How numbers and dates are written: as the system says, in this language."""
    system = QLocale.system()
    if known(system.name()) == code and system.language() is not QLocale.Language.C:
        return system
    wanted = QLocale(code)
    if code == "zh_CN" or system.language() is QLocale.Language.C:
        return wanted
    return QLocale(wanted.language(), system.territory())


def _of_qt(code: str, app: QGuiApplication) -> QTranslator:
    """The texts of Qt's own dialogs, buttons and keys."""
    translator = QTranslator(app)
    package = Path(PySide6.__file__).parent
    folders = (
        Path(QLibraryInfo.path(QLibraryInfo.LibraryPath.TranslationsPath)),
        package / "Qt" / "translations",
        package / "translations",
    )
    any(translator.load(f"qtbase_{code}", str(folder)) for folder in folders)
    return translator
