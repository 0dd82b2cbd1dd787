"""The examples of docs/extending.md, each put into its table and used."""

from __future__ import annotations

import importlib
import json
import re
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

import mien
from mien.engine.errors import ModelError, SettingsError
from mien.engine.faces import detection
from mien.engine.faces.detection import open_detector
from mien.engine.outputs import kinds as outputs
from mien.engine.outputs.base import LiveScene
from mien.engine.outputs.stage import OutputStage
from mien.engine.review import exports
from mien.engine.sources import address as sources
from mien.engine.types import Frame, Scene
from tests.videos import portrait, write_video

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
BLOCKS = dict(re.findall(r"```python (\w+)\n(.*?)```", PAGE, re.DOTALL))
Example = Callable[[str], str]


@pytest.fixture
def example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Example:
    """Writes an example into a module of its own and returns its name."""

    def written(kind: str) -> str:
        name = f"extending_{kind}"
        (tmp_path / f"{name}.py").write_text(BLOCKS[kind], encoding="utf-8")
        monkeypatch.syspath_prepend(str(tmp_path))
        importlib.invalidate_caches()
        monkeypatch.delitem(sys.modules, name, raising=False)
        return name

    return written


def test_examples_are_short_and_all_are_run() -> None:
    here = Path(__file__).read_text(encoding="utf-8")
    for kind, code in BLOCKS.items():
        assert len(code.strip().splitlines()) <= 30, kind
        assert f'example("{kind}")' in here or f"example('{kind}')" in here, f"the example of a {kind} is not run"


def test_a_source(example: Example, monkeypatch: pytest.MonkeyPatch, detector_file: Path) -> None:
    monkeypatch.setitem(sources.LIVE_SOURCES, "pattern", f"{example('source')}:Pattern")
    with mien.read("pattern:0.4", provider="cpu") as scenes:
        found = [scene.image.shape for scene in scenes]
    assert scenes.live and len(found) + scenes.dropped == 10 and set(found) == {(240, 320, 3)}


def test_a_detector(example: Example, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(detection.DETECTORS, ".png", f"{example('detector')}:Template")
    with pytest.raises(ModelError, match="not an image"):
        open_detector(tmp_path / "missing.png")
    with pytest.raises(ModelError, match=r"ends in \.tflite, \.toml, \.png"):
        open_detector(tmp_path / "other.bin")
    image = portrait(1)[0]
    height, width = image.shape[:2]
    top, left = height // 4, width // 3
    face = image[top : top + 80, left : left + 60]
    cv2.imwrite(str(tmp_path / "face.png"), cv2.cvtColor(face, cv2.COLOR_RGB2GRAY))
    detector = open_detector(tmp_path / "face.png")
    (found,) = detector.detect(image)
    assert (found.box.x, found.box.y, found.box.width, found.box.height) == (left, top, 60, 80)
    assert found.keypoints.shape == (6, 2) and found.score > 0.99
    assert detector.detect(np.zeros_like(image)) == []


def test_a_live_output(example: Example, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(outputs.OUTPUTS, "udp", outputs.OutputKind(f"{example('output')}:Udp", "HOST:PORT", ""))
    with pytest.raises(SettingsError, match="HOST:PORT"):
        OutputStage("udp", "nowhere")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(5)
        stage = OutputStage("udp", f"127.0.0.1:{receiver.getsockname()[1]}")
        frame = Frame(3, 9000, 3000, 0.1, np.zeros((16, 16, 3), np.uint8))
        stage.offer(LiveScene(Scene(frame, (), {}), (), {}, "here"))
        data = json.loads(receiver.recv(65536))
        assert stage.close()
    assert (data["frame"], data["time_s"], data["source"], data["faces"]) == (3, 0.1, "here", [])


def test_a_temporal_aggregator(example: Example, monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed; pip install 'mien[train]'")
    from mien.models.networks import aggregators
    from mien.models.networks.aggregators import build_aggregator
    from mien.models.networks.config import ModelConfig

    with pytest.raises(ModelError, match=r"model\.aggregator must be one of mean, transformer"):
        ModelConfig(aggregator="gru")
    monkeypatch.setitem(aggregators.AGGREGATORS, "gru", f"{example('aggregator')}:Gru")
    network = build_aggregator(12, ModelConfig(aggregator="gru", aggregator_options={"hidden": 5}))
    assert network(torch.zeros(3, 16, 12)).shape == (3, 12)
    assert network.gru.hidden_size == 5


def test_an_export(example: Example, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, detector_file: Path) -> None:
    export = exports.Export(f"{example('export')}:write", "subtitles (SubRip)", ".srt")
    monkeypatch.setitem(exports.EXPORTERS, "srt", export)
    recorded = mien.annotate("demo", tmp_path / "demo.mp4", provider="cpu")
    session = mien.review(recorded.mp4).session
    exports.exporter("srt")(session, tmp_path / "demo.srt")
    lines = (tmp_path / "demo.srt").read_text(encoding="utf-8").splitlines()
    assert lines[0] == "1" and re.fullmatch(r"00:00:0\d,\d{3} --> 00:00:\d\d,\d{3}", lines[1])
    assert lines[2] == f"Person 1: {session.segments(1)[0].label}"


def test_the_script_of_a_new_user(tmp_path: Path, detector_file: Path) -> None:
    pytest.importorskip("pandas", reason="pandas is not installed; pip install 'mien[test]'")
    script = ROOT / "docs" / "shares.py"
    assert len(script.read_text(encoding="utf-8").splitlines()) <= 12
    video = write_video(tmp_path / "in.mp4", portrait(75))
    done = subprocess.run(
        [sys.executable, str(script), str(video)], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[0] == "expression" and "neutral" in done.stdout and "\n1 " in done.stdout
