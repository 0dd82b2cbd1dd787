"""The library as its users see it: light to import, typed, documented by examples that run."""

from __future__ import annotations

import doctest
import inspect
import subprocess
import sys
import threading
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

import mien
from tests.videos import portrait, write_video

ROOT = Path(__file__).parents[2]
MODULES = ("mien", "mien.scenes", "mien.recognition", "mien.jobs", "mien.recordings")


def test_importing_it_loads_no_library() -> None:
    code = (
        "import sys, mien\n"
        "heavy = ('numpy', 'cv2', 'av', 'mediapipe', 'onnxruntime', 'PySide6', 'torch')\n"
        "assert not [name for name in heavy if name in sys.modules], sys.modules\n"
        "mien.MienError, mien.Box\n"
        "assert not [name for name in heavy[1:] if name in sys.modules]\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


def test_every_public_name_is_there_and_explained() -> None:
    assert set(mien.__all__) <= set(dir(mien))
    for name in mien.__all__:
        value = getattr(mien, name)
        assert inspect.getdoc(value), name
    with pytest.raises(AttributeError, match="no attribute 'emotion'"):
        mien.emotion  # noqa: B018
    assert mien.__version__


def test_it_is_typed() -> None:
    assert (Path(mien.__file__).parent / "py.typed").exists()


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_run(name: str, tmp_path: Path, demo_recording: Path) -> None:
    module = import_module(name)
    names = {**vars(module), "mien": mien, "folder": tmp_path, "demo": demo_recording}
    finder = doctest.DocTestFinder(exclude_empty=True)
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    ran = 0
    for test in finder.find(module, name, globs=names):
        ran += len(test.examples)
        assert runner.run(test).failed == 0, test.name
    assert ran


def mien_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("mien-")]


def test_leaving_the_loop_ends_every_thread(tmp_path: Path, detector_file: Path) -> None:
    source = write_video(tmp_path / "in.mp4", portrait(50))
    for scene in mien.read(source, provider="cpu"):
        assert scene.index == 0 and mien_threads()
        break
    del scene
    assert mien_threads() == []
    with mien.read(source, provider="cpu") as scenes:
        next(scenes)
    assert mien_threads() == []
    assert list(scenes) == [], "a closed reader gives nothing more"


def test_a_file_gives_what_annotate_writes(tmp_path: Path, detector_file: Path) -> None:
    source = write_video(tmp_path / "in.mp4", portrait(60))
    recorded = mien.annotate(source, tmp_path / "out.mp4", provider="cpu")
    columns = mien.review(recorded.mp4).columns
    with mien.read(source, provider="cpu") as scenes:
        found = [(scene.time_s, face) for scene in scenes for face in scene.faces]
    assert np.allclose([time_s for time_s, _ in found], columns["time_s"])
    for label in scenes.labels:
        read = [face.probabilities.get(label, np.nan) for _, face in found]
        assert np.allclose(read, columns[f"p_{label}"], atol=1e-5, equal_nan=True)
    assert [face.status for _, face in found] == columns["status"].tolist()


def test_own_frames_give_the_numbers_of_the_same_file(tmp_path: Path, detector_file: Path) -> None:
    frames = list(portrait(30))
    given = [
        {face.id: face.probabilities for face in scene.faces}
        for scene in mien.read(((frame, index / 25) for index, frame in enumerate(frames)), provider="cpu")
    ]
    again = [
        {face.id: face.probabilities for face in scene.faces}
        for scene in mien.read([(frame, index / 25) for index, frame in enumerate(frames)], provider="cpu")
    ]
    assert given == again and len(given) == 30 and given[-1]


@pytest.mark.parametrize(
    ("frames", "message"),
    [
        ([], "there are no frames"),
        ([np.zeros((64, 64, 3), np.uint8)], "give pairs"),
        ([(np.zeros((64, 64), np.uint8), 0.0)], r"give \(H,W,3\) uint8 RGB"),
        ([(np.zeros((64, 64, 3), np.float32), 0.0)], "float32"),
        ([(np.zeros((64, 64, 3), np.uint8), float("nan"))], "time nan"),
        ([(np.zeros((64, 64, 3), np.uint8), 1.0), (np.zeros((64, 64, 3), np.uint8), 1.0)], "times must increase"),
        ([(np.zeros((64, 64, 3), np.uint8), 0.0), (np.zeros((32, 64, 3), np.uint8), 1.0)], "of one size"),
        ([(np.zeros((8, 64, 3), np.uint8), 0.0)], "at least 16 pixels"),
    ],
)
def test_frames_that_cannot_be_read_are_refused(frames: list[object], message: str, detector_file: Path) -> None:
    with pytest.raises(mien.SourceError, match=message):
        list(mien.read(frames, provider="cpu"))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: mien.read("missing.mp4"), mien.SourceError, "no such file"),
        (lambda: mien.read("demo", model="missing"), mien.ModelError, "missing"),
        (lambda: mien.read("demo", min_score=7), mien.SettingsError, "min_score"),
        (lambda: mien.Recogniser().predict(np.zeros((4, 4), np.uint8)), mien.SettingsError, r"give uint8 \(H,W,3\)"),
        (lambda: mien.Recogniser().predict(), mien.SettingsError, "give an image"),
        (lambda: mien.record("demo", __file__), mien.RecordingError, "is no folder"),
        (lambda: mien.review("missing.mp4"), mien.ReviewError, "missing"),
    ],
)
def test_what_cannot_be_done_is_an_error_of_ours(call: object, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()  # type: ignore[operator]
    assert issubclass(error, mien.MienError)


def test_stills_crops_and_windows_agree(detector_file: Path) -> None:
    with mien.Recogniser(provider="cpu") as recogniser:
        image = portrait(1)[0]
        (face,) = recogniser.predict(image)
        crops = recogniser.align(image)
        assert crops.shape == (1, recogniser.size, recogniser.size, 3)
        alone = recogniser.predict(crops=crops)
        window = recogniser.predict_windows(np.repeat(crops[:, None], recogniser.steps, axis=1))
        twice = recogniser.predict(crops=np.concatenate([crops, crops]))
    assert np.allclose(alone[0], list(face.probabilities.values()), atol=1e-6)
    assert np.allclose(alone, window, atol=1e-5), "a still is a window of itself"
    assert np.allclose(twice, alone, atol=1e-5) and np.allclose(alone.sum(axis=1), 1, atol=1e-5)
    assert face.label == max(face.probabilities, key=face.probabilities.get)


def test_tables_for_pandas_and_polars(demo_recording: Path) -> None:
    recording = mien.review(demo_recording)
    for method, library in ((recording.to_pandas, "pandas"), (recording.to_polars, "polars")):
        try:
            import_module(library)
        except ImportError:
            with pytest.raises(mien.ReviewError, match=f"pip install {library}"):
                method()
        else:
            table = method()
            assert list(table.columns) == list(recording.columns) and len(table) == 300


def test_record_stops_when_told_to(tmp_path: Path, detector_file: Path) -> None:
    folder = tmp_path / "a" / "b"

    def enough() -> bool:
        return any(table.read_bytes().count(b"\n") > 10 for table in folder.glob("*.csv"))

    result = mien.record("demo", folder, stop=enough, clean=True, provider="cpu")
    assert result.complete and result.clean is not None and result.clean.exists() and result.mp4.exists()
    assert len(mien.review(result.mp4).columns["time_s"]) <= result.frames
