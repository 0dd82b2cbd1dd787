"""The real window over the real engine: what a user does, and what comes of it."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from pathlib import Path

import av
import cv2
import pytest
from PySide6.QtCore import QPoint, QPointF, Qt

from mien.app.gui import preferences
from mien.engine.drawing.tags import Trust, said_of
from mien.engine.inference.bundle import Bundle
from tests.videos import plain, portrait, write_video

ROOT = Path(__file__).parents[2]


def frames_of(window) -> int:
    """Frames recorded so far."""
    recording = window.link.session.status().recording
    return 0 if recording is None else recording.frames


def test_demo_comes_alive(open_window, qtbot) -> None:
    window = open_window()
    qtbot.waitUntil(lambda: window.people.selected.prediction is not None, timeout=60_000)
    qtbot.waitUntil(lambda: window.canvas.painted > 0, timeout=20_000)
    qtbot.waitUntil(lambda: window.status_line.text("state").startswith("demo · live"), timeout=20_000)
    assert "fps" in window.status_line.text("processed")
    qtbot.waitUntil(lambda: window.status_line.text("model") in {"CPU", "CUDA", "TensorRT"}, timeout=20_000)
    window.panel.refresh()
    assert window.panel.card.word in {*window.people.labels, "uncertain", "warming up", "—"}


def test_picture_card_list_and_chart_show_the_same_prediction(open_window, qtbot) -> None:
    window = open_window()
    seen: set[float] = set()
    while len(seen) < 12:
        qtbot.wait(30)
        scene, person = window.canvas.view.scene, window.people.selected
        prediction = scene.predictions.get(person.track_id)
        if prediction is None:
            continue
        (face,) = [face for face in scene.faces if face.track_id == person.track_id]
        shares = [float(share) for share in prediction.probabilities]
        card = window.panel.card
        assert person.prediction is prediction
        assert card._bars._values == shares
        if len(person.history) > 1:  # one point is no curve
            assert window.panel.timeline._values[-1].tolist() == shares
        said = said_of(scene, face, "1", window.people.labels, 16)
        if said.trust is not Trust.NOTHING:
            assert card.word == window.panel.row(person.track_id).word == said.word
        if said.trust is Trust.SURE:
            best = max(range(len(shares)), key=shares.__getitem__)
            assert card._bars._best == best and card.word == window.people.labels[best]
        seen.add(prediction.time_s)


def test_another_source_and_one_that_is_not_there(open_window, qtbot, tmp_path: Path) -> None:
    window = open_window()
    film = write_video(tmp_path / "film.mp4", portrait(50))
    window.sources.open_text(str(film))
    qtbot.waitUntil(lambda: "film.mp4 · live" in window.status_line.text("state"), timeout=40_000)
    qtbot.waitUntil(lambda: "ended" in window.status_line.text("state"), timeout=40_000)
    assert window.link.playback.now.ended
    window.sources.open_text(str(tmp_path / "absent.mp4"))
    qtbot.waitUntil(lambda: "no such file" in window.notice.text, timeout=30_000)
    window.sources.open_text("rtsp://user:secret word@")
    assert "secret" not in window.notice.text
    window.sources.open_text("demo")
    qtbot.waitUntil(lambda: window.status_line.text("state").startswith("demo · live"), timeout=40_000)
    assert "no such file" not in window.notice.text


def test_a_lost_source_says_so_and_asks_for_patience(open_window, qtbot) -> None:
    window = open_window("rtsp://someone:hidden@127.0.0.1:9/live", ready=False)
    qtbot.waitUntil(lambda: "not connected yet" in window.status_line.text("state"), timeout=30_000)
    said = f"{window.canvas.accessibleDescription()} {window.windowTitle()} {window.status_line.text('state')}"
    assert "hidden" not in said
    window.preferences.save()
    assert "hidden" not in (preferences.folder() / preferences.FILE).read_text(encoding="utf-8")


def test_names_and_hidden_people_reach_the_engine(open_window, qtbot) -> None:
    window = open_window()
    track = window.people.selected.track_id
    row = window.panel.row(track)
    row.rename()
    qtbot.keyClicks(row._edit, "Grace r m")  # the letters of shortcuts are text here
    qtbot.keyClick(row._edit, Qt.Key.Key_Return)
    assert window.link.session.status().names == {track: "Grace r m"}
    assert not window.recording.busy
    qtbot.mouseClick(row._eye, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: window.canvas.view.request.hidden == frozenset({track}), timeout=20_000)
    window.people.select(None)
    qtbot.waitUntil(lambda: bool(window.canvas.view.scene.faces), timeout=20_000)
    box = window.canvas.view.box(window.canvas.view.scene.faces[0])
    ratio = window.canvas.devicePixelRatioF()
    middle = QPointF((box.x + box.width / 2) / ratio, (box.y + box.height / 2) / ratio)
    qtbot.mouseClick(window.canvas, Qt.MouseButton.LeftButton, pos=QPoint(round(middle.x()), round(middle.y())))
    assert window.people.selected.track_id == track


def entry(window, *path: str):
    """An entry of the menu bar by the texts that lead to it."""
    menu = window.menuBar()
    for text in path:
        (action,) = [action for action in menu.actions() if action.text().replace("&", "") == text]
        menu = action.menu()
    return action


def test_menus_and_header_do_what_they_say(open_window, qtbot, tmp_path: Path) -> None:
    window = open_window(recent=["/videos/talk.mp4"])
    entry(window, "View", "Faces on screen", "Blurred").trigger()
    qtbot.waitUntil(lambda: window.canvas.view.request.privacy == "blur", timeout=20_000)
    entry(window, "View", "Boxes and bars").trigger()
    qtbot.waitUntil(lambda: not window.canvas.view.request.overlay, timeout=20_000)
    assert not window.preferences.overlay
    entry(window, "View", "Theme", "Dark").trigger()
    assert (window.theme.choice, window.preferences.theme) == ("dark", "dark")
    window.header.source_menu.aboutToShow.emit()
    texts = [action.text() for action in window.header.source_menu.actions()]
    assert {"/videos/talk.mp4", "&Demo", "&Quit"} <= set(texts)
    entry(window, "Source", "Close source").trigger()
    qtbot.waitUntil(lambda: "No source" in window.canvas.accessibleDescription(), timeout=20_000)
    assert window.windowTitle() == "Mien"
    window.recording.toggle()
    assert "nothing to record" in window.notice.text
    entry(window, "Source", "Demo").trigger()
    qtbot.waitUntil(lambda: window.status_line.text("state").startswith("demo · live"), timeout=40_000)
    assert window.windowTitle() == "demo — Mien"


def test_preferences_that_make_no_sense_are_left_out(settled) -> None:
    file = preferences.folder() / preferences.FILE
    file.parent.mkdir(parents=True)
    file.write_text('{"provider": "abacus", "record_privacy": "blur", "screen_privacy": 3, "record_crf": true}')
    loaded = preferences.load()
    assert (loaded.provider, loaded.record_privacy, loaded.screen_privacy, loaded.record_crf) == (
        "auto", "blur", "none", 20,
    )  # fmt: skip


def test_record_mark_and_stop_by_key(open_window, qtbot, tmp_path: Path) -> None:
    window = open_window()
    window.canvas.setFocus()
    qtbot.keyClick(window, Qt.Key.Key_R)
    qtbot.waitUntil(lambda: window.recording.running and frames_of(window) > 10, timeout=60_000)
    qtbot.keyClick(window, Qt.Key.Key_M)
    qtbot.waitUntil(lambda: frames_of(window) > 30, timeout=60_000)
    qtbot.keyClick(window, Qt.Key.Key_M)
    qtbot.waitUntil(lambda: frames_of(window) > 45, timeout=60_000)
    qtbot.keyClick(window, Qt.Key.Key_R)
    qtbot.waitUntil(lambda: window.notice.text.startswith("Recorded"), timeout=30_000)
    (mp4,) = (tmp_path / "recordings").glob("*.mp4")
    with av.open(str(mp4)) as film:
        assert [chapter["metadata"]["title"] for chapter in film.chapters()][-2:] == ["Marker 1", "Marker 2"]
        assert sum(1 for _ in film.decode(video=0)) > 30
    rows = list(csv.DictReader(mp4.with_suffix(".csv").read_text(encoding="utf-8").splitlines()))
    assert [row["note"] for row in rows if row["status"] == "marker"] == ["Marker 1", "Marker 2"]


def test_quitting_finishes_a_recording(open_window, qtbot, tmp_path: Path) -> None:
    window = open_window()
    window.recording.toggle()
    qtbot.waitUntil(lambda: window.recording.running and frames_of(window) > 5, timeout=60_000)
    asked = []
    window.dialogs.ask_quit = lambda: bool(asked.append(1))
    window.close()
    assert asked
    assert window.isVisible()
    assert window.recording.running
    window.dialogs.ask_quit = lambda: True
    window.close()
    qtbot.waitUntil(lambda: not window.isVisible(), timeout=30_000)
    (mp4,) = (tmp_path / "recordings").glob("*.mp4")
    with av.open(str(mp4)) as film:
        assert sum(1 for _ in film.decode(video=0)) > 5
    assert preferences.load().source == "demo"


def test_pause_snapshot_and_full_screen(open_window, qtbot, tmp_path: Path) -> None:
    window = open_window()
    qtbot.keyClick(window, Qt.Key.Key_Space)
    painted, tracked = window.canvas.view.serial, window.link.session.status().counts.tracked
    qtbot.waitUntil(lambda: window.link.session.status().counts.tracked > tracked + 5, timeout=30_000)
    assert window.canvas.view.serial == painted
    qtbot.keyClick(window, Qt.Key.Key_S)
    # While it is written it has a hidden name, which begins with a dot.
    qtbot.waitUntil(lambda: len(list((tmp_path / "snapshots").glob("[!.]*.png"))) == 1, timeout=20_000)
    (png,) = (tmp_path / "snapshots").glob("[!.]*.png")
    assert cv2.imread(str(png)).shape == (480, 640, 3)  # the source's size, whatever that of the window
    qtbot.keyClick(window, Qt.Key.Key_F)
    assert window.isFullScreen()
    assert not window.header.isVisible()
    qtbot.keyClick(window, Qt.Key.Key_Escape)
    assert not window.isFullScreen()
    assert window.header.isVisible()
    assert window.controls.isVisible()


def test_files_are_annotated_beside_the_live_view(open_window, qtbot, tmp_path: Path) -> None:
    window = open_window()
    short = write_video(tmp_path / "short.mp4", portrait(10))
    (tmp_path / "broken.mp4").write_text("not a video")
    long = write_video(tmp_path / "long.mp4", plain(1500))
    window.add_jobs([str(short), str(tmp_path / "broken.mp4"), str(long)])

    def states() -> list[str]:
        return [str(job.state) for job in window.jobs.queue.jobs()]

    qtbot.waitUntil(lambda: states() == ["done", "failed", "running"], timeout=60_000)
    live = window.link.session.status().counts.tracked
    window.jobs.cancel(3)
    qtbot.waitUntil(lambda: states()[2] == "cancelled" and not list(tmp_path.glob("long_annotated*")), timeout=60_000)
    assert (tmp_path / "short_annotated.mp4").is_file()
    assert "not a video" in window.jobs.queue.jobs()[1].message
    qtbot.waitUntil(lambda: window.link.session.status().counts.tracked > live, timeout=30_000)


def test_choosing_a_model(open_window, qtbot, tiny_bundle: Bundle, tmp_path: Path) -> None:
    from mien.app.gui.dialogs.model import ModelDialog

    window = open_window()
    window.dialogs.choose_model()
    dialog = window.findChild(ModelDialog)
    dialog.open_bundle(str(tmp_path))
    qtbot.waitUntil(lambda: "not a model bundle" in dialog._problem.text(), timeout=30_000)
    dialog.open_bundle(str(tiny_bundle.path))
    qtbot.waitUntil(lambda: dialog._title.text().startswith("tiny"), timeout=30_000)
    dialog._use.click()
    qtbot.waitUntil(lambda: window.people.labels == tiny_bundle.manifest.labels, timeout=60_000)
    dialog.close()
    assert preferences.load().model == str(tiny_bundle.path)


def test_choosing_what_to_expect(open_window, qtbot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from mien.app.gui.dialogs import model
    from mien.engine.settings import BALANCED

    window = open_window()
    window.dialogs.choose_model()
    dialog = window.findChild(model.ModelDialog)
    qtbot.waitUntil(lambda: dialog._use.isEnabled(), timeout=60_000)
    running = window.link.session._models
    assert running.model.expect == BALANCED

    def choose(index: int) -> None:
        dialog._expect.setCurrentIndex(index)
        dialog._expect.activated.emit(index)

    choose(dialog._expect.findData("lab"))
    dialog._use.click()
    qtbot.waitUntil(lambda: running.model.expect.choice == "lab", timeout=60_000)
    assert preferences.load().expect == "lab"

    file = tmp_path / "clinic.toml"
    monkeypatch.setattr(model, "ask_file", lambda *_: str(file))
    file.write_text("[frequencies]\nneutral = 1\n", encoding="utf-8")
    choose(dialog._expect.count() - 1)
    assert "give one for each" in dialog._problem.text()
    assert dialog._expect.currentData() == "lab"
    shares = "".join(f"{label} = 1\n" for label in running.model.labels)
    file.write_text("[frequencies]\n" + shares, encoding="utf-8")
    choose(dialog._expect.count() - 1)
    dialog._use.click()
    qtbot.waitUntil(lambda: running.model.expect.choice == "own", timeout=60_000)
    file.unlink()
    assert preferences.load().expectation() == BALANCED


def test_a_machine_without_a_display_is_told_so() -> None:
    hidden = {"DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"}
    environment = {key: value for key, value in os.environ.items() if key not in hidden}
    done = subprocess.run(
        [sys.executable, str(ROOT / "main.py")], env=environment, capture_output=True, text=True, timeout=60
    )
    if sys.platform != "linux":
        pytest.skip("other systems always have a display")
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert "no display" in line
    assert "mien annotate" in line
    assert "mien watch" in line


def test_missing_libraries_are_named_with_their_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    from mien.app import display

    there = display._there
    monkeypatch.setattr(display, "_there", lambda name: name != "libxcb-cursor.so.0" and there(name))
    monkeypatch.setattr(display, "_x_server_answers", lambda: True)
    if sys.platform != "linux":
        pytest.skip("only Linux leaves these to the system")
    said = display.why_no_window({"DISPLAY": ":0"}) or ""
    assert "apt-get install" in said
    assert "libxcb-cursor0" in said
    assert "libxcb-cursor0" not in (display.why_no_window({"QT_QPA_PLATFORM": "offscreen"}) or "")
