# SPDX-License-Identifier: BSD-3-Clause
"""What is learnt: accuracy over epochs, over time and over the ranks, and the race to an accuracy."""

from __future__ import annotations

import numpy as np
import pandas as pd

from lockstep_analysis.chart import Figure, Panel, Series
from lockstep_analysis.figures.common import NothingToShow, Options, color_of, columns, estimates, over_runs, span, variants
from lockstep_analysis.points import Point, label, variant_key, varying
from lockstep_analysis.runs import Run
from lockstep_analysis.statistics import Survival, kaplan_meier

MOST_LINES = 10
ENOUGH_FOR_BANDS = 5  # runs; the band of fewer is as wide as the picture


def lines_of(points: list[Point]) -> list[tuple[Point, str, str, int]]:
    """(point, label, colour, variant) of each."""
    keys = varying(points)
    named = [(p, label(p, keys), color_of(p, points)) for p in points]
    which = variants((name, color) for _, name, color in named)
    return [(p, name, color, which[name]) for p, name, color in named]


def most_telling(points: list[Point]) -> list[Point]:
    """Not more points than a picture has room for: of each series its most ranks first, then its fewest, then what is between."""
    if len(points) <= MOST_LINES:
        return points
    series: dict[str, list[Point]] = {}
    for p in points:
        series.setdefault(variant_key(p), []).append(p)
    turns = [sorted(members, key=lambda p: p.ranks) for members in series.values()]
    ranked = (
        [members[-1] for members in turns] + [members[0] for members in turns] + [p for members in turns for p in members[1:-1]]
    )
    kept = {p.key for p in list({p.key: p for p in ranked}.values())[:MOST_LINES]}
    return [p for p in points if p.key in kept]


def left_over(points: list[Point]) -> str:
    return (
        f" {MOST_LINES} of {len(points)} points: of each series the most and the fewest ranks first; --where chooses others."
        if len(points) > MOST_LINES
        else ""
    )


def evaluated(points: list[Point]) -> list[Point]:
    found = [p for p in points if not np.isnan(p.first.series["epochs/test_accuracy"]).all()]
    if not found:
        raise NothingToShow("no run has evaluated its accuracy (eval_acc)")
    return found


def over_epochs(points: list[Point], options: Options) -> Figure:
    """Accuracy and loss after each epoch."""
    panels: list[Panel] = []
    rows: dict[tuple[str, int], dict[str, float]] = {}
    counts: set[int] = set()
    shown = evaluated(points)
    same: dict[str, list[str]] = {}  # first label of a curve -> further labels of the same one
    for name, title, unit, scale in (
        ("test_accuracy", "Test accuracy", "percent", 100.0),
        ("train_loss", "Training loss", "loss", 1.0),
    ):
        series: list[Series] = []
        for p, text, color, variant in lines_of(most_telling(shown)):
            middle, low, high = (scale * v for v in over_runs(p, f"epochs/{name}"))
            keep = ~np.isnan(middle)
            epoch = np.arange(1, len(middle) + 1)[keep]
            counts.add(len(p.runs))
            twin = next((s for s in series if s.low is not None and np.array_equal(s.y, middle[keep])), None)
            band = (low[keep], high[keep]) if twin is None else (None, None)  # once is enough
            series.append(Series(text, color, epoch, middle[keep], *band, "line", variant, "range over runs"))
            if twin is not None and name == "test_accuracy":
                same.setdefault(twin.label, []).append(text)
            for e, m, lo, hi in zip(epoch, middle[keep], low[keep], high[keep]):
                rows.setdefault((text, int(e)), {}).update(
                    {f"{name} {unit}".replace(" loss", ""): m, f"{name} low": lo, f"{name} high": hi}
                )
        panels.append(Panel(title, "epoch", unit, series, y_scale="log" if name == "train_loss" else "linear"))
    frame = pd.DataFrame([{"series": s, "epoch": e, **values} for (s, e), values in rows.items()])
    return Figure(
        "learning",
        "Accuracy and loss over epochs",
        panels,
        frame,
        [
            (
                f"Lines: median over the runs ({span(sorted(counts))} each); bands: their whole range. An epoch is one pass over "
                f"the data, so it is the same work for every algorithm.{left_over(shown)}"
            ),
            *(
                f"The same curve as {first}, which hides them or is hidden: {'; '.join(others)}."
                for first, others in same.items()
            ),
        ],
        about="learning",
    )


def over_time(points: list[Point], options: Options) -> Figure:
    """Accuracy over the training clock: what a user sees who waits."""
    series, rows = [], []
    shown = evaluated(points)
    for p, text, color, variant in lines_of(most_telling(shown)):
        middle, low, high = (100.0 * v for v in over_runs(p, "epochs/test_accuracy"))
        clock, _, _ = over_runs(p, "epochs/train_clock_s")
        keep = ~np.isnan(middle)
        series.append(Series(text, color, clock[keep], middle[keep], low[keep], high[keep], "line", variant, "range over runs"))
        rows += [
            {
                "series": text,
                "epoch": i + 1,
                "training clock s": clock[i],
                "accuracy %": middle[i],
                "low": low[i],
                "high": high[i],
            }
            for i in np.flatnonzero(keep)
        ]
    return Figure(
        "accuracy_over_time",
        "Accuracy over training time",
        [
            Panel(
                "Accuracy over training time",
                "seconds on the training clock",
                "test accuracy, percent",
                series,
                time_scale(series),
                wide=True,
            )
        ],
        pd.DataFrame(rows),
        [
            "Lines: medians over the runs of clock and accuracy at each epoch; bands: range of the accuracy. Between two "
            "epochs the accuracy is not measured; the line only guides the eye along one training."
            + left_over(shown)
        ],
    )


