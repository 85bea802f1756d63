# SPDX-License-Identifier: BSD-3-Clause
"""Scaling: time, speed-up and efficiency over the ranks. Strong (the same work for all) and weak (as much work a rank) are two
figures, as they ask two questions. Marks are not joined: there is no epoch on 1.5 ranks."""

from __future__ import annotations

import numpy as np
import pandas as pd

from lockstep_analysis.chart import Figure, Panel, Series
from lockstep_analysis.figures.common import NothingToShow, Options, color_of, columns, estimates, how_summarised, variants
from lockstep_analysis.points import Point
from lockstep_analysis.speedup import Base, efficiency, find_base, ratio, speed_up, strong_series, upper_bound, weak_series


def strong(points: list[Point], options: Options) -> Figure:
    series = strong_series(points)
    if not series:
        raise NothingToShow("strong scaling needs one algorithm at two rank counts or more, on the same samples")
    names = variants((name, color_of(members[0], points)) for name, members in series.items())
    time, speed, share, rows = [], [], [], []
    bases: dict[str, None] = {}
    for name, members in series.items():
        color, variant = color_of(members[0], points), names[name]
        ranks = [p.ranks for p in members]
        time.append(estimates(name, color, ranks, [p.epoch_s for p in members], variant=variant))
        found: list[Base | None] = [find_base(p, points, options.base) for p in members]
        with_base = [(p, b) for p, b in zip(members, found) if b]
        bases.update({b.text(): None for _, b in with_base})
        if with_base:
            ranks = [p.ranks for p, _ in with_base]
            speed.append(estimates(name, color, ranks, [speed_up(p, b) for p, b in with_base], variant=variant))
            speed.append(
                Series(
                    name, color, ranks, [upper_bound(p, b) for p, b in with_base], style="ticks", variant=variant, in_legend=False
                )
            )
            share.append(estimates(name, color, ranks, [efficiency(p, b) for p, b in with_base], variant=variant))
        for p, b in zip(members, found):
            rows.append(
                {
                    "series": name,
                    "ranks": p.ranks,
                    "batch": p.batch,
                    "runs": len(p.runs),
                    **columns("epoch s", p.epoch_s),
                    **(
                        columns("speed-up", speed_up(p, b))
                        | columns("efficiency", efficiency(p, b))
                        | {"bound of speed-up": upper_bound(p, b)}
                        if b
                        else {}
                    ),
                }
            )
    serial = [p for p in points if p.algorithm == "serial"]
    panels = [Panel("Time of an epoch", "ranks", "seconds", [*serial_marks(serial, points), *time], "log2", "log")]
    says = [how_summarised([p for members in series.values() for p in members])]
    if speed:
        all_ranks = sorted({p.ranks for members in series.values() for p in members})
        line = Series("ideal", "bound", all_ranks, all_ranks, style="guide")
        flat = Series("ideal", "bound", all_ranks, [1.0] * len(all_ranks), style="guide")
        panels += [
            Panel("Speed-up", "ranks", "times the base", [line, *speed], "log2", "log2"),
            Panel("Efficiency", "ranks", "speed-up over ranks", [flat, *share], "log2", "log", percent=True),
        ]
        says.append("Dashed grey: ideal. Short levels: measured upper bound, the same runs without exchange and waiting.")
    else:
        says.append(
            "No speed-up can be stated: no base run is here"
            + (" (serial, same batch size and samples)." if options.base == "serial" else " (the same code on one rank).")
        )
    return Figure(
        "strong_scaling",
        "Strong scaling: the same work on more ranks",
        panels,
        pd.DataFrame(rows),
        says,
        base="; ".join(bases),
        is_relative=bool(speed),
        bound="ideal; without exchange and waiting" if speed else "",
    )


def serial_marks(serial: list[Point], points: list[Point]) -> list[Series]:
    """Serial runs at one rank, each batch size a mark."""
    return [estimates("serial", color_of(p, points), [1], [p.epoch_s]) for p in serial[:1]]


def weak(points: list[Point], options: Options) -> Figure:
    series = weak_series(points)
    if not series:
        raise NothingToShow(
            "weak scaling needs one algorithm at two rank counts or more, with as many samples a rank at each of them"
        )
    names = variants((name, color_of(members[0], points)) for name, members in series.items())
    time, share, rows = [], [], []
    bases: dict[str, None] = {}
    for name, members in series.items():
        color = color_of(members[0], points)
        base = weak_base(members, points, options.base)
        bases[base.text()] = None
        ranks = [p.ranks for p in members]
        ratios = [ratio(base.point, p) for p in members]
        time.append(estimates(name, color, ranks, [p.epoch_s for p in members], variant=names[name]))
        share.append(estimates(name, color, ranks, ratios, variant=names[name]))
        for p, r in zip(members, ratios):
            rows.append(
                {
                    "series": name,
                    "ranks": p.ranks,
                    "samples a rank": p.samples // p.ranks,
                    "batch": p.batch,
                    "runs": len(p.runs),
                    **columns("epoch s", p.epoch_s),
                    **columns("efficiency", r),
                }
            )
    all_ranks = sorted({p.ranks for members in series.values() for p in members})
    flat = Series("ideal", "bound", all_ranks, np.ones(len(all_ranks)), style="guide")
    return Figure(
        "weak_scaling",
        "Weak scaling: as much work a rank, on more ranks",
        [
            Panel("Time of an epoch", "ranks", "seconds", time, "log2", "linear", y_from_zero=True),
            Panel("Efficiency", "ranks", "time of the base over time", [flat, *share], "log2", "log", percent=True),
        ],
        pd.DataFrame(rows),
        [how_summarised([p for m in series.values() for p in m]), "Dashed grey: ideal, the time stays as it is."],
        base="; ".join(bases),
        is_relative=True,
        bound="ideal",
    )


def weak_base(members: list[Point], points: list[Point], kind: str) -> Base:
    """Serial with as many samples as one rank has, or else the series' own point with the fewest ranks."""
    serial = [
        p for p in points if kind == "serial" and p.algorithm == "serial" and p.samples == members[0].samples // members[0].ranks
    ]
    return Base(min(serial, key=lambda p: p.epoch_s.value), "serial") if serial else Base(members[0], "own")
