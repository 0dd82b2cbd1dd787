"""The command line as a user meets it: a process of its own, one line for each mistake, exit code 2."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mien.engine.inference.bundle import Bundle
from tests.videos import plain, portrait, probe, write_video

ROOT = Path(__file__).parents[2]


def mien(*arguments: object, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(ROOT / "main.py"), *map(str, arguments)],
        cwd=cwd, capture_output=True, text=True, check=False, timeout=120, stdin=subprocess.DEVNULL,
        env={**os.environ, **environment},
    )  # fmt: skip


def is_one_plain_line(done: subprocess.CompletedProcess[str]) -> bool:
    lines = done.stderr.strip().splitlines()
    return done.returncode == 2 and len(lines) == 1 and lines[0].startswith("mien: ") and not done.stdout


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "text.mp4").write_text("not a video")
    (tmp_path / "empty.mp4").write_bytes(b"")
    (tmp_path / "nothing").mkdir()
    write_video(tmp_path / "v.mp4", plain(3))
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["annotate", "none.mp4", "-o", "o.mp4"], "none.mp4: no such file"),
        (["annotate", "v.mp4"], "--output"),
        (["annotate", "v.mp4", "-o", "o.avi"], "ends in .mp4"),
        (["annotate", "v.mp4", "-o", "missing/o.mp4"], "no such folder"),
        (["annotate", "v.mp4", "-o", "v.mp4", "--overwrite"], "the source itself"),
        (["annotate", "v.mp4", "-o", "o.mp4", "--colour"], "No such option"),
        (["annotate", "v.mp4", "-o", "o.mp4", "--min-score", "2"], "min_score is 2.0; choose a value from 0.05 to 1"),
        (["annotate", "v.mp4", "-o", "o.mp4", "--crf", "x"], "not a valid integer"),
        (["annotate", "v.mp4", "-o", "o.mp4", "--provider", "tpu"], "auto"),
        (["annotate", "v.mp4", "-o", "o.mp4", "--expect", "labs"], "as-trained, balanced, lab, or a TOML file"),
        (["annotate", "v.mp4", "-o", "o.mp4", "--model", "nothing"], "not a model bundle"),
        (["annotate", "v.mp4", "-o", "o.mp4", "--model", "absent"], "no such model folder"),
        (["annotate", "nothing", "-o", "out"], "holds no videos"),
        (["annotate", "*.mov", "-o", "out"], "no video matches"),
        (["annotate", "*.mp4", "-o", "out.mp4"], "give a folder"),
        (["annotate", "*.mp4", "-o", "missing/out"], "no such folder"),
        (["annotate"], "SOURCE"),
        (["annotait"], "No such command"),
    ],
)
def test_mistakes_are_answered_at_once_in_one_line(folder: Path, arguments: list[str], message: str) -> None:
    before = sorted(path.name for path in folder.iterdir())
    done = mien(*arguments, cwd=folder)
    assert is_one_plain_line(done), done
    assert message in done.stderr
    assert sorted(path.name for path in folder.iterdir()) == before


@pytest.mark.parametrize("name", ["text.mp4", "empty.mp4", "text.png"])
def test_sources_that_are_no_video(folder: Path, tiny_bundle: Bundle, detector_file: Path, name: str) -> None:
    (folder / "text.png").write_text("no picture")
    done = mien("annotate", name, "-o", "o.mp4", "--model", tiny_bundle.path, "--detector", detector_file, cwd=folder)
    assert is_one_plain_line(done), done
    assert name in done.stderr
    assert not list(folder.glob("o.*"))


def test_a_detector_that_is_none(folder: Path, tiny_bundle: Bundle) -> None:
    done = mien("annotate", "v.mp4", "-o", "o.mp4", "--model", tiny_bundle.path, "--detector", "text.mp4", cwd=folder)
    assert is_one_plain_line(done), done
    assert "not a face detector" in done.stderr


def test_one_video_with_the_embedded_model(tmp_path: Path, detector_file: Path) -> None:
    write_video(tmp_path / "v.mp4", portrait(30))
    (tmp_path / "o.parquet").write_text("landmarks of an earlier run, not of this one")
    done = mien("annotate", "v.mp4", "-o", "o.mp4", "--detector", detector_file, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "o.mp4 (+ o.csv, o.json); a face in 30 of 30 frames" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert {path.name for path in tmp_path.iterdir()} == {"v.mp4", "o.mp4", "o.csv", "o.json", "o.parquet"}


def test_a_video_without_faces_is_a_warning_and_a_whole_result(
    folder: Path, tiny_bundle: Bundle, detector_file: Path
) -> None:
    done = mien("annotate", "v.mp4", "-o", "o.mp4", "--model", tiny_bundle.path, "--detector", detector_file, "-q",
                cwd=folder)  # fmt: skip
    assert done.returncode == 0
    (line,) = done.stderr.strip().splitlines()
    assert "warning" in line
    assert "no face was found" in line
    assert probe(folder / "o.mp4")["frames"] == 3
    assert (folder / "o.csv").read_text().count("no face") == 3


def test_a_folder_goes_on_after_a_bad_file(folder: Path, tiny_bundle: Bundle, detector_file: Path) -> None:
    write_video(folder / "second.mkv", plain(4))
    write_video(folder / "v.mkv", plain(5))
    (folder / "notes.txt").write_text("no video")
    common = ["--model", tiny_bundle.path, "--detector", detector_file]
    done = mien("annotate", ".", "-o", "out", *common, cwd=folder)
    assert done.returncode == 2
    assert "2 of 5 videos could not be annotated" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
    made = {path.name for path in (folder / "out").glob("*.mp4")}
    assert made == {"v_mp4.mp4", "v_mkv.mp4", "second.mp4"}
    assert probe(folder / "out" / "second.mp4")["frames"] == 4


def test_doctor_runs_the_real_pipeline(tmp_path: Path, detector_file: Path) -> None:
    done = mien("doctor", "--detector", detector_file, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    for word in ("mediapipe", "CPUExecutionProvider:", "runs", "pipeline", "25 frames with audio", "all is well"):
        assert word in done.stdout


def test_doctor_finds_a_damaged_model(tmp_path: Path, tiny_bundle: Bundle, detector_file: Path) -> None:
    import shutil

    copy = Path(shutil.copytree(tiny_bundle.path, tmp_path / "copy"))
    (copy / "encoder.onnx").write_bytes(b"damage")
    done = mien("doctor", "--model", copy, "--detector", detector_file, cwd=tmp_path)
    assert done.returncode == 2
    assert "damaged or altered" in done.stderr
    assert "Traceback" not in done.stderr


def test_help_has_a_section_for_everybody_and_one_for_researchers(tmp_path: Path) -> None:
    lines = mien("--help", cwd=tmp_path).stdout.splitlines()
    first, second = lines.index("For everybody:"), lines.index("For researchers:")

    def listed(rows: list[str]) -> list[str]:
        return [row.split("  ")[1] for row in rows if row.startswith("  ")]

    assert listed(lines[first:second]) == ["annotate", "watch", "review", "repair", "doctor", "bench"]
    assert listed(lines[second:]) == [
        *(f"model {name}" for name in ("import", "export", "wrap", "train", "evaluate", "prior", "recipe", "words")),
        *("data check", "data crop"),
    ]  # fmt: skip
    assert not any(line.endswith("...") for line in lines[first:]), "a summary is cut off"


def test_old_spellings_go_on_working_with_a_hint(tmp_path: Path) -> None:
    new = mien("model", "recipe", "emoclip", cwd=tmp_path)
    old = mien("recipe", "emoclip", cwd=tmp_path)
    assert (old.returncode, old.stdout) == (0, new.stdout)
    assert new.stdout
    assert new.stderr == ""
    assert old.stderr == "mien: note: mien recipe is now mien model recipe\n"
    failed = mien("import", cwd=tmp_path)
    assert failed.returncode == 2
    assert failed.stderr.splitlines()[-1].endswith("(see mien model import --help)")


@pytest.mark.parametrize("arguments", [["--help"], ["annotate", "--help"], ["doctor", "--help"], ["--version"]])
def test_help_is_quick_and_loads_nothing_heavy(tmp_path: Path, arguments: list[str]) -> None:
    done = mien(*arguments, cwd=tmp_path)
    assert done.returncode == 0
    assert "mien" in done.stdout.lower()
    code = (
        "import sys, mien.app.cli\n"
        "heavy = ('numpy', 'cv2', 'mediapipe', 'onnxruntime', 'av', 'PySide6', 'torch')\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    loaded = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert loaded.stdout.strip() == "[]"


def test_a_missing_system_library_is_named_with_its_package() -> None:
    from mien.engine.system import missing_library

    error = ImportError("libxcb.so.1: cannot open shared object file: No such file or directory")
    assert "apt-get install" in (missing_library(error) or "")
    assert "libxcb1" in (missing_library(error) or "")
    assert missing_library(ImportError("No module named 'x'")) is None
    unknown = OSError("libodd.so.7: cannot open shared object file: No such file or directory")
    assert "libodd.so.7" in (missing_library(unknown) or "")


def test_bench_tells_what_runs_and_how_fast(tmp_path: Path, tiny_bundle: Bundle, detector_file: Path) -> None:
    out = tmp_path / "speed.json"
    done = mien(
        "bench", "--model", tiny_bundle.path, "--detector", detector_file, "--json", out, "--quick", cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert "the CPU" in done.stdout and "camera" not in done.stdout
    figures = json.loads(out.read_text(encoding="utf-8"))
    assert set(figures["update_ms"]["CPUExecutionProvider"]) == {"1", "4", "16", "64"}
    assert set(figures["frames_per_second"]) == {"decode", "detect", "recognise", "whole"}
    assert all(value > 0 for value in figures["frames_per_second"].values())


def test_doctor_finds_a_library_that_loses_frames(tmp_path: Path, detector_file: Path) -> None:
    # Python runs this before the program: a release of PyAV that decodes every frame but the third.
    (tmp_path / "sitecustomize.py").write_text(
        "from mien.engine.sources import file\n"
        "frames = file.VideoFile.frames\n"
        "def fewer(self):\n"
        "    yield from (frame for frame in frames(self) if frame.index != 3)\n"
        "file.VideoFile.frames = fewer\n",
        encoding="utf-8",
    )
    path = f"{tmp_path}{os.pathsep}{ROOT}"
    done = mien("doctor", "--detector", detector_file, cwd=tmp_path, PYTHONPATH=path)
    assert done.returncode == 2
    assert "what was written has 24 of 25 frames" in done.stderr
    assert "all is well" not in done.stdout


def test_doctor_names_a_release_that_no_test_has_seen(tmp_path: Path, detector_file: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "from importlib import metadata\n"
        "version = metadata.version\n"
        "metadata.version = lambda name: '99.0' if name == 'av' else version(name)\n",
        encoding="utf-8",
    )
    path = f"{tmp_path}{os.pathsep}{ROOT}"
    done = mien("doctor", "--detector", detector_file, cwd=tmp_path, PYTHONPATH=path)
    assert done.returncode == 0, done.stderr
    assert "no test has seen av 99.0 (but 18.0.0" in done.stdout
    assert "all is well, as far as" in done.stdout