def time_scale(series: list[Series]) -> str:
    """Logarithmic, where one series takes ten times as long as another."""
    ends = [float(s.x[-1]) for s in series]
    return "log" if max(ends) > 6.0 * min(ends) > 0.0 else "linear"


def over_ranks(points: list[Point], options: Options) -> Figure:
    """Final accuracy for each rank count."""
    shown = evaluated(points)
    keys = [k for k in varying(shown) if k != "ranks"]
    groups: dict[str, list[Point]] = {}
    for p in shown:
        groups.setdefault(label(p, keys), []).append(p)
    which = variants((name, color_of(g[0], points)) for name, g in groups.items())
    series, rows = [], []
    for name, members in groups.items():
        members.sort(key=lambda p: p.ranks)
        values = [p.accuracy for p in members]
        s = estimates(name, color_of(members[0], points), [p.ranks for p in members], values, variant=which[name])
        s.y, s.low, s.high = 100 * s.y, 100 * np.asarray(s.low), 100 * np.asarray(s.high)
        series.append(s)
        rows += [
            {
                "series": name,
                "ranks": p.ranks,
                "runs": len(p.runs),
                **{k: 100 * v for k, v in columns("accuracy %", a).items()},
                "interval": a.of,
            }
            for p, a in zip(members, values)
        ]
    epochs = sorted({p.first.epochs for p in shown})
    return Figure(
        "accuracy_over_ranks",
        "Final accuracy over the ranks",
        [
            Panel(
                f"Test accuracy after {'–'.join(str(e) for e in dict.fromkeys((epochs[0], epochs[-1])))} epochs",
                "ranks",
                "percent",
                series,
                "log2",
                wide=True,
            )
        ],
        pd.DataFrame(rows),
        [
            "Marks: median over the runs; bars: 95% interval between order statistics where there are 6 runs or more, else the"
            " whole range."
        ],
        about="learning",
    )


def default_target(points: list[Point]) -> float:
    """The highest round accuracy that the best run of every algorithm reaches, in steps of half a percent."""
    best: dict[str, float] = {}
    for p in points:
        for run in p.runs:
            best[p.algorithm] = max(best.get(p.algorithm, 0.0), float(np.nanmax(run.series["epochs/test_accuracy"])))
    return np.floor(200.0 * min(best.values())) / 200.0


def first_reaching(run: Run, target: float) -> int | None:
    """Index of the first epoch whose accuracy reaches the target; None where none does."""
    there = np.flatnonzero(run.series["epochs/test_accuracy"] >= target)
    return int(there[0]) if len(there) else None


def race(point: Point, target: float, clock: str = "train_clock_s") -> tuple[list[float], list[bool]]:
    """For each run: when it reached the target or, where it never did, how long it was watched (then it is censored)."""
    times, reached = [], []
    for run in (*point.runs, *point.diverged):
        time, first = run.series[f"epochs/{clock}"], first_reaching(run, target)
        times.append(float(time[-1 if first is None else first]))
        reached.append(first is not None)
    return times, reached


def time_to_accuracy(points: list[Point], options: Options) -> Figure:
    shown = evaluated(points)
    target = options.target if options.target is not None else default_target(shown)
    series, rows = [], []
    found: list[tuple[Survival, tuple[Point, str, str, int]]] = []
    for line in lines_of(shown):
        found.append((kaplan_meier(*race(line[0], target), least_watched=0.5), line))
    drawn = {p.key for p in most_telling(shown)}
    end = max(float(max(race(line[0], target)[0])) for _, line in found)
    for curve, (p, text, color, variant) in found:
        rows.append(
            {
                "series": text,
                "ranks": p.ranks,
                "runs": curve.runs,
                "reached": curve.reached,
                "censored": curve.runs - curve.reached,
                "median s": curve.time_until(0.5),
                "first s": curve.time_until(1e-9),
                "all s": curve.time_until(1.0),
            }
        )
        if p.key in drawn:
            stop = end if curve.reached == curve.runs else curve.watched_until
            has_band = curve.runs >= ENOUGH_FOR_BANDS and len(found) <= 4
            low, high = ([*(1 - side), 1 - side[-1]] if has_band else None for side in (curve.high, curve.low))
            series.append(
                Series(
                    text,
                    color,
                    [*curve.time, stop],
                    [*(1 - curve.still_open), 1 - curve.still_open[-1]],
                    low,
                    high,
                    "steps",
                    variant,
                    "95%",
                )
            )
    arrived = sorted((row["median s"], row["series"]) for row in rows if np.isfinite(row["median s"]))
    bands = "bands: 95% (Greenwood, log-log). " if any(s.low is not None for s in series) else "each step is one run or more. "
    return Figure(
        "time_to_accuracy",
        f"Time to {100 * target:g}% test accuracy",
        [
            Panel(
                f"Share of the runs that have reached {100 * target:g}%",
                "seconds on the training clock",
                "share of runs",
                series,
                percent=True,
                y_limits=(-0.02, 1.02),
                wide=True,
            )
        ],
        pd.DataFrame(rows),
        [
            f"Kaplan–Meier estimate; {bands}"
            "Runs that never got there are censored when they end, not dropped: a curve that stops"
            " below 100% is one whose runs were not all seen to arrive, and it ends where half of them are no longer watched."
            " Evaluation happens after each epoch, so times are rounded up to an epoch."
            + left_over(shown),
            *([f"Half of the runs are there after {'; '.join(f'{s:.3g} s ({who})' for s, who in arrived)}."] if arrived else []),
        ],
    )
