# SPDX-License-Identifier: BSD-3-Clause
"""What figures have in common: options, how a summary is worded, labels and colours of points."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Iterable, Sequence

import numpy as np

from lockstep_analysis.chart import Series
from lockstep_analysis.errors import AnalysisError
from lockstep_analysis.palette import algorithm_color
from lockstep_analysis.points import Point
from lockstep_analysis.statistics import Estimate


@dataclass
class Options:
    """What a user may choose."""

    base: str = "serial"  # of speed-ups: serial or one-rank
    target: float | None = None  # accuracy, 0 to 1, that runs race to
    bench: Path | None = None  # folder of `make bench`
    cluster: Path | None = None  # description of a cluster to predict for
    paths: Sequence[str] = field(default_factory=list)  # as typed, for the command under a figure


class NothingToShow(AnalysisError):
    """These runs have nothing for this figure; the message says what is missing."""


def how_summarised(points: Iterable[Point], marks: str = "Marks: medians", bars: str = "bars") -> str:
    """The sentence that rules 5 and 10 of Hoefler & Belli ask for."""
    points = list(points)
    runs = sorted({len(p.runs) for p in points})
    epochs = sorted({p.first.epochs for p in points})
    count = span(runs)
    method = (
        f"{bars}: 95% interval by a two-level bootstrap over runs and epochs"
        if runs[-1] > 1
        else f"{bars}: 95% interval between order statistics of the epochs"
    )
    return (
        f"{marks} over all epochs ({span(epochs)} a run) of {count} run{'s' * (count != '1')} a point; {method}. "
        "Time is the training clock of the slowest rank; evaluation and writing are off it."
    )


def span(values: Sequence[int]) -> str:
    return str(values[0]) if len(values) == 1 else f"{values[0]} to {values[-1]}"


def color_of(point: Point, points: Iterable[Point]) -> str:
    return algorithm_color(point.algorithm, [p.algorithm for p in points])


def variants(labels_colors: Iterable[tuple[str, str]]) -> dict[str, int]:
    """label -> how many labels of the same colour come before it: 0 is drawn plainly."""
    seen: dict[str, int] = {}
    found: dict[str, int] = {}
    for label, color in labels_colors:
        if label not in found:
            found[label] = seen.get(color, 0)
            seen[color] = found[label] + 1
    return found


def estimates(label: str, color: str, x: Sequence[float], values: Sequence[Estimate], **more: Any) -> Series:
    """Marks with their intervals."""
    kinds = {v.of for v in values if v.of}
    return Series(
        label,
        color,
        x,
        [v.value for v in values],
        [v.low for v in values],
        [v.high for v in values],
        interval=" or ".join(sorted(kinds)),
        **more,
    )


def columns(prefix: str, value: Estimate) -> dict[str, float]:
    return {prefix: value.value, f"{prefix} low": value.low, f"{prefix} high": value.high}


def over_runs(point: Point, name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(median, lowest, highest) over the runs of a point, at each epoch that all of them have. Series of ranks are averaged
    over the ranks first."""
    rows = [run.series[name] for run in point.runs if name in run.series]
    rows = [row.mean(axis=1) if row.ndim == 2 else row for row in rows]
    n = min(map(len, rows))
    stacked = np.stack([row[:n] for row in rows])
    return np.median(stacked, axis=0), stacked.min(axis=0), stacked.max(axis=0)
