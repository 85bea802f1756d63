# SPDX-License-Identifier: BSD-3-Clause
"""Where the time went: phases of an epoch, the straggler's share, and bytes sent beside the fewest that would do."""

from __future__ import annotations

import numpy as np
import pandas as pd

from lockstep_analysis.chart import Figure, Panel, Series
from lockstep_analysis.figures.common import NothingToShow, Options, color_of, variants
from lockstep_analysis.points import Point, label, varying
from lockstep_analysis.runs import PHASES

ORDER = ("compute", "data", "update", "exchange", "wait")  # own work first, then what parallelism costs
MOST_BARS = 30


def phases(points: list[Point], options: Options) -> Figure:
    shown = points[:MOST_BARS]
    keys = [k for k in varying(points) if k != "ranks"]
    names = [f"{label(p, keys)}  ×{p.ranks}" for p in shown]
    y = np.arange(len(shown))
    seconds = [p.phases_s for p in shown]
    total = [sum(s.values()) for s in seconds]
    rows = [
        {
            "series": label(p, keys),
            "ranks": p.ranks,
            "batch": p.batch,
            "runs": len(p.runs),
            **{f"{phase} s": s[phase] for phase in PHASES},
            "exchange + wait %": 100 * (s["exchange"] + s["wait"]) / t,
            "straggler %": 100 * p.straggler_share,
        }
        for p, s, t in zip(shown, seconds, total)
    ]
    bars = [Series(phase, f"phase_{phase}", y, [s[phase] for s in seconds], style="bars") for phase in ORDER]
    shares = [Series(phase, f"phase_{phase}", y, [s[phase] / t for s, t in zip(seconds, total)], style="bars") for phase in ORDER]
    wide = max(map(len, names)) > 22
    left_out = f" The first {MOST_BARS} of {len(points)} points." if len(points) > MOST_BARS else ""
    return Figure(
        "phases",
        "Where the time of an epoch goes",
        [
            Panel("Seconds of an epoch", "seconds, mean rank", "", bars, categories=names, wide=wide),
            Panel("Shares", "share of the training time", "", shares, categories=names, percent=True, wide=wide),
        ],
        pd.DataFrame(rows),
        [
            "Phases are means over ranks, epochs and runs: only means add up to the whole. ×N is N ranks. Wait is waiting for"
            " the slowest rank before an exchange; straggler (in the table) is by how much the slowest rank's own work exceeds"
            f" the mean rank's, as a share of the epoch, median over epochs.{left_out}"
        ],
        bound="compute alone is what no exchange could beat",
    )


def sent_bytes(points: list[Point], options: Options) -> Figure:
    """Bytes that a rank sends in an epoch, beside the fewest for what was summed: 2(P-1)/P n for each sum of n bytes over P
    ranks (Chan et al. 2007; Patarasuk & Yuan 2009)."""
    shown = [p for p in points if p.ranks > 1 and sent_in_epoch(p) > 0.0]
    if not shown:
        raise NothingToShow("no run on several ranks says what it sent")
    keys = [k for k in varying(shown) if k != "ranks"]
    groups: dict[str, list[Point]] = {}
    for p in shown:
        groups.setdefault(label(p, keys), []).append(p)
    names = variants((name, color_of(g[0], points)) for name, g in groups.items())
    series, ratios, rows, unbounded = [], [], [], []
    for name, members in groups.items():
        members.sort(key=lambda p: p.ranks)
        color = color_of(members[0], points)
        sent = [sent_in_epoch(p) for p in members]
        least = [bound_bytes(p) for p in members]
        ranks = [p.ranks for p in members]
        series.append(Series(name, color, ranks, np.array(sent) / 1e6, variant=names[name]))
        if np.isnan(least).all():
            unbounded.append(name)
        else:
            series.append(Series(name, color, ranks, np.array(least) / 1e6, style="ticks", variant=names[name], in_legend=False))
            ratios.append(Series(name, color, ranks, np.array(sent) / np.array(least), variant=names[name]))
        rows += [
            {
                "series": name,
                "ranks": p.ranks,
                "exchanges an epoch": exchanges(p),
                "MB an epoch and rank": s / 1e6,
                "bound MB": b / 1e6,
                "over the bound": s / b,
            }
            for p, s, b in zip(members, sent, least)
        ]
    over_bound = Panel(
        "Over the bound",
        "ranks",
        "sent / 2(P−1)/P n",
        ratios,
        "log2",
        "linear",
        y_from_zero=True,
        h_lines=[(1.0, "bound")],
    )
    return Figure(
        "bytes",
        "Bytes moved, beside the fewest that an allreduce must move",
        [Panel("Sent in an epoch", "ranks", "MB a rank", series, "log2", "log"), *([over_bound] if ratios else [])],
        pd.DataFrame(rows),
        [
            "Bytes are counted, not measured: they do not vary. Short levels: 2(P−1)/P n bytes for each sum of n bytes over P"
            " ranks. Algorithms that share memory on a node count what they write for others to read; they can stay below the"
            " bound, which is about an allreduce of the whole gradient.",
            *([f"Without a bound: {'; '.join(unbounded)}. How often they sum all parameters is not known."] if unbounded else []),
        ],
        bound="2(P-1)/P n an allreduce" if ratios else "",
    )


def sent_in_epoch(point: Point) -> float:
    """Bytes that a rank sends in an epoch: mean over ranks, median over epochs and runs; 0 where the runs do not tell."""
    sent = [r.series["exchange/sent_bytes"] for r in point.runs if "exchange/sent_bytes" in r.series]
    sent = [s.mean(axis=1) if s.ndim == 2 else s for s in sent]
    return float(np.median(np.concatenate(sent))) if sent else 0.0


def exchanges(point: Point) -> float:
    """Sums of all parameters in an epoch: averages, or one a step where gradients are summed; NaN where it is not known."""
    series = point.first.series
    if "exchange/averages" in series and np.nansum(series["exchange/averages"]) > 0:
        return float(np.nanmean(series["exchange/averages"]))
    return float(np.median(series["epochs/steps"])) if point.can("divides_batches") else np.nan


def bound_bytes(point: Point) -> float:
    n_bytes = 4.0 * float(point.first.provenance.get("parameter_count", np.nan))
    return exchanges(point) * 2.0 * (point.ranks - 1) / point.ranks * n_bytes
