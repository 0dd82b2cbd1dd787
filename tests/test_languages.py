"""The catalogues of texts: complete, without what is gone, and each translation fits its text."""

from __future__ import annotations

import ast
import gettext
import re
import runpy
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from string import Formatter
from typing import Any

import pytest

from mien.engine.language import LANGUAGES, SOURCE

ROOT = Path(__file__).parents[1]
CODES = tuple(code for code in LANGUAGES if code != SOURCE)
CODE = sorted(path for top in ("app", "engine", "mien", "models") for path in (ROOT / top).rglob("*.py"))
_PATTERN = re.compile(r"\*\.\w+")
_MNEMONIC = re.compile(r"&(?!&)\w")
_ERRORS = {
    *("MienError", "SettingsError", "SourceError", "ModelError", "RecordingError", "OutputError", "ReviewError"),
    *("DataError", "UsageError", "BadParameter"),
}
_SHOWN = {"setText", "setToolTip", "setWindowTitle", "setAccessibleName", "setPlaceholderText", "addAction", "addTab"}
_MADE = {"label", "button", "tool", "QCheckBox"}


@pytest.fixture(scope="module")
def made() -> dict[str, Any]:
    return runpy.run_path(str(ROOT / "packaging" / "languages.py"), run_name="languages")


@pytest.fixture(scope="module", params=CODES)
def code(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def messages(made: dict[str, Any], code: str) -> Iterator[tuple[Any, list[tuple[str, str]]]]:
    """Of a catalogue, each message, and pairs of a text and its translation."""
    for message in made["read"](code):
        if not message.id:
            continue
        if isinstance(message.id, tuple):
            said = message.string if isinstance(message.string, tuple) else (message.string,)
            # A language with one form says with it what the text for many says.
            texts = [message.id[1]] if len(said) == 1 else [message.id[min(number, 1)] for number in range(len(said))]
            yield message, list(zip(texts, said, strict=True))
        else:
            yield message, [(message.id, message.string)]


def test_every_language_has_a_catalogue(made: dict[str, Any]) -> None:
    assert set(made["CODES"]) == set(CODES)


def test_no_text_is_missing_and_none_is_stale(made: dict[str, Any], code: str) -> None:
    wanted = {(text.context, text.one, text.many) for text in made["texts"]()}
    there = {
        (message.context, *(message.id if isinstance(message.id, tuple) else (message.id, None)))
        for message, _ in messages(made, code)
    }
    hint = "run python packaging/languages.py, and translate what is new"
    assert not wanted - there, f"{hint}: {sorted(map(str, wanted - there))[:5]}"
    assert not there - wanted, f"{hint}: {sorted(map(str, there - wanted))[:5]}"
    untold = [pairs[0][0] for message, pairs in messages(made, code) if message.fuzzy or not all(t for _, t in pairs)]
    assert not untold, f"{len(untold)} texts are not translated: {untold[:5]}"


def test_what_is_compiled_is_what_is_written(made: dict[str, Any], code: str) -> None:
    catalog = made["read"](code)
    fresh = gettext.GNUTranslations(BytesIO(made["compiled"](catalog)))
    with (made["FOLDER"] / f"{code}.mo").open("rb") as file:
        shipped = gettext.GNUTranslations(file)
    for message, pairs in messages(made, code):
        for number in (1, 2, 5):
            found = [
                one.ngettext(*message.id, number) if isinstance(message.id, tuple)
                else one.pgettext(message.context, message.id) if message.context else one.gettext(message.id)
                for one in (fresh, shipped)
            ]  # fmt: skip
            assert found[0] == found[1], f"{pairs[0][0]!r}: run python packaging/languages.py"


def places(text: str) -> list[tuple[str, str, str]]:
    """Names, formats and conversions of the places in a text that is filled."""
    found = [(name, spec or "", conversion or "") for _, name, spec, conversion in Formatter().parse(text) if name]
    return sorted(found)


def test_translations_have_the_same_places(made: dict[str, Any], code: str) -> None:
    wrong = []
    for _, pairs in messages(made, code):
        for text, said in pairs:
            try:
                same = set(places(text)) == set(places(said))
            except ValueError:  # no text that is filled, and so without places
                same = "{" not in text or "{" in said
            if not same:
                wrong.append((text, said))
    assert not wrong, f"{len(wrong)}: {wrong[:5]}"


def test_translations_look_like_their_texts(made: dict[str, Any], code: str) -> None:
    wrong = []
    for _, pairs in messages(made, code):
        for text, said in pairs:
            same = (
                sorted(_PATTERN.findall(text)) == sorted(_PATTERN.findall(said)),
                len(_MNEMONIC.findall(text)) == len(_MNEMONIC.findall(said)),
                text.endswith("…") == said.endswith("…"),
                text.count("\n") == said.count("\n"),
                text[:1].isspace() == said[:1].isspace() and text[-1:].isspace() == said[-1:].isspace(),
            )
            if not all(same):
                wrong.append((text, said, same))
    assert not wrong, f"{len(wrong)}: {wrong[:5]}"


def test_options_commands_and_addresses_stay_as_they_are(made: dict[str, Any], code: str) -> None:
    names = re.compile(
        r"(?<![\w-])--[a-z][a-z-]+|MIEN_[A-Z_]+|\bmien (?:annotate|watch|repair|model train|data check)\b"
    )
    wrong = [
        (text, said)
        for _, pairs in messages(made, code)
        for text, said in pairs
        if set(names.findall(text)) != set(names.findall(said))
    ]
    assert not wrong, f"{len(wrong)}: {wrong[:5]}"


def called(node: ast.Call) -> str:
    return node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")


def literal(node: ast.expr) -> bool:
    """Whether words are written here, which nobody could translate."""
    if isinstance(node, ast.Constant):
        return isinstance(node.value, str) and bool(re.search(r"[A-Za-z]{2,} [a-z]{2,}", node.value))
    if isinstance(node, ast.JoinedStr):
        return any(literal(part) for part in node.values)
    if isinstance(node, ast.IfExp):
        return literal(node.body) or literal(node.orelse)
    return False


def test_errors_are_translated() -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in CODE
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and called(node) in _ERRORS and node.args and literal(node.args[0])
    ]
    assert not wrong, wrong


def test_what_the_window_shows_is_translated() -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in CODE
        if "gui" in path.parts
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and called(node) in _SHOWN | _MADE and any(literal(one) for one in node.args)
    ]
    assert not wrong, wrong


def test_nothing_is_translated_before_the_language_is_chosen() -> None:
    """A text that is translated while a module is imported keeps the language of that moment."""
    wrong: list[str] = []

    def look(node: ast.AST, path: Path) -> None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
                continue
            if isinstance(child, ast.Call) and called(child) in {"tr", "_tr", "trn", "trc", "translated"}:
                wrong.append(f"{path.relative_to(ROOT)}:{child.lineno}")
            look(child, path)

    for path in CODE:
        look(ast.parse(path.read_text(encoding="utf-8")), path)
    assert not wrong, wrong


def test_texts_are_written_where_they_can_be_found() -> None:
    """What is put together while it is translated is in no catalogue."""
    wrong = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in CODE
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and called(node) in {"tr", "_tr", "trn", "trc", "tr_later"}
        and any(isinstance(one, ast.JoinedStr | ast.BinOp) for one in node.args[: 2 if called(node) != "tr" else 1])
    ]
    assert not wrong, wrong
