"""How steady the shown label is, and how late a real change is seen.

    python -m tests.benchmarks.steadiness --videos FOLDER [--faces fairface.npz] [--bundle BUNDLE] [--trouble]
        [--json OUT]

Three labels of each face are compared: that of each frame on its own (the same encoder, no window), the raw one (the
arg-max of the newest window alone, eight times a second), and the one shown (steadied, see
`mien.engine.faces.steadying`). For every row it is asserted that the shown label is the arg-max of the shown
probabilities, as they are and as a CSV writes them.

"Raw" is what the CSV's columns ``raw_...`` say: the window's own arg-max.

- The demo and the videos: label switches a minute. Where the raw label changes only when the face does, nothing is
  there to be steadied; so two more numbers are counted. ``lasting``: changes of the raw label that last for half a
  second, which no filter may drop. ``bound``: the fewest switches of any filter that knows no future and shows within
  0.35 s what still leads then.
- With ``--faces``: portraits held still before an unsteady camera, as faces at rest. Whatever changes there is flicker.
- Delay: from each change of the raw label that lasts until it is shown, and from splices of two parts of one video,
  whose moment is known. Targets: at most 0.5 of the switches, and a delay of at most 0.35 s.

With ``--trouble`` each frame has an even chance to be smeared, darkened or full of noise, as with a poor camera.

What was found with the embedded model, and what was tried
----------------------------------------------------------

Version 1.1 (of 1.2 the card says it): in the demo and the three videos the raw label changes 11 times, and each of the
11 lasts (the shortest for 0.9 s, but for one that the end cuts off); with trouble, too. The window itself steadies:
frame by frame there are 37 changes, 68 with trouble. So half of the *raw* switches cannot be had there, by no filter:
it would hide changes of the face. Half of those frame by frame is undercut (0.30, and 0.16 with trouble). Flicker of
the raw label is seen on faces at rest alone (33 portraits, 6.2 minutes, 126 changes): 45 are shown, 0.36 of them, which
is the bound. Read off line from one run of all of it: switches; the longest delay of a change that lasts, in the
videos; the longest until a splice is seen:

=====================================================  =======  =======  =======  ======  ======
way                                                    videos   trouble  at rest  change  splice
=====================================================  =======  =======  =======  ======  ======
raw                                                    11       11       126      0       0.29 s
as it is: evidence 0.025 s, or a lead of 0.3 s         11       11       45       0.25 s  0.29 s
twice, four times the evidence                         11       11       45       0.28 s  0.42 s
hysteresis on the shown mean, margin 0.05              11       11       45       0.28 s  0.42 s
the same, margin 0.1; 0.15                             11       11       45       0.28 s  0.42 s
the same, mean over 0.5 s, 0.35 s of lead              11       11       30       0.40 s  0.67 s
longer while the margin is under 2, 3, 4 x its noise   11       11       51-43    0.28 s  0.29 s
second order (level and trend), predicted crossing     11       11       51-43    0.16 s  0.42 s
majority of the last 0.35 s                            11       11       78       0.16 s  0.42 s
majority of the last 0.5 s; 0.7 s                      11       11       45; 43   0.40 s  0.67 s
a lead of 0.25 s, 0.35 s, 0.5 s on end                 11       11       43-24    0.60 s  0.79 s
=====================================================  =======  =======  =======  ======  ======

None leaves fewer than 43 at rest without being later than 0.35 s for some change; none leaves fewer than 11 elsewhere.
The two that come to 43 in time (4 x noise; second order) take a constant more and gain two switches in six minutes. So
it stays as it is.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np

from mien.app.embedded import embedded_bundle
from mien.engine.faces.crops import align
from mien.engine.faces.detector import FaceDetector
from mien.engine.faces.recogniser import Recogniser
from mien.engine.faces.tracker import Tracker
from mien.engine.inference.bundle import load_bundle
from mien.engine.inference.downloads import resolve_detector
from mien.engine.inference.predictor import Predictor
from mien.engine.sources.demo import DemoSource
from mien.engine.sources.file import VideoFile
from mien.engine.types import Frame, Prediction, RgbImage

# Parts of WolfgangLanger_Pexels.mp4 (frames at 24 a second) that plainly show one expression each.
SPLICED = "WolfgangLanger_Pexels.mp4"
SAD = [(40, 100), (50, 110), (60, 120)]
HAPPY = [(270, 350), (300, 380), (380, 460)]
LASTS_S = 0.5  # a raw label that stays for so long is a change of the face, not flicker
SETTLED_S = 0.4  # a change is seen when the new label stays for this long
SWITCHES, DELAY_S = 0.5, 0.35  # the targets
SHEET_FRAMES, SHEET_RATE = 160, 8


@dataclass
class Track:
    """One face over time: a row for each prediction, and for each frame its own label."""

    times: list[float] = field(default_factory=list)
    raw: list[int] = field(default_factory=list)
    shown: list[int] = field(default_factory=list)
    frame_times: list[float] = field(default_factory=list)
    single: list[int] = field(default_factory=list)

    def take(self, prediction: Prediction) -> None:
        """Add a prediction, and make sure that it does not contradict itself."""
        written = [f"{value:.5f}" for value in prediction.probabilities]
        assert prediction.label == int(prediction.probabilities.argmax()) == written.index(max(written))
        assert written.count(max(written)) == 1
        self.times.append(prediction.time_s)
        self.raw.append(int(prediction.raw.argmax()))
        self.shown.append(prediction.label)


def troubled(frame: Frame, rng: np.random.Generator) -> Frame:
    """The frame, made worse in one of three ways with an even chance."""
    if rng.random() < 0.5:
        return frame
    image, kind = frame.image.astype(np.float32), rng.integers(3)
    if kind == 0:
        reach = max(3, image.shape[0] // 40)
        image = cv2.blur(image, (reach, 1) if rng.random() < 0.5 else (1, reach))
    elif kind == 1:
        image = image * rng.uniform(0.15, 0.5)
    image = image + (rng.normal(0, 25, image.shape) if kind == 2 else 0)
    return replace(frame, image=np.clip(image, 0, 255).astype(np.uint8))


def read(
    frames: Iterable[Frame], detector: FaceDetector, predictor: Predictor, *, singly: bool = False
) -> dict[int, Track]:
    """Read all faces; `singly`: each frame on its own, too."""
    manifest = predictor.bundle.manifest
    tracker, recogniser = Tracker(), Recogniser(predictor)
    tracks: dict[int, Track] = {}
    for frame in frames:
        faces = tracker.update(detector.detect(frame.image), frame.time_s)
        predictions = recogniser.update(frame, faces)
        for face in faces:
            prediction = predictions.get(face.track_id)
            if prediction is None:
                continue
            track = tracks.setdefault(face.track_id, Track())
            if not track.times or prediction.time_s > track.times[-1]:
                track.take(prediction)
            if singly and face.detection is not None:
                crop = align(frame.image, face.detection, manifest.crop, manifest.size)
                track.frame_times.append(frame.time_s)
                track.single.append(int((predictor.bundle.text @ predictor.embed(crop[np.newaxis])[0]).argmax()))
    return tracks


def switches(labels: Sequence[int]) -> int:
    """How often a label differs from the one before."""
    return sum(a != b for a, b in pairwise(labels))


def delays(track: Track) -> list[float]:
    """For each change of the raw label that lasts: seconds until it is shown; infinite where it never is."""
    found = []
    for start in (at for at, (a, b) in enumerate(pairwise(track.raw), start=1) if a != b):
        end = next((at for at in range(start, len(track.raw)) if track.raw[at] != track.raw[start]), len(track.raw))
        if track.times[end - 1] - track.times[start] >= LASTS_S:
            seen = (track.times[at] for at in range(start, end) if track.shown[at] == track.raw[start])
            found.append(next(seen, float("inf")) - track.times[start])
    return found


def fewest(track: Track) -> list[int]:
    """Labels of the filter that changes least of all those that know no future and are at most `DELAY_S` late."""
    step = float(np.median(np.diff(track.times))) if len(track.times) > 1 else 0.0
    label, since, found = track.raw[0], track.times[0], [track.raw[0]]
    for (_, before), (time_s, raw) in pairwise(zip(track.times, track.raw, strict=True)):
        if raw != before:
            since = time_s
        # The last row in which it can be shown in time.
        if raw != label and time_s + step - since > DELAY_S:
            label = raw
        found.append(label)
    return found


def seen_after(labels: Sequence[int], times: Sequence[float], splice_s: float, wanted: int) -> float:
    """Seconds from `splice_s` until the label is `wanted` and stays so for `SETTLED_S`; infinite where it never is."""
    for index, start in enumerate(times):
        stay = [label for label, at in zip(labels, times, strict=True) if start <= at <= start + SETTLED_S]
        if start >= splice_s and labels[index] == wanted and all(label == wanted for label in stay):
            return start - splice_s
    return float("inf")


def splice(frames: list[Frame], first: tuple[int, int], second: tuple[int, int]) -> tuple[list[Frame], float]:
    """The two parts one after the other at the video's own rate; and the time of the splice in seconds."""
    step = frames[1].time_s - frames[0].time_s
    images: list[RgbImage] = [frame.image for start, end in (first, second) for frame in frames[start:end]]
    made = [replace(frames[0], index=i, pts=i, time_s=i * step, image=p) for i, p in enumerate(images)]
    return made, (first[1] - first[0]) * step


