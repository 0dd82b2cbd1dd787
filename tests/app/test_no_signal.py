"""The window over a camera that goes away: nothing in it passes for new."""

from __future__ import annotations

from pathlib import Path

from tests.rtsp import RtspServer, face_clip, require_rtsp_server


def test_old_numbers_are_dimmed_and_it_is_said_since_when(open_window, qtbot, tmp_path: Path) -> None:
    require_rtsp_server()
    clip = face_clip(tmp_path / "clip")
    with RtspServer(clip) as server:
        window = open_window()
        window.sources.open_text(server.url())
        qtbot.waitUntil(lambda: window.people.selected is not None, timeout=60_000)
        qtbot.waitUntil(lambda: window.people.selected.prediction is not None, timeout=60_000)
        window.panel.refresh()
        assert "no signal" not in window.status_line.text("state")
        server.kill()
        qtbot.waitUntil(lambda: "no signal since " in window.status_line.text("state"), timeout=20_000)
        qtbot.waitUntil(lambda: window.panel.card.word == "—", timeout=20_000)
        said = window.status_line.text("state").partition("no signal since ")[2][:8]
        assert window.people.no_signal == f"no signal since {said}"
        assert window.panel.card.note.startswith(f"No signal since {said}")
        track = window.people.selected.track_id
        assert window.panel.row(track).word == "no signal"
        server.start(clip)
        qtbot.waitUntil(lambda: "· live" in window.status_line.text("state"), timeout=30_000)
        qtbot.waitUntil(lambda: window.people.no_signal == "", timeout=20_000)
