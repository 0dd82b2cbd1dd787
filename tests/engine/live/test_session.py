"""The live session with real detector, models, frames and threads: it always answers, and leaves nothing behind."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from mien.engine.drawing.view import ViewRequest
from mien.engine.inference.bundle import Bundle, load_bundle, write_bundle
from mien.engine.live.session import LiveSession
from mien.engine.settings import Settings
from mien.engine.sources.address import SourceAddress
from mien.engine.types import RgbImage, SourceState
from tests.conftest import LABELS, REPOSITORY, build_tiny_bundle
from tests.live_sources import Reel, crowd, live_threads, until
from tests.videos import plain, portrait, write_video


@pytest.fixture(scope="module")
def portraits() -> list[RgbImage]:
    return portrait(100)


@pytest.fixture
def session(tiny_bundle: Bundle, detector_file: Path) -> Iterator[LiveSession]:
    opened = LiveSession(tiny_bundle, detector_file, Settings(provider="cpu"))
    with opened:
        yield opened
    assert opened.error is None
    assert live_threads() == []


def has_readings(session: LiveSession, faces: int = 1) -> bool:
    scene = session.scene()
    return scene is not None and len(scene.predictions) >= faces


def test_a_source_is_shown_with_readings_and_measured(session: LiveSession, portraits: list[RgbImage]) -> None:
    assert session.view() is None
    assert session.status().condition is None
    session.set_view(ViewRequest(480, 480))
    session.play(Reel(portraits, rate=30))
    until(lambda: has_readings(session) and session.status().model_state == "ready")
    until(lambda: (v := session.view()) is not None and bool(v.scene.predictions))
    view, status = session.view(), session.status()
    assert view is not None
    assert view.image.shape == (360, 480, 3)
    assert view.labels == status.labels == LABELS
    assert status.provider == "CPUExecutionProvider"
    assert status.model == "tiny"
    assert status.condition is not None
    assert status.condition.state is SourceState.LIVE
    assert status.source_name == "reel"
    assert status.info is not None
    assert status.latency_ms is not None
    assert 0 < status.latency_ms[0] <= status.latency_ms[1]
    assert status.recording is None
    serial = view.serial
    until(lambda: (v := session.view()) is not None and v.serial > serial + 10)
    session.close_source()
    assert session.view() is session.scene() is None
    until(lambda: (c := session.status().counts).captured == c.tracked + c.dropped)
    counts = session.status().counts
    assert counts.shown + counts.passed_over <= counts.tracked
    assert counts.predictions > 0


def test_the_demo_and_a_file_are_opened_by_their_address(session: LiveSession, tmp_path: Path) -> None:
    session.open(SourceAddress.parse("demo"))
    until(lambda: session.status().source_fps > 0 and session.scene() is not None)
    assert session.status().source_name == "demo"
    video = write_video(tmp_path / "v.mp4", plain(10))
    session.open(SourceAddress.parse(str(video)))
    until(lambda: (c := session.status().condition) is not None and c.state is SourceState.ENDED)
    until(lambda: (s := session.scene()) is not None and s.frame.index == 9)
    assert "v.mp4" in session.status().source_name
    session.open(SourceAddress.parse(str(write_video(tmp_path / "w.mp4", plain(2)))))
    session.open(SourceAddress.parse("demo"))
    until(lambda: session.status().source_name == "demo" and session.scene() is not None)


def test_a_source_that_cannot_be_opened_says_so_and_another_can_follow(session: LiveSession, tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("not a video")
    session.open(SourceAddress.parse(str(tmp_path / "text.mp4")))
    until(lambda: (c := session.status().condition) is not None and c.state is SourceState.FAILED)
    condition = session.status().condition
    assert condition is not None
    assert "text.mp4" in condition.message
    session.play(Reel(plain(4), rate=50))
    until(lambda: session.scene() is not None)


def test_a_source_that_blocks_delays_nobody(session: LiveSession, portraits: list[RgbImage]) -> None:
    session.set_view(ViewRequest(320, 240))
    stuck = Reel(plain(4, width=64, height=48), blocks_after=3, name="stuck")
    session.play(stuck)
    assert stuck.blocked.wait(30)
    began = time.monotonic()
    following = Reel(portraits, name="following")
    session.play(following)
    session.status()
    session.set_view(ViewRequest(160, 120))
    assert session.view() is None
    assert time.monotonic() - began < 1
    until(lambda: has_readings(session))
    scene = session.scene()
    assert scene is not None
    assert scene.frame.image.shape == (240, 320, 3)
    # What the blocked driver gives when it wakes up is nobody's business any more.
    stuck.released.set()
    until(lambda: sum(name == "mien-capture" for name in live_threads()) == 1)
    assert session.status().source_name == "following"


def test_a_source_begins_fresh(session: LiveSession, portraits: list[RgbImage]) -> None:
    """Its first face is Person 1, without the name or the numbers of another's, and no drop of another is counted."""
    for number in range(3):
        session.play(Reel(plain(200, width=64, height=48), rate=1000))  # faster than faces are looked for
        until(lambda: session.status().dropped > 5)
        session.play(Reel(portraits, rate=4, name=str(number)))
        assert session.status().dropped == 0
        until(lambda: (s := session.scene()) is not None and bool(s.faces))
        scene, status = session.scene(), session.status()
        assert scene is not None
        assert {face.track_id for face in scene.faces} == {1}
        assert (status.names, status.dropped, status.warning) == ({}, 0, "")
        session.people.rename(1, "Ana")
    counts = session.status().counts
    assert counts.captured >= counts.tracked + counts.dropped > 0


