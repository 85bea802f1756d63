# SPDX-License-Identifier: BSD-3-Clause
"""The comparison of runs: one row a point, with accuracy, time, speed-up, and where the time went."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Sequence

import numpy as np

from lockstep_analysis.points import Point, by_problem, group_points, varying
from lockstep_analysis.runs import Run, as_text, phase_share
from lockstep_analysis.speedup import efficiency, find_base, speed_up
from lockstep_analysis.tables import layout

if TYPE_CHECKING:
    import pandas as pd

HEADER = [
    "algorithm",
    "ranks",
    "batch",
    "runs",
    "accuracy %",
    "epoch s (median)",
    "95% interval",
    "speed-up",
    "efficiency",
    "compute",
    "exchange",
    "wait",
    "other",
]
PLAIN = ("algorithm", "ranks", "batch_size", "epochs")  # have a column, or are told elsewhere


def comparison_table(runs: list[Run]) -> str:
    """One block for each problem. Repetitions (runs that differ by their seed alone) share a row."""
    return "\n\n".join(block(name, points) for name, points in by_problem(group_points(runs)).items())


def block(name: str, points: list[Point]) -> str:
    more = [k for k in varying(points) if k not in PLAIN]
    lines = [name, *layout([[*HEADER[:3], *more, *HEADER[3:]], *[row(p, points, more) for p in points]])]
    bases = {p.batch: base for p in points if (base := find_base(p, points))}
    for batch, base in sorted(bases.items()):
        lines.append(f"speed-up base, batch {batch}: serial on 1 rank, {base.point.epoch_s.value:.3f} s an epoch")
    if not bases:
        lines.append("no serial run here: no speed-up can be stated")
    return "\n".join(lines)


def row(point: Point, points: list[Point], more: list[str]) -> list[str]:
    time = point.epoch_s
    base = find_base(point, points)
    shares = {phase: phase_share(point.runs, phase) for phase in ("compute", "exchange", "wait")}
    return [
        point.algorithm,
        str(point.ranks),
        str(point.batch),
        *[as_text(point.config.get(k, "-")) for k in more],
        str(len(point.runs)),
        accuracy(point),
        f"{time.value:.3f}",
        "(too few)" if math.isnan(time.low) else f"{time.low:.3f} .. {time.high:.3f}",
        "-" if base is None else f"{speed_up(point, base).value:.2f}",
        "-" if base is None else f"{efficiency(point, base).value:.2f}",
        *[percent(share) for share in shares.values()],
        percent(1.0 - sum(shares.values())),
    ]


def accuracy(point: Point) -> str:
    """Mean ± standard error over the runs."""
    finals = np.array([run.final_accuracy for run in point.runs])
    if np.isnan(finals).all():
        return "-"
    if len(finals) == 1:
        return f"{100 * finals[0]:.2f}"
    return f"{100 * finals.mean():.2f} ± {100 * finals.std(ddof=1) / math.sqrt(len(finals)):.2f}"


def percent(share: float) -> str:
    return f"{100 * share:.1f}%"


def sent_mb(point: Point) -> float:
    """Megabytes that a rank sends in an epoch, mean over ranks, epochs and runs."""
    sent = [r.series["exchange/sent_bytes"].mean() for r in point.runs if "exchange/sent_bytes" in r.series]
    return float(np.mean(sent)) / 1e6 if sent else math.nan


def has_step_times(points: list[Point]) -> bool:
    """Files of 0.1.0 have none."""
    return any("epochs/step_p50_s" in r.series for p in points for r in p.runs)


def step_ms(point: Point) -> dict[str, float]:
    """Milliseconds of a step: medians over all epochs of the percentiles of each, and the longest of all. NaN where no run says."""
    found = {}
    for column, name, over in (("p50", "p50", np.nanmedian), ("p99", "p99", np.nanmedian), ("longest", "largest", np.nanmax)):
        values = [v for r in point.runs for v in r.series.get(f"epochs/step_{name}_s", ()) if not math.isnan(v)]
        found[f"step {column} ms"] = 1e3 * float(over(values)) if values else math.nan
    return found


def frame(points: list[Point], settings: Sequence[str] = ()) -> "pd.DataFrame":
    """The same with every interval, for pages and files. Settings that are alike in all points have a column when they are asked
    for."""
    import pandas as pd

    from lockstep_analysis.figures.common import columns

    more = [k for k in varying(points) if k not in PLAIN]
    more += [k for k in settings if k not in (*more, "algorithm", "ranks") and any(k in p.config for p in points)]
    rows = []
    for p in points:
        base = find_base(p, points)
        rows.append(
            {
                "algorithm": p.algorithm,
                "ranks": p.ranks,
                "batch": p.batch,
                **{k: as_text(p.config.get(k, "")) for k in more},
                "runs": len(p.runs),
                **{k: 100 * v for k, v in columns("accuracy %", p.accuracy).items()},
                **columns("epoch s", p.epoch_s),
                **(columns("speed-up", speed_up(p, base)) | columns("efficiency", efficiency(p, base)) if base else {}),
                **{f"{phase} %": 100 * phase_share(p.runs, phase) for phase in ("compute", "exchange", "wait")},
                **({} if p.ranks == 1 else {"MB sent": sent_mb(p)}),
                **(step_ms(p) if has_step_times(points) else {}),
            }
        )
    return pd.DataFrame(rows)
