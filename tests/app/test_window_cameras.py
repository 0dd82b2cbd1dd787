"""The window of several cameras, over real sessions: all are seen, one can be enlarged, recordings are finished."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mien.engine.inference.bundle import Bundle
from mien.engine.live.cameras.group import Camera
from mien.engine.recording.plan import RecordingPlan
from mien.engine.settings import Settings
from mien.engine.sources.address import SourceAddress


@pytest.fixture
def open_grid(settled, qtbot, tiny_bundle: Bundle, detector_file: Path) -> Iterator[Callable]:
    from mien.app.gui.cameras.window import CamerasWindow

    opened: list[CamerasWindow] = []

    def make(*places: str, record: Path | None = None, bundle: Bundle = tiny_bundle, told=lambda _: None):
        plan = None if record is None else RecordingPlan(record, "{source}")
        cameras = [
            Camera(
                SourceAddress.parse(place, name=f"Room {number}"), bundle, detector_file, Settings(provider="cpu"),
                plan=plan,
            )
            for number, place in enumerate(places, start=1)
        ]  # fmt: skip
        window = CamerasWindow(cameras, (), told)
        opened.append(window)
        window.resize(900, 640)
        window.show()
        return window

    yield make
    for window in opened:
        window.close()
        qtbot.waitUntil(lambda window=window: not window.isVisible(), timeout=60_000)
        window.deleteLater()


def test_all_are_seen_and_one_is_enlarged(open_grid, qtbot, tmp_path: Path) -> None:
    from PySide6.QtCore import Qt

    (tmp_path / "broken.mp4").write_text("no video")
    said: list[str] = []
    window = open_grid("demo", str(tmp_path / "broken.mp4"), "demo", record=tmp_path, told=said.append)
    grid, canvases = window.grid, window.grid.canvases
    assert [canvas.badges[1] for canvas in canvases.values()] == ["Room 1", "Room 2", "Room 3"]
    good = [canvases[name] for name in ("Room 1", "Room 3")]
    qtbot.waitUntil(lambda: all(canvas.painted > 2 and canvas.badges[0] for canvas in good), timeout=90_000)
    assert window.group.networks == 1
    assert "Cannot be opened" in canvases["Room 2"].accessibleDescription()
    qtbot.waitUntil(lambda: not any(canvas.accessibleDescription() for canvas in good), timeout=60_000)
    # Two columns and two rows, the pictures made for just that size.
    assert good[0].y() == canvases["Room 2"].y() < good[1].y()
    assert all(canvas.view.request.width == canvas.width() for canvas in good)

    qtbot.mouseDClick(good[1], Qt.MouseButton.LeftButton)
    assert grid.enlarged == "Room 3"
    assert [canvas.isVisible() for canvas in canvases.values()] == [False, False, True]
    qtbot.waitUntil(lambda: good[1].view.request.width == grid.width(), timeout=60_000)
    assert not window.group.sessions["Room 1"]._views.wanted  # nothing is drawn that nobody sees
    qtbot.keyClick(good[1], Qt.Key.Key_Escape)
    assert all(canvas.isVisible() for canvas in canvases.values())
    qtbot.keyClick(grid, Qt.Key.Key_2)
    assert grid.enlarged == "Room 2"
    qtbot.mouseDClick(canvases["Room 2"], Qt.MouseButton.LeftButton)
    assert grid.enlarged is None

    with qtbot.waitSignal(window.closed, timeout=60_000):
        window.close()
    recorded = sorted(line.rpartition("/")[2] for line in said if line.startswith("recorded: "))
    assert recorded == [f"Room {number}.{ending}" for number in (1, 3) for ending in ("csv", "json", "mp4")]
    assert [line for line in said if line.startswith("Room 2: ")]
    assert not list(tmp_path.glob("*.part*"))


def test_a_model_that_cannot_run_is_said_and_the_window_closes(open_grid, qtbot, tiny_bundle: Bundle, tmp_path) -> None:
    import shutil
    from dataclasses import replace

    broken = shutil.copytree(tiny_bundle.path, tmp_path / "broken")
    (broken / "encoder.onnx").write_bytes(b"no graph")
    window = open_grid("demo", "demo", bundle=replace(tiny_bundle, path=broken))
    canvas = window.grid.canvases["Room 2"]
    qtbot.waitUntil(lambda: "The model cannot be used" in canvas.accessibleDescription(), timeout=60_000)


@pytest.mark.parametrize(("count", "columns"), [(1, 1), (2, 2), (3, 2), (4, 2), (5, 3), (9, 3)])
def test_the_grid_is_as_square_as_it_can_be(qtbot, count: int, columns: int) -> None:
    from mien.app.gui.cameras.grid import CameraGrid

    grid = CameraGrid([str(number) for number in range(count)])
    qtbot.addWidget(grid)
    grid.resize(900, 640)
    grid.show()
    assert len({canvas.x() for canvas in grid.canvases.values()}) == columns
