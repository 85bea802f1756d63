# SPDX-License-Identifier: BSD-3-Clause
"""Every single epoch time: whether a median is a fair summary (Hoefler & Belli, rules 6, 8 and 12)."""

from __future__ import annotations

import numpy as np
import pandas as pd

from lockstep_analysis.chart import Figure, Panel, Series
from lockstep_analysis.figures.common import Options, color_of
from lockstep_analysis.points import Point, label, varying

MOST = 24
MOST_DOTS = 80  # of a point; of more epochs as many quantiles are drawn


def epoch_times(points: list[Point], options: Options) -> Figure:
    keys = [k for k in varying(points) if k != "ranks"]
    shown = points[:MOST]
    dots, rows = [], []
    random = np.random.default_rng(1)
    for i, p in enumerate(shown):
        values = np.concatenate(p.epoch_groups)
        relative = values / np.median(values)
        if len(relative) > MOST_DOTS:
            relative = np.quantile(relative, np.linspace(0.0, 1.0, MOST_DOTS))
        dots.append(
            Series(
                label(p, keys),
                color_of(p, points),
                relative,
                i + random.uniform(-0.26, 0.26, len(relative)),
                style="dots",
                in_legend=False,
            )
        )
        low, q1, middle, q3, p95, high = np.percentile(values, [0, 25, 50, 75, 95, 100])
        runs = [float(np.median(g)) for g in p.epoch_groups]
        rows.append(
            {
                "series": label(p, keys),
                "ranks": p.ranks,
                "runs": len(p.runs),
                "epochs": len(values),
                "lowest s": low,
                "quartile 1 s": q1,
                "median s": middle,
                "quartile 3 s": q3,
                "95% s": p95,
                "highest s": high,
                "between runs %": 100 * (max(runs) - min(runs)) / 2 / middle,
            }
        )
    names = [f"{label(p, keys)}  ×{p.ranks}" for p in shown]
    more = f" The first {MOST} of {len(points)} points." if len(points) > MOST else ""
    return Figure(
        "epoch_times",
        "Every epoch time",
        [Panel("Time of an epoch over its point's median", "times the median", "", dots, categories=names, wide=True)],
        pd.DataFrame(rows),
        [
            f"Each dot is one epoch of one run (where a point has more than {MOST_DOTS}, as many quantiles of them). Two clouds,"
            f" or a long tail, mean that a median does not tell all.{more}"
        ],
    )