def unsteady(image: RgbImage, seed: int) -> Iterable[Frame]:
    """`image` before a camera that is held by hand in poor light: it drifts, turns, breathes, and there is noise."""
    rng, state = np.random.default_rng(seed), np.zeros(4)
    height, width = image.shape[:2]
    for index in range(SHEET_FRAMES):
        state = 0.9 * state + rng.normal(0, 1, 4) * [0.004 * width, 0.004 * height, 0.4, 0.006]
        matrix = cv2.getRotationMatrix2D((width / 2, height / 2), float(state[2]), 1 + float(state[3]))
        matrix[:, 2] += state[:2]
        moved = cv2.warpAffine(image, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE).astype(np.float32)
        lit = moved * rng.uniform(0.92, 1.08) + rng.normal(0, 6, image.shape)
        time_s = index / SHEET_RATE + 1e-3
        yield Frame(index, index, 1, time_s, np.clip(lit, 0, 255).astype(np.uint8))


def sheets(file: Path, count: int) -> Iterable[RgbImage]:
    """`count` pictures of six faces each, of the validation split of FairFace."""
    with np.load(file, allow_pickle=False) as data:
        jpeg, offsets, chosen = data["jpeg"], data["offsets"], np.flatnonzero(data["split"] == "val")
    rng = np.random.default_rng(7)
    for _ in range(count):
        tiles = []
        for at in rng.choice(chosen, 6, replace=False):
            grey = cv2.imdecode(np.asarray(jpeg[offsets[at] : offsets[at + 1]]), cv2.IMREAD_GRAYSCALE)
            assert grey is not None
            tile = cv2.resize(cv2.cvtColor(grey, cv2.COLOR_GRAY2RGB), (320, 320), interpolation=cv2.INTER_CUBIC)
            tiles.append(np.asarray(tile, np.uint8))
        yield np.vstack([np.hstack(tiles[:3]), np.hstack(tiles[3:])])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--videos", type=Path, required=True, help="folder of sample videos")
    parser.add_argument("--faces", type=Path, help="fairface.npz: portraits before an unsteady camera")
    parser.add_argument("--sheets", type=int, default=10, help="how many pictures of six portraits each")
    parser.add_argument("--bundle", type=Path, default=None)
    parser.add_argument("--trouble", action="store_true", help="make the frames worse")
    parser.add_argument("--json", type=Path, default=None)
    args = parser.parse_args()
    predictor = Predictor(load_bundle(args.bundle or embedded_bundle()), provider="cpu")
    labels = predictor.bundle.manifest.labels
    results: dict[str, object] = {}
    late: list[float] = []
    with FaceDetector(resolve_detector("short")) as detector:
        heads = ("per frame", "raw", "lasting", "bound", "shown", "rows")
        totals, widths = np.zeros(5), (10, 8, 9, 8, 8)
        print(
            f"{'label switches a minute':<28}" + "".join(f"{h:>{w}}" for h, w in zip(heads, (*widths, 7), strict=True))
        )
        source: list[Frame] = []
        for path in [None, *sorted(args.videos.glob("*.m*"))]:
            if path is None:
                with DemoSource() as demo:
                    frames = list(demo.frames())
            else:
                with VideoFile(path) as video:
                    frames = list(video.frames())
            if path is not None and path.name == SPLICED:
                source = frames
            if args.trouble:
                rng = np.random.default_rng(1)
                frames = [troubled(frame, rng) for frame in frames]
            tracks = list(read(frames, detector, predictor, singly=True).values())
            late += [delay for track in tracks for delay in delays(track)]
            counts = np.array(
                [
                    (switches(t.single), switches(t.raw), len(delays(t)), switches(fewest(t)), switches(t.shown))
                    for t in tracks
                ]
            ).sum(axis=0)  # fmt: skip
            minutes = sum(t.times[-1] - t.times[0] for t in tracks) / 60
            totals += counts
            name = "demo" if path is None else path.name
            rows = sum(len(t.times) for t in tracks)
            cells = "".join(f"{c / minutes:>{w}.1f}" for c, w in zip(counts, widths, strict=True))
            print(f"{name:<28}{cells}{rows:>7}")
            keys = ("per_frame", "raw", "lasting", "bound", "shown")
            results[name] = dict(zip(keys, counts.tolist(), strict=True))
        print(f"{'all, counted':<28}" + "".join(f"{c:>{w}.0f}" for c, w in zip(totals, widths, strict=True)))
        by_frame, by_raw = totals[4] / max(totals[0], 1), totals[4] / max(totals[1], 1)
        print(f"shown by per frame: {by_frame:.2f} (target: at most {SWITCHES})")
        print(f"shown by raw: {by_raw:.2f} (target: at most {SWITCHES})")
        print(f"{totals[2]:.0f} of {totals[1]:.0f} raw changes last")
        print(f"fewest with a delay of at most {DELAY_S} s: {totals[3]:.0f}\n")

        if args.faces is not None:
            counts = np.zeros(4)
            for number, sheet in enumerate(sheets(args.faces, args.sheets)):
                for track in read(unsteady(sheet, number), detector, predictor).values():
                    minutes = (track.times[-1] - track.times[0]) / 60
                    counts += switches(track.raw), switches(track.shown), minutes, switches(fewest(track))
            raw, shown = counts[0] / counts[2], counts[1] / counts[2]
            ratio = counts[1] / max(counts[0], 1)
            print(f"{counts[2]:.1f} minutes of faces at rest: raw {raw:.1f} switches a minute, shown {shown:.1f}")
            print(f"shown by raw: {ratio:.2f} (target: at most {SWITCHES})")
            print(f"fewest with a delay of at most {DELAY_S} s: {counts[3] / max(counts[0], 1):.2f} of them\n")
            results["at_rest"] = {"raw": counts[0], "shown": counts[1], "ratio": ratio}

        print(f"{'seconds until a splice is seen':<40}{'raw':>8}{'shown':>8}{'added':>8}")
        added = []
        pairs = [(a, b, "happiness") for a, b in zip(SAD, HAPPY, strict=True)]
        pairs += [(b, a, "sadness") for a, b in zip(SAD, HAPPY, strict=True)]
        for first, second, wanted in pairs if source else []:
            made, at = splice(source, first, second)
            (track,) = list(read(made, detector, predictor).values())[:1]
            target = labels.index(wanted)
            raw_s, shown_s = (seen_after(one, track.times, at, target) for one in (track.raw, track.shown))
            name = f"{first[0]}-{first[1]} to {wanted} {second[0]}-{second[1]}"
            print(f"{name:<40}{raw_s:>8.2f}{shown_s:>8.2f}{shown_s - raw_s:>8.2f}")
            added.append(shown_s - raw_s)
        for what, seconds in (("splices", added), ("changes that last", late)):
            if seconds:
                print(f"delay, {len(seconds)} {what}: median {np.median(seconds):.2f} s, "
                      f"longest {max(seconds):.2f} s (target: at most {DELAY_S})")  # fmt: skip
        results |= {"shown_by_frame": by_frame, "shown_by_raw": by_raw, "added_s": added, "delays_s": late}
        print("shown label = arg-max of the shown probabilities in every row")
    if args.json:
        args.json.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
