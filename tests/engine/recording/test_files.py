"""The names of recordings: no part file, no other recording and no file that appears in mid-run is lost."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mien.engine.batch.annotator import Annotator
from mien.engine.errors import RecordingError
from mien.engine.inference.bundle import Bundle
from mien.engine.recording.files import Outputs, RecordingFiles, lock_names, publish
from mien.engine.recording.repair import repair
from mien.engine.settings import Settings
from mien.engine.sources.demo import DemoSource
from tests.videos import plain, probe, write_video


@pytest.fixture(scope="module")
def annotator(tiny_bundle: Bundle, detector_file: Path):
    with Annotator(tiny_bundle, detector_file, Settings(provider="cpu")) as opened:
        yield opened


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


@pytest.mark.parametrize(
    ("source", "output", "message"),
    [
        ("x.part.mp4", "x.mp4", "is the source itself"),
        ("in.mp4", "k.mp4", "k.part.mp4: an unfinished recording is there"),
        ("in.mp4", "k.part.mp4", "names with .part are for unfinished recordings"),
        ("in.mp4", "j.mp4", "j.part.json: an unfinished recording"),
        ("in.mp4", "c.mp4", "c.part.csv: an unfinished recording"),
    ],
)
@pytest.mark.parametrize("overwrite", [False, True])
def test_unfinished_recordings_are_neither_source_nor_lost(
    annotator: Annotator, tmp_path: Path, source: str, output: str, message: str, overwrite: bool
) -> None:
    for name in ("x.part.mp4", "in.mp4", "k.part.mp4"):
        write_video(tmp_path / name, plain(5))
    (tmp_path / "j.part.json").symlink_to(tmp_path / "k.part.mp4")
    (tmp_path / "c.part.csv").write_text("head\nrow\nrow\n")
    before = content(tmp_path)
    with pytest.raises(RecordingError, match=message):
        annotator.annotate(str(tmp_path / source), tmp_path / output, overwrite=overwrite)
    assert content(tmp_path) == before


def test_what_was_left_of_the_same_source_is_made_anew_when_asked(annotator: Annotator, tmp_path: Path) -> None:
    source = write_video(tmp_path / "in.mp4", plain(5))
    (tmp_path / "k.part.mp4").write_bytes(b"half a video")
    (tmp_path / "k.part.json").write_text(json.dumps({"source": {"name": str(source)}}))
    with pytest.raises(RecordingError, match=r"mien repair k\.part\.mp4.*or --overwrite to make it anew"):
        annotator.annotate(str(source), tmp_path / "k.mp4")
    other = write_video(tmp_path / "other.mp4", plain(5))
    with pytest.raises(RecordingError, match="unfinished recording"):
        annotator.annotate(str(other), tmp_path / "k.mp4", overwrite=True)
    assert (tmp_path / "k.part.mp4").read_bytes() == b"half a video"
    annotator.annotate(str(source), tmp_path / "k.mp4", redo=True)
    assert probe(tmp_path / "k.mp4")["frames"] == 5


def test_what_a_program_left_that_was_killed_at_once_is_in_nobodys_way(annotator: Annotator, tmp_path: Path) -> None:
    source = write_video(tmp_path / "in.mp4", plain(5))
    for name in ("k.part.mp4", "k.part.csv", "k.part.json"):
        (tmp_path / name).touch()
    annotator.annotate(str(source), tmp_path / "k.mp4")
    assert sorted(content(tmp_path)) == ["in.mp4", "k.csv", "k.json", "k.mp4"]


def during(annotator: Annotator, out: Path, what: Callable[[], None], **options: bool) -> None:
    """Annotate the demo and do something in the middle."""
    done: list[bool] = []

    def progress(info: object, stats: object) -> None:
        if not done:
            done.append(True)
            what()

    with DemoSource(2.0) as demo:
        annotator.annotate_source(demo, out, progress=progress, **options)  # type: ignore[arg-type]
    assert done


def test_two_programs_cannot_write_to_one_name(annotator: Annotator, tmp_path: Path) -> None:
    out = tmp_path / "k.mp4"

    def disturb() -> None:
        with pytest.raises(RecordingError, match=rf"still being recorded or repaired \(process {os.getpid()}\)"):
            Outputs.checked(out, overwrite=True, source=None)
        with pytest.raises(RecordingError, match="still being recorded"):
            repair(Outputs.part(out))
        with pytest.raises(RecordingError, match="still being recorded"):
            lock_names(tmp_path, "k")
        assert RecordingFiles.reserve(tmp_path, "k", annotated=True, clean=False).csv.name == "k (2).csv"
        Outputs.checked(tmp_path / "k_clean.mp4", overwrite=False, source=None)

    during(annotator, out, disturb)
    assert probe(out)["frames"] == 50
    Outputs.checked(out, overwrite=True, source=None)


@pytest.mark.parametrize("name", ["k.mp4", "k.csv", "k.json"])
def test_a_file_that_appears_in_mid_run_is_not_replaced(annotator: Annotator, tmp_path: Path, name: str) -> None:
    out = tmp_path / "k.mp4"
    with pytest.raises(RecordingError, match=f"{name}: a file of that name has appeared meanwhile"):
        during(annotator, out, lambda: (tmp_path / name).write_text("precious") and None)
    assert (tmp_path / name).read_text() == "precious"
    (tmp_path / name).rename(tmp_path / "moved")
    result = repair(Outputs.part(out))
    assert (result.frames, result.rows) == (50, 50)
    data = json.loads((tmp_path / "k.json").read_text(encoding="utf-8"))
    assert (data["complete"], data["ended"]) == (True, "end of source")
    assert sorted(content(tmp_path)) == ["k.csv", "k.json", "k.mp4", "moved"]


def test_with_overwrite_it_is(annotator: Annotator, tmp_path: Path) -> None:
    out = tmp_path / "k.mp4"
    during(annotator, out, lambda: out.write_text("old") and None, overwrite=True)
    assert probe(out)["frames"] == 50


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege there")
@pytest.mark.parametrize("overwrite", [False, True])
def test_planted_links_are_not_followed(annotator: Annotator, tmp_path: Path, overwrite: bool) -> None:
    source = write_video(tmp_path / "in.mp4", plain(5))
    victim = tmp_path / "victim"
    victim.write_text("precious")
    for name in ("a.mp4", "b.part.mp4", "c.part.csv", "d.part.json", "e.csv"):
        (tmp_path / name).symlink_to(victim)
    for name in ("f.mp4", "g.part.mp4", "h.part.json"):
        (tmp_path / name).symlink_to(tmp_path / "nowhere")
    for letter in "abcdefgh":
        try:
            annotator.annotate(str(source), tmp_path / f"{letter}.mp4", overwrite=overwrite)
        except RecordingError as error:
            assert "already exists" in str(error) or "unfinished" in str(error)
        else:
            assert overwrite and letter in "aef"  # final names: the link itself is replaced
            assert not (tmp_path / f"{letter}.mp4").is_symlink()
    assert victim.read_text() == "precious"
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege there")
def test_a_live_recording_passes_links_by(tmp_path: Path) -> None:
    (tmp_path / "k.part.mp4").symlink_to(tmp_path / "nowhere")
    (tmp_path / "k (2).mp4").symlink_to(tmp_path / "nowhere")
    files = RecordingFiles.reserve(tmp_path, "k", annotated=True, clean=True)
    assert files.csv.name == "k (3).csv"
    assert all(Outputs.part(path).exists() for path in files.all())
    files.release()
    assert not (tmp_path / "nowhere").exists()


def test_all_final_names_are_looked_at_before_any_is_given(tmp_path: Path) -> None:
    for name in ("a.part", "b.part", "b"):
        (tmp_path / name).write_text(name)
    with pytest.raises(RecordingError, match="has appeared"):
        publish([(tmp_path / "a.part", tmp_path / "a"), (tmp_path / "b.part", tmp_path / "b")])
    assert sorted(content(tmp_path)) == ["a.part", "b", "b.part"]


@pytest.mark.skipif(sys.platform != "linux", reason="only there may names be any bytes")
def test_a_name_that_is_no_text(annotator: Annotator, tmp_path: Path) -> None:
    source = Path(os.fsdecode(bytes(tmp_path) + b"/v\xff\xe9.mp4"))
    write_video(tmp_path / "v.mp4", plain(5), audio="aac").rename(source)
    for out in (tmp_path / "k.mp4", Path(os.fsdecode(bytes(tmp_path) + b"/k\xff.mp4"))):
        annotator.annotate(str(source), out)
        data = json.loads(out.with_suffix(".json").read_text(encoding="utf-8"))
        assert data["source"]["name"] == str(tmp_path / "v\ufffd\ufffd.mp4")
    assert len(list(tmp_path.iterdir())) == 7
