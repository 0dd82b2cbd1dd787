"""Brings the catalogues up to date with the code: `python packaging/languages.py`. Needs Babel, of the extra `test`.

It finds every text in the code, adds new ones to assets/languages/CODE.po without a translation, drops those that are
gone, compiles CODE.mo beside it, and says what is still to be translated: until then tests/test_languages.py fails.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Final

from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

ROOT: Final = Path(__file__).parents[1]
FOLDER: Final = ROOT / "assets" / "languages"
CODES: Final = ("de", "fr", "es", "zh_CN", "ja")
_CODE: Final = ("app", "engine", "mien", "models")
_TEXTS: Final = {"tr": 0, "_tr": 0, "tr_later": 0, "translate": 1, "trn": 0, "trc": 1}
"""Functions, and which of their arguments is the text."""
_WHENEVER: Final = datetime(2026, 1, 1, tzinfo=UTC)  # so that a file that says the same is the same


@dataclass(frozen=True, slots=True)
class Text:
    """A text of the code: its context (None: any), itself, and how it is for any number but 1 (None: all the same)."""

    context: str | None
    one: str
    many: str | None

    @property
    def id(self) -> str | tuple[str, str]:
        """As Babel names it."""
        return self.one if self.many is None else (self.one, self.many)


@dataclass(slots=True)
class Found:
    """Where a text stands, by the files' paths from the repository's root."""

    files: list[str] = field(default_factory=list)


def texts() -> dict[Text, Found]:
    """All texts of the code, in the order of files and lines."""
    found: dict[Text, Found] = {}
    for top in _CODE:
        for path in sorted((ROOT / top).rglob("*.py")):
            name = path.relative_to(ROOT).as_posix()
            for text in sorted_texts(path):
                files = found.setdefault(text, Found()).files
                if name not in files:
                    files.append(name)
    return found


def sorted_texts(path: Path) -> list[Text]:
    """Those of one file, by line."""
    source = path.read_text(encoding="utf-8")
    return [text for _, text in sorted(_calls(ast.parse(source)), key=lambda item: item[0])]


def _calls(tree: ast.AST) -> Iterator[tuple[tuple[int, int], Text]]:
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        called = node.func
        name = called.id if isinstance(called, ast.Name) else called.attr if isinstance(called, ast.Attribute) else ""
        if name not in _TEXTS:
            continue
        given = [one.value if isinstance(one, ast.Constant) else None for one in node.args]
        at = _TEXTS[name]
        if len(given) <= at or not isinstance(given[at], str) or not given[at]:
            continue  # a variable, whose text `tr_later` marks where it is written; or somebody else's `translate`
        context, many = (given[0] if name == "trc" else None), (given[1] if name == "trn" else None)
        yield (node.lineno, node.col_offset), Text(context, str(given[at]), many)


def read(code: str) -> Catalog:
    """The catalogue of a language as it is; an empty one where there is none."""
    path = FOLDER / f"{code}.po"
    if not path.exists():
        return Catalog(locale=code)
    with path.open("rb") as file:
        return read_po(file, locale=code)


def updated(code: str, wanted: dict[Text, Found]) -> Catalog:
    """The catalogue of a language with exactly the texts `wanted`, translated as far as they were."""
    before = read(code)
    after = Catalog(
        locale=code, project="Mien", charset="utf-8", creation_date=_WHENEVER, revision_date=_WHENEVER, fuzzy=False
    )
    for text, found in wanted.items():
        old = before.get(text.one, text.context)
        said = old.string if old is not None else ""
        plural = text.many is not None
        if plural and not isinstance(said, tuple):
            said = (said,) * after.num_plurals if said else ("",) * after.num_plurals
        elif plural:
            said = (*said, *("",) * after.num_plurals)[: after.num_plurals]
        elif not plural and isinstance(said, tuple):
            said = said[0]
        after.add(text.id, said, locations=[(name, None) for name in found.files], context=text.context)
    return after


def written(catalog: Catalog) -> bytes:
    """The .po file."""
    buffer = BytesIO()
    write_po(buffer, catalog, width=120, omit_header=True)
    head = (
        'msgid ""\nmsgstr ""\n"Project-Id-Version: Mien\\n"\n'
        f'"Language: {catalog.locale_identifier}\\n"\n"MIME-Version: 1.0\\n"\n'
        '"Content-Type: text/plain; charset=utf-8\\n"\n"Content-Transfer-Encoding: 8bit\\n"\n'
        f'"Plural-Forms: {catalog.plural_forms}\\n"\n\n'
    )
    return head.encode() + buffer.getvalue()


def compiled(catalog: Catalog) -> bytes:
    """The .mo file."""
    buffer = BytesIO()
    write_mo(buffer, catalog)
    return buffer.getvalue()


def missing(catalog: Catalog) -> list[str]:
    """What is not translated."""
    found = []
    for message in catalog:
        said = message.string if isinstance(message.string, tuple) else (message.string,)
        if message.id and not all(said):
            found.append(message.id[0] if isinstance(message.id, tuple) else message.id)
    return found


def main() -> int:
    """Update all catalogues; returns 1 where something is to be translated."""
    wanted = texts()
    left = 0
    FOLDER.mkdir(parents=True, exist_ok=True)
    for code in CODES:
        catalog = updated(code, wanted)
        (FOLDER / f"{code}.po").write_bytes(written(catalog))
        (FOLDER / f"{code}.mo").write_bytes(compiled(catalog))
        untold = missing(catalog)
        left += len(untold)
        print(f"{code}: {len(wanted) - len(untold)} of {len(wanted)} texts translated")
        for text in untold[:5]:
            print(f"  {text!r}")
    return 1 if left else 0


if __name__ == "__main__":
    sys.exit(main())
