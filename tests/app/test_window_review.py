"""Reviewing and typed labels, over the real engine."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from functools import partial
from pathlib import Path

import pytest
from PySide6.QtCore import Qt

from mien.engine.inference.bundle import Bundle
from tests.videos import portrait, write_video


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory, tiny_bundle: Bundle, detector_file: Path) -> Path:
    """Three seconds of one face, annotated."""
    from mien.engine.batch.annotator import Annotator
    from mien.engine.settings import Settings

    folder = tmp_path_factory.mktemp("recording")
    with Annotator(tiny_bundle, detector_file, Settings()) as annotator:
        annotator.annotate(str(write_video(folder / "film.mp4", portrait(75))), folder / "talk.mp4")
    return folder / "talk.mp4"


def test_review_plays_steps_and_writes(settled, qtbot, tmp_path: Path, recording: Path) -> None:
    from mien.app.gui.review.window import ReviewWindow

    window = ReviewWindow(None, recording)
    window.show()
    qtbot.waitUntil(lambda: window.session is not None and window._serial > 0, timeout=60_000)
    window.seek(1.0)
    qtbot.waitUntil(lambda: window.playback.now().index == 25, timeout=20_000)
    qtbot.keyClick(window, Qt.Key.Key_Right)
    qtbot.waitUntil(lambda: window.playback.now().index == 26, timeout=20_000)
    qtbot.keyClick(window, Qt.Key.Key_Left)
    qtbot.keyClick(window, Qt.Key.Key_Left)
    qtbot.waitUntil(lambda: window.playback.now().index == 24, timeout=20_000)
    qtbot.keyClick(window, Qt.Key.Key_Space)
    qtbot.waitUntil(lambda: window.playback.now().index > 30, timeout=20_000)
    qtbot.keyClick(window, Qt.Key.Key_End)
    qtbot.waitUntil(lambda: window.playback.now().index == 74, timeout=20_000)
    window.exporting.write(tmp_path / "report.pdf", window.exporting.write_report)
    window.exporting.write(tmp_path / "report.png", window.exporting.write_report)
    window.exporting.write(tmp_path / "talk.csv", partial(window.exporting.write_export, "csv"))
    window.exporting.write(tmp_path / "talk.eaf", partial(window.exporting.write_export, "elan"))
    window.exporting.write(tmp_path / "talk.vtt", partial(window.exporting.write_export, "vtt"))
    assert (tmp_path / "report.pdf").read_bytes().startswith(b"%PDF")
    assert (tmp_path / "report.png").stat().st_size > 10_000
    assert ElementTree.parse(tmp_path / "talk.eaf").getroot().tag == "ANNOTATION_DOCUMENT"
    assert (tmp_path / "talk.vtt").read_text(encoding="utf-8").startswith("WEBVTT")
    assert len((tmp_path / "talk.csv").read_text(encoding="utf-8").splitlines()) == 76
    window.exporting.write(tmp_path / "nowhere" / "report.png", window.exporting.write_report)
    assert "cannot be written" in window.notice.text
    window.close()


@pytest.mark.parametrize("ending", [".pdf", ".png"])
def test_a_report_says_when_the_disk_is_full(settled, qapp, tmp_path: Path, recording: Path, ending: str) -> None:
    from mien.app.gui.review.report import save_report
    from mien.engine.disk import create_new
    from mien.engine.errors import ReviewError
    from mien.engine.review.session import read_session

    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    session = read_session(recording)
    (tmp_path / f"report{ending}").symlink_to("/dev/full")
    with pytest.raises(ReviewError, match="No space left"):
        save_report(session, "talk", tmp_path / f"report{ending}")
    with pytest.raises(ReviewError, match="is the recording itself"):
        save_report(session, "talk", recording)
    create_new(tmp_path / f"there{ending}").close()
    save_report(session, "talk", tmp_path / f"there{ending}")
    assert (tmp_path / f"there{ending}").stat().st_size > 1000


def test_review_of_what_is_no_session(settled, qtbot, tmp_path: Path) -> None:
    from mien.app.gui.review.window import ReviewWindow

    (tmp_path / "lonely.mp4").write_text("no video, no data")
    window = ReviewWindow(None, tmp_path / "lonely.mp4")
    window.show()
    qtbot.waitUntil(lambda: "cannot be opened" in window.image.accessibleDescription(), timeout=20_000)
    window.close()


def test_typed_labels(open_window, qtbot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    try:
        from mien.models.networks.openclip import open_clip
    except ImportError:
        pytest.skip("the bundle with a text encoder is made with torch; install the train extra")
    open_clip()
    from mien.app.gui.dialogs.labels import LabelsDialog
    from mien.app.gui.dialogs.model import ModelDialog
    from mien.engine.inference.typed_labels import is_unvalidated
    from mien.models.export.export import ExportOptions, export_bundle
    from tests.models.family.small_models import small_model

    monkeypatch.setenv("MIEN_CACHE", str(tmp_path / "cache"))
    model, card = small_model("emoclip", seed=1, aggregator="mean")
    bundle = export_bundle(model, card, tmp_path / "bundle", ExportOptions(text_encoder=True))
    window = open_window()
    window.show_models()
    dialog = window.findChild(ModelDialog)
    assert not dialog._labels.isEnabled()
    dialog.open_bundle(str(bundle.path))
    qtbot.waitUntil(dialog._labels.isEnabled, timeout=30_000)
    labels = LabelsDialog(dialog, dialog._bundle.manifest)
    labels.table.setRowCount(0)
    labels._add("bored", "a bored face; someone who yawns")
    labels._accept()
    assert "1 labels" in labels._problem.text()
    labels._add('de"lighted', "a delighted face")
    labels._accept()
    assert labels.file is not None
    dialog._take_labels(str(bundle.path), labels.file)
    qtbot.waitUntil(lambda: window.people.labels == ("bored", 'de"lighted'), timeout=60_000)
    assert is_unvalidated(window.link.bundle.manifest)
    labels.deleteLater()
    dialog.close()
