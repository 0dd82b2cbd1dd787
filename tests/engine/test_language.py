"""Which language is chosen, and what `tr` makes of texts and numbers."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from mien.engine import language
from mien.engine.errors import MienError, SourceError
from mien.engine.language import Said, choose, english, known, tr, trn
from mien.engine.recording.files import write_json

ROOT = Path(__file__).parents[2]


@pytest.fixture
def german() -> Iterator[None]:
    choose("de")
    yield
    choose("en")


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("de", "de"), ("de_AT.UTF-8", "de"), ("de-CH", "de"), ("fr_CA", "fr"), ("es_419", "es"), ("ja_JP.eucJP", "ja"),
        ("zh_CN", "zh_CN"), ("zh-Hans-SG", "zh_CN"), ("zh", "zh_CN"), ("zh_TW.UTF-8", None), ("zh-Hant-CN", None),
        ("C", "en"), ("POSIX", "en"), ("en_GB@euro", "en"), ("it_IT", None), ("", None),
    ],
)  # fmt: skip
def test_names_of_languages_as_systems_write_them(name: str, code: str | None) -> None:
    assert known(name) == code


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such variables")
@pytest.mark.parametrize(
    ("variables", "code"),
    [
        ({}, "en"),
        ({"LANG": "fr_FR.UTF-8"}, "fr"),
        ({"LANG": "fr_FR.UTF-8", "LC_MESSAGES": "de_DE.UTF-8"}, "de"),
        ({"LANG": "fr_FR.UTF-8", "LC_ALL": "C.UTF-8"}, "en"),
        ({"LANG": "it_IT.UTF-8"}, "en"),
        ({"LANG": "it_IT.UTF-8", "LANGUAGE": "it:es:de"}, "es"),
        ({"LANG": "C", "LANGUAGE": "es"}, "en"),
        ({"LANG": "fr_FR.UTF-8", "MIEN_LANGUAGE": "ja"}, "ja"),
        ({"LANG": "fr_FR.UTF-8", "MIEN_LANGUAGE": "xx"}, "en"),
    ],
)
def test_the_environment_chooses(variables: dict[str, str], code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LC_ALL", "LC_MESSAGES", "LANG", "LANGUAGE", "MIEN_LANGUAGE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    try:
        assert choose() == code
    finally:
        choose("en")


def test_numbers_have_the_sign_of_the_language(german: None) -> None:
    assert tr("{seconds:.1f} s", seconds=1.25) == "1,2 s"
    assert tr("{value:+.2f}", value=np.float32(-0.5)) == "-0,50"
    assert trn("{count:,} sent", "{count:,} sent", 12345).startswith("12.345 ")
    # What is no measure stays as it is: a release, a path.
    assert tr("{path}: no such file", path="take 1.5.mp4").startswith("take 1.5.mp4")


def test_english_stays_as_it_is_written() -> None:
    assert tr("{seconds:.1f} s", seconds=1.25) == "1.2 s"
    assert type(tr("{path}: no such file", path="x")) is str
    assert [trn("{count} person", "{count} people", count) for count in (0, 1, 2)] == [
        "0 people",
        "1 person",
        "2 people",
    ]


def test_a_message_knows_its_english_through_an_error_and_into_a_file(german: None, tmp_path: Path) -> None:
    reason = tr("no frame came; nothing was recorded")
    error = SourceError(tr("{path}: cannot be written ({reason})", path="a.mp4", reason="Permission denied"))
    assert isinstance(str(error), Said)
    assert str(error) != english(str(error)) == "a.mp4: cannot be written (Permission denied)"
    assert "Permission" not in str(error)  # what the system says is translated, too
    around = tr("{error}; saved up to the last whole piece", error=str(error))
    assert english(around) == "a.mp4: cannot be written (Permission denied); saved up to the last whole piece"
    write_json(tmp_path / "a.json", {"ended": reason, "warnings": (around,), "inside": {"name": "é"}})
    assert json.loads((tmp_path / "a.json").read_text(encoding="utf-8")) == {
        "ended": "no frame came; nothing was recorded",
        "warnings": ["a.mp4: cannot be written (Permission denied); saved up to the last whole piece"],
        "inside": {"name": "é"},
    }


def test_a_message_survives_the_way_between_processes(german: None) -> None:
    error = pickle.loads(pickle.dumps(MienError(tr("{path}: no such file", path="x"))))
    assert english(str(error)) == "x: no such file"
    assert str(error) == tr("{path}: no such file", path="x")


def test_without_its_catalogue_a_language_is_english(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(language, "FOLDER", tmp_path)
    (tmp_path / "de.mo").write_bytes(b"no catalogue")
    try:
        assert choose("de") == "de"
        assert tr("{path}: no such file", path="x") == "x: no such file"
    finally:
        choose("en")


@pytest.mark.parametrize(("code", "word"), [("de", "Datei"), ("fr", "fichier"), ("es", "archivo")])
def test_the_command_line_speaks_the_users_language(code: str, word: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "main.py"), "annotate", "nosuch.mp4", "-o", "out.mp4"],
        cwd=tmp_path, capture_output=True, text=True, encoding="utf-8", check=False,
        env={**os.environ, "MIEN_LANGUAGE": code, "PYTHONUTF8": "1"},
    )  # fmt: skip
    assert done.returncode == 2
    assert word in done.stderr
    assert "no such file" not in done.stderr
    assert len(done.stderr.splitlines()) == 1
