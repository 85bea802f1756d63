# SPDX-License-Identifier: BSD-3-Clause
"""What a report says first: which way of sharing the work was fastest, by how much, and why."""

from __future__ import annotations

import numpy as np

from lockstep_analysis.figures.learning import default_target, race
from lockstep_analysis.points import Point, label, ranks_text, varying
from lockstep_analysis.speedup import find_base, speed_up

Fact = tuple[str, str, str]  # what, value, about


def name_of(point: Point, points: list[Point]) -> str:
    keys = [k for k in varying(points) if k not in ("ranks", "epochs")]
    return f"{label(point, keys)} on {ranks_text(point.ranks)}"


def facts(points: list[Point], target: float | None) -> list[Fact]:
    """The numbers at the head of a chapter."""
    found: list[Fact] = []
    fastest = min(points, key=lambda p: p.epoch_s.value)
    found.append(("fastest epoch", f"{fastest.epoch_s.value:.3g} s", name_of(fastest, points) + interval_words(fastest)))
    with_base = [(p, b) for p in points if p.ranks > 1 and (b := find_base(p, points))]
    if with_base:
        p, base = max(with_base, key=lambda pair: speed_up(*pair).value)
        ratio = speed_up(p, base)
        between = f", {ratio.low:.2f} to {ratio.high:.2f}" if not np.isnan(ratio.low) else ""
        found.append(
            ("greatest speed-up", f"{ratio.value:.2f}×", f"{name_of(p, points)}{between}; base {base.point.epoch_s.value:.3g} s")
        )
    evaluated = [p for p in points if not np.isnan(p.accuracy.value)]
    if evaluated:
        best = max(evaluated, key=lambda p: p.accuracy.value)
        found.append(
            ("best final accuracy", f"{100 * best.accuracy.value:.2f}%", f"{name_of(best, points)}, {best.first.epochs} epochs")
        )
        found += winner(evaluated, target)
    return found


def winner(points: list[Point], target: float | None) -> list[Fact]:
    """First to the target among the points whose runs all reached it."""
    goal = target if target is not None else default_target(points)
    times = {i: np.median(race(p, goal)[0]) for i, p in enumerate(points) if all(race(p, goal)[1])}
    if not times:
        return [(f"first to {100 * goal:g}%", "none", "no point reached it in all of its runs")]
    i = min(times, key=lambda k: times[k])
    return [
        (
            f"first to {100 * goal:g}%",
            f"{times[i]:.3g} s",
            f"{name_of(points[i], points)}; {len(times)} of {len(points)} points got there in all runs",
        )
    ]


def interval_words(point: Point) -> str:
    e = point.epoch_s
    return f", {e.low:.3g} to {e.high:.3g} s" if not np.isnan(e.low) else ""


def sentences(points: list[Point]) -> list[str]:
    """Where the time went at the largest rank count of each algorithm."""
    found = []
    last: dict[str, Point] = {}
    for p in points:
        if p.ranks > 1 and (p.algorithm not in last or p.ranks > last[p.algorithm].ranks):
            last[p.algorithm] = p
    for p in last.values():
        shares = {phase: s / sum(p.phases_s.values()) for phase, s in p.phases_s.items()}
        lost = shares["exchange"] + shares["wait"]
        most = "waiting for the slowest rank" if shares["wait"] > shares["exchange"] else "transfer and reduction"
        found.append(
            f"{name_of(p, points)} spends {100 * lost:.0f}% of its time on exchange and waiting, most of that on {most}; "
            f"the slowest rank's own work exceeds the mean by {100 * p.straggler_share:.1f}% of an epoch."
        )
    return found
