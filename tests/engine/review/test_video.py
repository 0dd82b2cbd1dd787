"""A recording drawn anew over its clean copy or source file, and written as MP4: the same frames, the same clock."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from mien.engine.batch.annotator import Annotator
from mien.engine.errors import ReviewError
from mien.engine.inference.bundle import Bundle
from mien.engine.review.coding.model import EMPTY, EventKind
from mien.engine.review.exports import Selection
from mien.engine.review.session import RecordedSession, read_session
from mien.engine.review.video.export import ExportCancelled, Look, VideoProgress, export_video
from mien.engine.review.video.frames import Stretch, audio_from
from mien.engine.review.video.origin import OriginKind, origin_of
from mien.engine.review.video.report_content import gather
from mien.engine.review.video.scenes import RecordedScenes
from mien.engine.settings import Settings
from tests.videos import plain, portrait, probe, write_video


@pytest.fixture(scope="module")
def annotated(tmp_path_factory: pytest.TempPathFactory, tiny_bundle: Bundle, detector_file: Path) -> RecordedSession:
    """Three seconds of one face with a tone, annotated; the source lies beside."""
    folder = tmp_path_factory.mktemp("annotated")
    film = write_video(folder / "film.mp4", portrait(75), audio="aac")
    with Annotator(tiny_bundle, detector_file, Settings()) as annotator:
        annotator.annotate(str(film), folder / "talk.mp4")
    return read_session(folder / "talk.mp4")


def images(path: Path) -> list[np.ndarray]:
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def loudness(path: Path) -> list[float]:
    """Of each tenth of a second."""
    found: dict[int, list[float]] = {}
    for chunk in audio_from(path, 0.0):
        for number, value in enumerate(np.abs(chunk.samples).max(axis=0)):
            found.setdefault(int((chunk.time_s + number / chunk.rate) * 10), []).append(float(value))
    return [max(found[key]) for key in sorted(found)]


def test_the_source_file_is_drawn_on_where_it_is_still_the_same(annotated: RecordedSession, tmp_path: Path) -> None:
    origin = origin_of(annotated)
    assert origin is not None and origin.kind is OriginKind.SOURCE and origin.path.name == "film.mp4"
    for name in ("talk.mp4", "talk.csv", "talk.json"):
        (tmp_path / name).write_bytes((annotated.csv.parent / name).read_bytes())
    document = json.loads((tmp_path / "talk.json").read_text())
    document["source"]["name"] = "/nowhere/film.mp4"
    (tmp_path / "talk.json").write_text(json.dumps(document))

    def kind() -> OriginKind:
        found = origin_of(read_session(tmp_path / "talk.mp4"))
        assert found is not None
        return found.kind

    assert kind() is OriginKind.ANNOTATED
    write_video(tmp_path / "film.mp4", plain(75), rate=20, time_base=Fraction(1, 20))  # another film of that name
    assert kind() is OriginKind.ANNOTATED
    (tmp_path / "film.mp4").write_bytes((annotated.csv.parent / "film.mp4").read_bytes())
    assert kind() is OriginKind.SOURCE  # beside the recording, as when both were moved
    write_video(tmp_path / "talk_clean.mp4", portrait(75))
    assert kind() is OriginKind.CLEAN
    (tmp_path / "film.mp4").write_text("no video")
    (tmp_path / "talk_clean.mp4").unlink()
    assert kind() is OriginKind.ANNOTATED


def test_what_is_drawn_can_be_changed_afterwards(annotated: RecordedSession, tmp_path: Path) -> None:
    told: list[VideoProgress] = []
    export_video(annotated, tmp_path / "named.mp4", progress=told.append)
    assert [item.frames for item in told[:-1]] == list(range(1, 76)) and told[-1].done == 1.0
    assert told[40].left_s is not None and told[40].left_s > 0
    renamed = annotated.coded(EMPTY.with_name(1, "Anastasia"))
    export_video(renamed, tmp_path / "renamed.mp4")
    export_video(annotated.coded(EMPTY.with_hidden(1, True)), tmp_path / "hidden.mp4")
    export_video(annotated, tmp_path / "bare.mp4", look=Look(overlay=False))
    film = images(annotated.csv.parent / "film.mp4")
    named, other, hidden, bare = (images(tmp_path / f"{n}.mp4") for n in ("named", "renamed", "hidden", "bare"))
    assert len(named) == len(film) == 75
    without, differs, gone = (
        [float(np.abs(a.astype(int) - b).mean()) for a, b in zip(film, video, strict=True)]
        for video in (bare, named, hidden)
    )
    assert max(without) < 5 and gone == without  # encoding alone
    assert all(drawn > plain + 1 for drawn, plain in zip(differs, without, strict=True))
    assert float(np.abs(named[50].astype(int) - other[50]).max()) > 100
    assert probe(tmp_path / "named.mp4")["times"] == pytest.approx(probe(annotated.csv.parent / "film.mp4")["times"])
    assert len(loudness(tmp_path / "named.mp4")) == pytest.approx(30, abs=1)


def test_a_clip_begins_and_ends_where_it_should_and_what_is_excluded_is_not_in_it(
    annotated: RecordedSession, tmp_path: Path
) -> None:
    session = annotated.coded(EMPTY.with_event(EventKind.EXCLUDED, 1.4, 1.8))
    export_video(session, tmp_path / "clip.mp4", start_s=1.0, end_s=2.2, look=Look(overlay=False))
    found = probe(tmp_path / "clip.mp4")
    assert found["frames"] == 30 and found["times"][0] == pytest.approx(0.0, abs=1e-3)
    assert found["duration"] == pytest.approx(1.2, abs=0.01)
    clip, film = images(tmp_path / "clip.mp4"), images(annotated.csv.parent / "film.mp4")
    for number, image in enumerate(clip):
        if 10 <= number < 20:
            assert image.mean() < 10
        else:
            assert float(np.abs(image.astype(int) - film[25 + number]).mean()) < 3
    loud = loudness(tmp_path / "clip.mp4")
    assert len(loud) == pytest.approx(12, abs=1)
    assert max(loud[5:7]) < 0.01 and min(loud[1:3]) > 0.1 and min(loud[9:11]) > 0.1
    # Between two frames, the one that is on is shown first.
    export_video(session, tmp_path / "between.mp4", start_s=0.5, end_s=0.62, look=Look(overlay=False))
    assert probe(tmp_path / "between.mp4")["times"] == pytest.approx([0.0, 0.02, 0.06, 0.1], abs=1e-3)


def test_one_clock_where_the_video_begins_late(tmp_path: Path) -> None:
    times = [840 + 40 * number for number in range(25)]
    film = write_video(tmp_path / "late.mp4", plain(25), pts=times, time_base=Fraction(1, 1000), audio="aac", audio_s=2)
    with Stretch(film, 0.0, 5.0) as part:
        assert [round(frame.time_s, 3) for frame in part.frames()] == [t / 1000 for t in times]
    with Stretch(film, 1.0, 1.2) as part:
        assert [round(frame.time_s, 2) for frame in part.frames()] == [1.0, 1.04, 1.08, 1.12, 1.16]
    pieces = list(audio_from(film, 0.5, 1.5))
    assert pieces[0].time_s == pytest.approx(0.5, abs=1e-4)
    assert sum(piece.samples.shape[1] for piece in pieces) / 48_000 == pytest.approx(1.0, abs=0.002)


def test_scenes_are_those_that_were_recorded(annotated: RecordedSession) -> None:
    scenes, image = RecordedScenes(annotated), np.zeros((240, 320, 3), np.uint8)
    track = annotated.tracks[1]
    for row in (0, 30, len(track.times_s) - 1):
        scene = scenes.at(float(track.times_s[row]), image)
        assert [face.track_id for face in scene.faces] == [1]
        box = scene.faces[0].box
        assert (box.x, box.y, box.width, box.height) == pytest.approx(track.boxes[row])
        prediction = scene.predictions[1]
        assert prediction.label == track.shown[row] and str(scene.status(scene.faces[0])) == track.status[row]
        assert prediction.probabilities == pytest.approx(track.probabilities[row])
    assert scenes.at(-1.0, image).faces == () and scenes.at(100.0, image).faces == ()


def test_what_is_refused_or_cancelled_leaves_nothing(annotated: RecordedSession, tmp_path: Path) -> None:
    own = annotated.csv.parent
    before = {path: path.read_bytes() for path in own.iterdir()}
    for name in ("talk.mp4", "talk_clean.mp4", "film.mp4", "talk.part.mp4"):
        with pytest.raises(ReviewError, match="is the recording itself"):
            export_video(annotated, own / name)
    with pytest.raises(ReviewError, match=r"ends in \.mp4"):
        export_video(annotated, tmp_path / "x.avi")
    with pytest.raises(ReviewError, match="is empty"):
        export_video(annotated, tmp_path / "x.mp4", start_s=2, end_s=1)
    with pytest.raises(ReviewError, match="cannot be written"):
        export_video(annotated, tmp_path / "nowhere" / "x.mp4")
    count: list[int] = []
    with pytest.raises(ExportCancelled):
        export_video(annotated, tmp_path / "x.mp4", cancelled=lambda: count.append(1) or len(count) > 20)  # type: ignore[func-returns-value]
    assert not list(tmp_path.iterdir())
    assert {path: path.read_bytes() for path in own.iterdir()} == before


def test_a_report_has_figures_and_faces(annotated: RecordedSession) -> None:
    content = gather(annotated, "talk", Selection(start_s=0.5))
    (person,) = content.people
    assert sum(item.percent for item in person.labels) in (0, 100)
    expected = {(1, item.label) for item in person.labels if item.highest}
    assert expected and set(content.thumbnails) == expected
    assert all(image.shape == (176, 176, 3) and image.std() > 10 for image in content.thumbnails.values())
    assert not gather(annotated.coded(EMPTY.with_hidden(1, True)), "talk").thumbnails
