"""Images of the model card, drawn with matplotlib without a screen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from mien.models.training import metrics

__all__ = ["draw_calibration", "draw_confusion", "draw_curves", "draw_groups"]

_DPI = 100

FloatArray = npt.NDArray[np.float64]


def _save(figure: Figure, file: Path) -> None:
    figure.set_layout_engine("tight")
    FigureCanvasAgg(figure)
    # Without the software tag the file is the same for the same figures.
    figure.savefig(file, dpi=_DPI, metadata={"Software": None})


def draw_confusion(counts: npt.NDArray[np.int64], labels: Sequence[str], file: Path) -> None:
    """(C, C) counts -> an image of the row-normalised matrix, in per cent."""
    shares = metrics.normalised(counts) * 100
    figure = Figure(figsize=(6.4, 5.6))
    axes = figure.add_subplot()
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=100)
    names = [f"{label} ({total})" for label, total in zip(labels, counts.sum(axis=1), strict=True)]
    axes.set_xticks(range(len(labels)), labels, rotation=40, ha="right")
    axes.set_yticks(range(len(labels)), names)
    for row in range(len(labels)):
        for column in range(len(labels)):
            value = shares[row, column]
            axes.text(column, row, f"{value:.0f}", ha="center", va="center", color="white" if value > 55 else "black")
    axes.set_xlabel("read as")
    axes.set_ylabel("majority of the votes (images)")
    axes.set_title("FER+ test split, % of each row")
    _save(figure, file)


def draw_calibration(probabilities: npt.ArrayLike, truth: npt.ArrayLike, threshold: float | None, file: Path) -> None:
    """Reliability diagram and accuracy over coverage, side by side; (n, C) probabilities, (n,) classes."""
    mean, accuracy, count = metrics.reliability(probabilities, truth)
    thresholds, coverage, kept = metrics.coverage_curve(probabilities, truth)
    figure = Figure(figsize=(9.6, 4.2))
    left, right = figure.subplots(1, 2)
    used = count > 0
    left.plot([0, 1], [0, 1], color="grey", linewidth=1)
    left.scatter(mean[used], accuracy[used], s=np.sqrt(count[used]) * 4, zorder=3)
    left.set(xlabel="confidence", ylabel="accuracy", title="Reliability, 15 bins", xlim=(0, 1), ylim=(0, 1))
    # The first few per cent are a handful of images: noise.
    shown = coverage > 0.03
    right.plot(coverage[shown], kept[shown])
    if threshold is not None:
        at = min(int((thresholds >= threshold).sum()), len(kept)) - 1
        right.scatter([coverage[at]], [kept[at]], zorder=3)
        right.annotate(f"uncertain below {threshold:.2f}", (coverage[at], kept[at]), xytext=(-130, -30),
                       textcoords="offset points")  # fmt: skip
    right.set(xlabel="share of images answered", ylabel="accuracy of the answers", title="Coverage and accuracy")
    right.grid(alpha=0.3)
    _save(figure, file)


def draw_curves(curves: Mapping[str, tuple[Sequence[float], Sequence[float]]], columns: int, file: Path) -> None:
    """One small chart per entry: name -> (values along x, WAR in [0,1])."""
    rows = -(-len(curves) // columns)
    figure = Figure(figsize=(3.2 * columns, 2.7 * rows))
    panels = figure.subplots(rows, columns, squeeze=False).flatten()
    for axes in panels[len(curves) :]:
        axes.set_visible(False)
    for axes, (name, (x, y)) in zip(panels, curves.items(), strict=False):
        # A line between a few levels would say that something is known of what lies between them.
        axes.plot(x, np.asarray(y) * 100, marker="o", markersize=3, linestyle="-" if len(x) > 4 else "none")
        axes.set(xlabel=name, ylabel="WAR, %", ylim=(0, 100))
        axes.grid(alpha=0.3)
    _save(figure, file)


class GroupRates(Protocol):
    """What is drawn of one group: `rate` and the ends of its interval are (C,) in [0,1]."""

    @property
    def attribute(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def rate(self) -> FloatArray: ...
    @property
    def low(self) -> FloatArray: ...
    @property
    def high(self) -> FloatArray: ...


def draw_groups(rows: Sequence[GroupRates], labels: Sequence[str], file: Path) -> None:
    """Rate of each expression by group, with intervals of 95 %; the line is that of all faces, the first of `rows`."""
    overall, groups = rows[0], list(rows[1:])
    columns = 4
    figure = Figure(figsize=(3.1 * columns, 0.26 * len(groups) * -(-len(labels) // columns) + 1.6))
    panels = figure.subplots(-(-len(labels) // columns), columns, squeeze=False, sharey=True)
    places = np.arange(len(groups))[::-1]
    colours = {name: f"C{index}" for index, name in enumerate(dict.fromkeys(row.attribute for row in groups))}
    for index, (axes, label) in enumerate(zip(panels.flatten(), labels, strict=False)):
        axes.axvline(100 * overall.rate[index], color="grey", linewidth=1)
        for place, row in zip(places, groups, strict=True):
            colour = colours[row.attribute]
            axes.plot([100 * row.low[index], 100 * row.high[index]], [place, place], color=colour, linewidth=1.2)
            axes.plot(100 * row.rate[index], place, "o", color=colour, markersize=3.5)
        axes.set_title(label, fontsize=10)
        axes.set_xlim(left=0)
        axes.grid(axis="x", alpha=0.3)
        axes.tick_params(labelsize=8)
    for row_of_panels in panels:
        row_of_panels[0].set_yticks(places, [row.name for row in groups], fontsize=8)
    for axes in panels[-1]:
        axes.set_xlabel("% of the faces", fontsize=9)
    _save(figure, file)