def test_many_switches_leave_one_thread_for_the_source(session: LiveSession) -> None:
    for number in range(30):
        session.play(Reel(plain(3, width=64, height=48), name=str(number)))
    until(lambda: session.scene() is not None and session.status().source_name == "29")
    until(lambda: sum(name == "mien-capture" for name in live_threads()) == 1)


def test_when_a_camera_follows_a_camera_the_first_has_let_go_of_the_device(session: LiveSession) -> None:
    first = Reel(plain(3), blocks_after=2, mirrored=True)
    session.play(first)
    assert first.blocked.wait(30)
    second = Reel(plain(3), mirrored=True)
    session.play(second)
    session.play(Reel(plain(3, width=64, height=48), name="no camera"))
    until(lambda: session.scene() is not None)  # not delayed by the two
    third = Reel(plain(3), mirrored=True)
    session.play(third)
    assert second.given == 0
    first.released.set()
    until(lambda: third.given > 0)
    assert second.given == 0
    assert session.status().mirrored


def test_the_view_follows_its_request_even_when_the_source_stands_still(
    session: LiveSession, portraits: list[RgbImage]
) -> None:
    session.play(Reel(portraits[:20], once=True))
    until(lambda: (c := session.status().condition) is not None and c.state is SourceState.ENDED)
    assert session.view() is None
    for size in ((200, 150), (400, 300)):
        session.set_view(ViewRequest(*size))
        until(lambda size=size: (v := session.view()) is not None and v.image.shape[:2] == size[::-1])
    view = session.view()
    session.set_view(ViewRequest(400, 300, mirrored=True))
    until(lambda: session.view() is not view)
    mirrored = session.view()
    assert view is not None
    assert mirrored is not None
    bare = ViewRequest(400, 300, overlay=False)
    session.set_view(bare)
    until(lambda: (v := session.view()) is not None and v.request is bare)
    session.set_view(None)
    assert session.view() is None


def test_names_and_selection_are_remembered(session: LiveSession) -> None:
    session.people.rename(1, "Ada")
    session.people.rename(2, "Grace")
    session.people.rename(1, "")
    session.people.select(frozenset({2}))
    assert session.status().names == {2: "Grace"}
    assert session.status().selected == {2}


def test_a_model_is_swapped_while_the_picture_goes_on(
    session: LiveSession, portraits: list[RgbImage], tmp_path: Path
) -> None:
    session.set_view(ViewRequest(320, 240))
    reel = Reel(portraits)
    session.play(reel)
    until(lambda: has_readings(session))
    other = load_bundle(REPOSITORY / "assets" / "embedded")
    session.use_bundle(other, "cpu")
    assert session.status().model_state == "loading"
    until(lambda: session.status().model == "mien-embedded")
    labels = tuple(other.manifest.labels)
    until(lambda: (v := session.view()) is not None and v.labels == labels and bool(v.scene.predictions))
    status, view = session.status(), session.view()
    assert (status.model_state, status.model_message, status.labels) == ("ready", "", labels)
    assert view is not None
    assert all(len(prediction.probabilities) == len(labels) for prediction in view.scene.predictions.values())
    # One that cannot be loaded leaves the one in use where it is.
    damaged = build_tiny_bundle(tmp_path / "damaged")
    (tmp_path / "damaged" / "encoder.onnx").write_bytes(b"damage")
    session.use_bundle(damaged, "cpu")
    until(lambda: session.status().model_state == "failed")
    assert "damaged" in session.status().model_message
    assert session.status().model == "mien-embedded"
    given = session.status().counts.predictions
    until(lambda: session.status().counts.predictions > given + 5)


