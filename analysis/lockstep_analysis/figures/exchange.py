# SPDX-License-Identifier: BSD-3-Clause
"""What averaging algorithms tell of themselves: how far the ranks drift apart, how they are weighted, how often they meet."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd

from lockstep_analysis.chart import Figure, Panel, Series
from lockstep_analysis.figures.common import NothingToShow, Options
from lockstep_analysis.figures.learning import left_over, lines_of, most_telling
from lockstep_analysis.points import Point
from lockstep_analysis.runs import Run

SHOWN = (
    ("drift", "Drift from the last average", "‖m − t‖ / (‖m‖ + ‖t‖)"),
    ("gamma", "Weight of a rank in the average", "gamma"),
    ("averages", "Averages", "averages an epoch"),
    ("own accuracy", "Accuracy before an average", "percent, a rank's own model"),
    ("gain", "What an average gains", "points over a rank's own model"),
)
ELSEWHERE = ("sent_bytes", "hidden_share")  # of gradients too: what they mean is not a matter of averages


def shown_of(points: list[Point]) -> list[tuple[str, str, str]]:
    """What is shown, and behind it what other algorithms tell of themselves under names that are new here."""
    names = {name.partition("/")[2] for p in points for r in p.runs for name in r.series if name.startswith("exchange/")}
    new = sorted(names - {name for name, _, _ in SHOWN} - {*ELSEWHERE})
    return [*SHOWN, *((name, name, "as the run files describe it") for name in new)]


def values_of(run: Run, name: str) -> np.ndarray | None:
    """[epoch] or [epoch, rank]; None where the run does not tell."""
    own = run.series.get("epochs/rank_test_accuracy")
    if name == "own accuracy":
        return None if own is None else 100.0 * own
    if name == "gain":
        return None if own is None else 100.0 * (run.series["epochs/test_accuracy"][:, None] - own)
    return run.series.get(f"exchange/{name}")


def by_epoch(point: Point, name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """(median, lowest, highest) over all ranks and runs, at each epoch."""
    rows = [v for r in point.runs if (v := values_of(r, name)) is not None]
    if not rows:
        return None
    n = min(map(len, rows))
    values = np.concatenate([row[:n].reshape(n, -1) for row in rows], axis=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # an epoch without an average is all NaN
        return np.nanmedian(values, axis=1), np.nanmin(values, axis=1), np.nanmax(values, axis=1)


def drift(points: list[Point], options: Options) -> Figure:
    panels, rows = [], []
    many = [p for p in points if p.ranks > 1]
    lines = lines_of(most_telling(many))
    for name, title, unit in shown_of(many):
        series = []
        for p, text, color, variant in lines:
            found = by_epoch(p, name)
            if found is None:
                continue
            middle, low, high = found
            keep = ~np.isnan(middle)
            if not keep.any():
                continue
            epoch = np.arange(1, len(middle) + 1)[keep]
            series.append(
                Series(text, color, epoch, middle[keep], low[keep], high[keep], "line", variant, "range over ranks and runs")
            )
            rows += [
                {"what": name, "series": text, "epoch": int(e), "median": m, "lowest": lo, "highest": hi}
                for e, m, lo, hi in zip(epoch, middle[keep], low[keep], high[keep])
            ]
        if series:
            panels.append(Panel(title, "epoch", unit, series, y_from_zero=name in ("drift", "averages")))
    if not panels:
        raise NothingToShow("no run on several ranks tells of averages, drift or weights")
    return Figure(
        "exchange",
        "How the ranks drift apart and meet again",
        panels,
        pd.DataFrame(rows),
        [
            "Lines: median over ranks and runs of each epoch's mean; bands: from the lowest to the highest rank. m is the last"
            " average, t a rank's parameters. Epochs without an average have no value. A rank's own model: its parameters after an"
            " epoch's last step, before an average that is due then."
            + left_over(many)
        ],
        about="learning",
    )
