# SPDX-License-Identifier: BSD-3-Clause
"""The comparison of runs as a table for the terminal."""

import json
import math
from collections import defaultdict

import numpy as np

from lockstep_analysis.runs import epoch_seconds, phase_share
from lockstep_analysis.statistics import median_interval

HEADER = ["algorithm", "ranks", "batch", "runs", "accuracy %", "epoch s (median)", "95% interval", "speed-up",
          "efficiency", "compute", "exchange", "wait", "other"]


def comparison_table(runs):
    """One block for each data set and model. Repetitions (runs that differ by their seed alone) share a row."""
    blocks = defaultdict(list)
    for run in runs:
        blocks[run.config["dataset"], json.dumps(run.config["model"])].append(run)
    return "\n\n".join(block(key, members) for key, members in sorted(blocks.items()))


def block(key, runs):
    dataset, model = key
    points = defaultdict(list)
    for run in runs:
        points[run.settings()].append(run)
    bases = serial_bases(points.values())
    order = {"serial": 0, "parallel_sgd": 1, "param_avg": 2, "w_param_avg": 3}
    rows = sorted(points.values(), key=lambda p: (p[0].config["batch_size"], order.get(p[0].algorithm, 9),
                                                  p[0].algorithm, p[0].ranks))
    model_name = json.loads(model)
    title = f"{dataset}, {model_name if isinstance(model_name, str) else 'a described model'}"
    lines = [title, *layout([HEADER, *[row(point, bases) for point in rows]])]
    for batch, (seconds, _) in sorted(bases.items()):
        lines.append(f"speed-up base, batch {batch}: serial on 1 rank, {seconds:.3f} s an epoch")
    if not bases:
        lines.append("no serial run here: no speed-up can be stated")
    return "\n".join(lines)


def serial_bases(points):
    """batch size -> (median epoch seconds, runs) of the fastest serial point."""
    bases = {}
    for point in points:
        if point[0].algorithm != "serial":
            continue
        seconds = float(np.median(epoch_seconds(point)))
        batch = point[0].config["batch_size"]
        if batch not in bases or seconds < bases[batch][0]:
            bases[batch] = (seconds, point)
    return bases


def row(point, bases):
    first = point[0]
    median, low, high = median_interval(epoch_seconds(point))
    base = bases.get(first.config["batch_size"])
    speedup = base[0] / median if base else math.nan
    shares = {phase: phase_share(point, phase) for phase in ("compute", "exchange", "wait")}
    return [first.algorithm, str(first.ranks), str(first.config["batch_size"]), str(len(point)), accuracy(point),
            f"{median:.3f}", "(too few)" if math.isnan(low) else f"{low:.3f} .. {high:.3f}",
            "-" if base is None else f"{speedup:.2f}", "-" if base is None else f"{speedup / first.ranks:.2f}",
            *[percent(share) for share in shares.values()], percent(1.0 - sum(shares.values()))]


def accuracy(point):
    finals = np.array([run.final_accuracy for run in point])
    if np.isnan(finals).all():
        return "-"
    if len(finals) == 1:
        return f"{100 * finals[0]:.2f}"
    return f"{100 * finals.mean():.2f} ± {100 * finals.std(ddof=1) / math.sqrt(len(finals)):.2f}"


def percent(share):
    return f"{100 * share:.1f}%"


def layout(rows):
    """Columns as wide as their widest cell; the first is aligned left, numbers right."""
    widths = [max(len(cells[i]) for cells in rows) for i in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) if i == 0 else cell.rjust(width)
                       for i, (cell, width) in enumerate(zip(cells, widths))) for cells in rows]
    return [lines[0], "-" * len(lines[0]), *lines[1:]]