def test_a_model_that_breaks_does_not_end_the_session(
    session: LiveSession, tmp_path: Path, tiny_bundle: Bundle
) -> None:
    session.set_view(ViewRequest(640, 240))
    faces = portrait(60, width=320, height=240)
    session.play(Reel(faces))
    session.use_bundle(only_for_one_face(tmp_path / "fragile"), "cpu")
    until(lambda: has_readings(session) and session.status().model_state == "ready")
    session.play(Reel(crowd(faces, [(0, 0), (320, 0)], 640, 240)))
    until(lambda: session.status().model_state == "failed")
    assert "cannot be run on CPUExecutionProvider" in session.status().model_message
    tracked = session.status().counts.tracked
    until(lambda: session.status().counts.tracked > tracked + 20)
    view = session.view()
    assert view is not None
    assert len(view.scene.faces) == 2
    assert not view.scene.predictions
    session.use_bundle(tiny_bundle, "cpu")
    until(lambda: has_readings(session, 2))
    assert session.status().model_state == "ready"


def only_for_one_face(folder: Path) -> Bundle:
    """A bundle whose encoder really fails as soon as it is given two faces."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    bundle = build_tiny_bundle(folder)
    manifest = bundle.manifest
    pixels = 3 * manifest.size**2
    weights = np.random.default_rng(3).standard_normal((pixels, manifest.dim)).astype(np.float32) * 0.01
    graph = helper.make_graph(
        [
            helper.make_node("Reshape", ["frames", "shape"], ["flat"]),
            helper.make_node("MatMul", ["flat", "weights"], ["embeddings"]),
        ],
        "encoder",
        [helper.make_tensor_value_info("frames", TensorProto.FLOAT, ("n", 3, manifest.size, manifest.size))],
        [helper.make_tensor_value_info("embeddings", TensorProto.FLOAT, ("n", manifest.dim))],
        [numpy_helper.from_array(np.array([1, pixels]), "shape"), numpy_helper.from_array(weights, "weights")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, folder / "encoder.onnx")
    return write_bundle(folder, manifest)


def test_without_a_detector_there_is_a_picture_and_a_reason(tiny_bundle: Bundle, tmp_path: Path) -> None:
    (tmp_path / "no.tflite").write_bytes(b"no detector")
    with LiveSession(tiny_bundle, tmp_path / "no.tflite", Settings(provider="cpu")) as session:
        session.set_view(ViewRequest(100, 100))
        session.play(Reel(plain(5)))
        until(lambda: session.view() is not None and session.status().model_state == "failed")
        assert "no.tflite" in session.status().model_message
        serial = session.view().serial
        until(lambda: session.view().serial > serial + 5)
    assert live_threads() == []


def test_closing_waits_no_longer_than_told_for_a_driver_that_hangs(tiny_bundle: Bundle, detector_file: Path) -> None:
    stuck = Reel(plain(4), blocks_after=2)
    session = LiveSession(tiny_bundle, detector_file, Settings(provider="cpu"))
    session.play(stuck)
    assert stuck.blocked.wait(30)
    until(lambda: session.status().model_state == "ready")
    assert not session.close(timeout_s=0.5)
    assert live_threads() == ["mien-capture"]
    stuck.released.set()
    assert session.close()
    assert live_threads() == []
    late = Reel(plain(4))
    session.play(late)
    assert late.given == 0


def test_closing_while_everything_is_still_loading(tiny_bundle: Bundle, detector_file: Path) -> None:
    session = LiveSession(tiny_bundle, detector_file, Settings(provider="cpu"))
    session.open(SourceAddress.parse("demo"))
    assert session.close()
    assert live_threads() == []
