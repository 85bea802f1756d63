# SPDX-License-Identifier: BSD-3-Clause
"""The rank that the others wait for, and its host: what a run's closing lines say (src/record/straggler.cpp), over many runs; and
the longest steps."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import numpy as np

from lockstep_analysis.points import counted
from lockstep_analysis.runs import Run

WORTH_A_WORD = 0.05  # of the training time
CLEARLY = 0.5


@dataclass(frozen=True)
class SlowRank:
    """A rank that is clearly slower than the others of its run."""

    rank: int
    host: str
    wait_s: float  # that the others waited, each, over all epochs; the mean
    wait_share: float  # of their training time


def slow_rank(run: Run) -> SlowRank | None:
    """The rank that waited least, if the others waited for 5% of their training time or more, and it for less than half as long."""
    wait = run.series.get("epochs/wait_s")
    train = run.series.get("epochs/train_s")
    if wait is None or train is None or wait.ndim != 2 or wait.shape != train.shape or wait.shape[1] < 2:
        return None
    wait_s, train_s = wait.sum(axis=0), train.sum(axis=0)
    slowest = int(np.argmin(wait_s))
    others = np.arange(len(wait_s)) != slowest
    waited_s = float(wait_s[others].mean())
    trained_s = float(train_s[others].mean())
    if not waited_s >= WORTH_A_WORD * trained_s or trained_s <= 0 or wait_s[slowest] > CLEARLY * waited_s:
        return None
    host = run.hosts[slowest] if slowest < len(run.hosts) else "?"
    return SlowRank(slowest, host, waited_s, waited_s / trained_s)


def sentences(runs: list[Run]) -> list[str]:
    """One for each host that ranks waited for, the one that cost most first."""
    found: dict[str, list[tuple[Run, SlowRank]]] = defaultdict(list)
    for run in runs:
        if slow := slow_rank(run):
            found[slow.host].append((run, slow))
    return [
        sentence(host, of_host, sum(host in run.hosts for run in runs))
        for host, of_host in sorted(found.items(), key=lambda item: -sum(s.wait_s for _, s in item[1]))
    ]


def sentence(host: str, found: list[tuple[Run, SlowRank]], of: int) -> str:
    worst_run, worst = max(found, key=lambda pair: pair[1].wait_share)
    ranks = sorted({slow.rank for _, slow in found})
    which = f"rank {ranks[0]}" if len(ranks) == 1 else "ranks " + ", ".join(map(str, ranks[:6])) + "…" * (len(ranks) > 6)
    runs = "its only run" if of == 1 else f"{len(found)} of its {counted(of, 'run')}"
    return (
        f"{host}: in {runs} the other ranks waited for {which} there, at most {worst.wait_share:.0%} of their training time"
        f" ({worst.wait_s:.3g} s each, in {worst_run.run_id})."
    )


def longest_steps(runs: list[Run], most: int = 5) -> list[str]:
    """Sentences about the runs whose longest step took the most times its epoch's median."""
    found = []
    for run in runs:
        median, largest = run.series.get("epochs/step_p50_s"), run.series.get("epochs/step_largest_s")
        if median is None or largest is None or not (median > 0).any():
            continue
        ratio = largest / np.where(median > 0, median, np.nan)
        epoch = int(np.nanargmax(ratio))
        rank = int(run.series["epochs/step_largest_rank"][epoch])
        found.append((float(ratio[epoch]), run, epoch, rank, float(largest[epoch])))
    found.sort(key=lambda row: -row[0])
    return [
        f"{run.run_id}: {1e3 * seconds:.3g} ms on rank {rank} ({run.hosts[rank] if rank < len(run.hosts) else '?'}) in epoch"
        f" {epoch + 1}, {ratio:.1f} times the median of that epoch's steps."
        for ratio, run, epoch, rank, seconds in found[:most]
    ]
