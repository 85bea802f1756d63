# SPDX-License-Identifier: BSD-3-Clause
"""Speed-up and efficiency as ratios of medians, with their interval and their base named; strong and weak scaling series."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass
from typing import Callable

import numpy as np

from lockstep_analysis.points import SAMPLE_KEYS, Point, label, ranks_text, varying
from lockstep_analysis.statistics import Estimate, percentile_interval

BASES = ("serial", "one-rank")  # the best serial run, or the same parallel code on one rank


@dataclass(frozen=True)
class Base:
    """What a speed-up is a multiple of."""

    point: Point
    kind: str

    def text(self) -> str:
        """The sentence that rule 1 of Hoefler & Belli asks for: which base, and its absolute time."""
        what = {"serial": "best serial run", "one-rank": "the parallel code on one rank"}.get(self.kind, "the fewest ranks")
        time = self.point.epoch_s
        interval = f" (95%: {time.low:.3g} to {time.high:.3g} s)" if not np.isnan(time.low) else ""
        return (
            f"{what}: {self.point.algorithm} on {ranks_text(self.point.ranks)}, batch {self.point.batch}, "
            f"{time.value:.3g} s an epoch{interval}"
        )


def find_base(point: Point, points: list[Point], kind: str = "serial") -> Base | None:
    """The base of a point among points of its problem: the fastest serial one with the same batch size and samples, or
    its own code on one rank."""
    fits = [p for p in points if p.ranks == 1 and p.problem == point.problem and p.samples == point.samples]
    if kind == "serial":
        fits = [p for p in fits if p.algorithm == "serial" and p.batch == point.batch]
    else:
        fits = [p for p in fits if series_key(p, SAMPLE_KEYS) == series_key(point, SAMPLE_KEYS)]
    return Base(min(fits, key=lambda p: p.epoch_s.value), kind) if fits else None


def ratio(over: Point, under: Point, factor: float = 1.0) -> Estimate:
    """factor * median epoch time of `over` / that of `under`, with the percentile interval of the ratio of resampled medians.
    Never a mean of ratios (Hoefler & Belli, rule 4)."""
    value = factor * over.epoch_s.value / under.epoch_s.value
    if over.key == under.key:
        return Estimate(value, n=len(under.runs))
    if min(sum(map(len, over.epoch_groups)), sum(map(len, under.epoch_groups))) < 6:
        return Estimate(value, n=len(under.runs))  # too few values for an interval of 95%
    # Independent resamples: the two points' generators start alike, so one of them is put in another order.
    low, high = percentile_interval(factor * over.resampled / np.roll(under.resampled, 1))
    return Estimate(value, low, high, "95%", len(under.runs))


def speed_up(point: Point, base: Base) -> Estimate:
    return ratio(base.point, point)


def efficiency(point: Point, base: Base) -> Estimate:
    return ratio(base.point, point, base.point.ranks / point.ranks)


def upper_bound(point: Point, base: Base) -> float:
    """The speed-up without exchange and waiting, measured in the same runs: what a perfect network and a perfect balance
    would give this code (Hoefler & Belli, rule 11)."""
    return base.point.epoch_s.value / point.busy_s


def series_key(point: Point, besides: tuple[str, ...]) -> str:
    settings = json.loads(point.key)
    return json.dumps({k: v for k, v in settings.items() if k != "ranks" and k not in besides}, sort_keys=True)


def strong_series(points: list[Point]) -> dict[str, list[Point]]:
    """label -> points of one algorithm and setting at several rank counts, the same samples at each of them."""
    return _series(points, lambda p: (series_key(p, ()), p.samples), ())


def weak_series(points: list[Point]) -> dict[str, list[Point]]:
    """label -> points of one algorithm and setting whose samples grow with the ranks: as many a rank at each of them. The batch
    of a step may grow along."""

    def key(p: Point) -> tuple[str, int, int]:
        return series_key(p, (*SAMPLE_KEYS, "batch_size")), work_a_rank(p), batch_a_rank(p)

    found = _series(points, key, (*SAMPLE_KEYS, "batch_size"), {"samples a rank": work_a_rank, "a step and rank": batch_a_rank})
    return {name: members for name, members in found.items() if len({p.samples for p in members}) > 1}


def work_a_rank(point: Point) -> int:
    return point.samples // point.ranks


def batch_a_rank(point: Point) -> int:
    return point.batch_a_rank


def _series(
    points: list[Point], key, besides: tuple[str, ...], same: dict[str, Callable[[Point], int]] | None = None
) -> dict[str, list[Point]]:
    """label -> points of equal key. A label tells the settings that set its series apart, but for `besides`, which vary within
    a series; and of `same`, which do not, what differs between series of one algorithm."""
    groups: dict[object, list[Point]] = defaultdict(list)
    for point in points:
        if point.algorithm != "serial":
            groups[key(point)].append(point)
    chosen = [sorted(g, key=lambda p: p.ranks) for g in groups.values() if len({p.ranks for p in g}) > 1]
    # What tells the series apart, not the points within one.
    keys = [k for k in varying([p for g in chosen for p in g]) if k not in ("ranks", *besides)]

    def name(first: Point) -> str:
        rivals = [g[0] for g in chosen if g[0].algorithm == first.algorithm]
        more = [f"{of(first)} {what}" for what, of in (same or {}).items() if len({of(p) for p in rivals}) > 1]
        return ", ".join([label(first, keys), *more])

    return {name(g[0]): g for g in chosen}
