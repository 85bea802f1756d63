# SPDX-License-Identifier: BSD-3-Clause
"""Points: the repetitions of one configuration, with what is estimated from them; and problems: what may be compared."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Iterable

import numpy as np

from lockstep_analysis.errors import NotComparable
from lockstep_analysis.runs import PHASES, Run, as_text
from lockstep_analysis.statistics import Estimate, median_over_runs, resampled_medians, spread

ALGORITHM_ORDER = ("serial", "parallel_sgd", "param_avg", "w_param_avg", "drift_avg")  # others after them, by name
# Runs that differ in one of these answer different questions: what is learnt, from what, and what a batch means.
PROBLEM_KEYS = ("dataset", "model", "gradient")
SAMPLE_KEYS = ("train_samples", "synthetic_train")
# Short names for labels; any other key is written out.
SHORT = {
    "batch_size": "B",
    "avg_freq": "k",
    "avg_steps": "H",
    "lambda": "λ",
    "learning_rate": "rate",
    "synthetic_train": "samples",
    "train_samples": "samples",
}


@dataclass
class Point:
    """Runs that differ in nothing but their seed. Those that diverged stand apart: their times say nothing, but they never
    reached an accuracy, and are counted there. Where all did, `runs` holds them."""

    runs: list[Run]
    diverged: list[Run] = field(default_factory=list)

    @property
    def first(self) -> Run:
        return self.runs[0]

    @property
    def config(self) -> dict[str, Any]:
        return self.first.config

    @property
    def algorithm(self) -> str:
        return self.first.algorithm

    def can(self, capability: str) -> bool:
        """Whether the algorithm declares this, e.g. "divides_batches"."""
        return capability in self.first.capabilities

    @property
    def ranks(self) -> int:
        return self.first.ranks

    @property
    def batch(self) -> int:
        return int(self.config["batch_size"])

    @cached_property
    def key(self) -> str:
        return self.first.settings()

    @cached_property
    def problem(self) -> str:
        return problem_of(self.first)

    @cached_property
    def samples(self) -> int:
        """Samples of an epoch, all ranks."""
        return int(round(float(np.median(self.first.series["epochs/samples"]))))

    @cached_property
    def batch_a_rank(self) -> int:
        """Samples of a rank's step."""
        if self.can("divides_batches"):
            return min(self.batch, self.samples) // self.ranks
        return min(self.batch, self.samples // self.ranks)

    @cached_property
    def epoch_groups(self) -> list[np.ndarray]:
        """Seconds of each epoch, slowest rank: one array a run."""
        return [run.series["epochs/epoch_s"] for run in self.runs]

    @cached_property
    def resampled(self) -> np.ndarray:
        return resampled_medians(self.epoch_groups)

    @cached_property
    def epoch_s(self) -> Estimate:
        return median_over_runs(self.epoch_groups, self.resampled if len(self.runs) > 1 else None)

    @cached_property
    def accuracy(self) -> Estimate:
        """Final test accuracy over the runs."""
        return spread([run.final_accuracy for run in self.runs])

    def per_epoch(self, phase: str) -> np.ndarray:
        """Mean over the ranks of a phase, seconds an epoch: all epochs of all runs."""
        return np.concatenate([run.series[f"epochs/{phase}_s"].mean(axis=1) for run in self.runs])

    @cached_property
    def phases_s(self) -> dict[str, float]:
        """Phase -> mean seconds of an epoch and rank. Means, because only they add up to the whole (Hoefler & Belli, rule 3:
        the arithmetic mean is for costs)."""
        return {phase: float(self.per_epoch(phase).mean()) for phase in PHASES}

    @cached_property
    def straggler_share(self) -> float:
        """How much of an epoch the slowest rank's own work exceeds the mean rank's: (max - mean) / epoch, where own work is the
        training time less waiting. 0 = perfectly even."""
        shares = []
        for run in self.runs:
            busy = run.series["epochs/train_s"] - run.series["epochs/wait_s"]
            shares.append((busy.max(axis=1) - busy.mean(axis=1)) / run.series["epochs/epoch_s"])
        return float(np.median(np.concatenate(shares)))

    @cached_property
    def busy_s(self) -> float:
        """Median seconds of an epoch without exchange and waiting: what this code could do at best."""
        own = [run.series["epochs/train_s"] - run.series["epochs/wait_s"] - run.series["epochs/exchange_s"] for run in self.runs]
        return float(np.median(np.concatenate([o.mean(axis=1) for o in own])))


def problem_of(run: Run) -> str:
    """What is trained: data set, model, whether a step takes the mean of its batch or the sum; and where time is simulated, which
    no figure may mix with time that was measured, on which cluster."""
    parts = [as_text(run.config.get("dataset"))]
    model = run.config.get("model")
    parts.append(
        model if isinstance(model, str) else f"a described model ({run.provenance.get('parameter_count', '?')} parameters)"
    )
    parts.append(f"{run.config.get('gradient', 'mean')} gradient")
    if run.simulated:
        modelled = ", computing modelled" if "kernels" in run.simulation else ""
        parts.append(f"simulated on {run.simulated}{modelled}")
    return ", ".join(parts)


def sort_key(point: Point) -> tuple[Any, ...]:
    order = ALGORITHM_ORDER.index(point.algorithm) if point.algorithm in ALGORITHM_ORDER else len(ALGORITHM_ORDER)
    return point.batch, order, point.algorithm, variant_key(point), point.ranks


def group_points(runs: Iterable[Run]) -> list[Point]:
    """Points in the order of tables: by batch size, algorithm, options, ranks."""
    groups: dict[str, list[Run]] = defaultdict(list)
    for run in runs:
        groups[run.settings()].append(run)
    return sorted(map(make_point, groups.values()), key=sort_key)


def make_point(runs: list[Run]) -> Point:
    good = [r for r in runs if not r.diverged]
    return Point(good, [r for r in runs if r.diverged]) if good else Point(runs)


def by_problem(points: Iterable[Point]) -> dict[str, list[Point]]:
    groups: dict[str, list[Point]] = defaultdict(list)
    for point in points:
        groups[point.problem].append(point)
    return dict(sorted(groups.items()))


def one_problem(points: list[Point]) -> list[Point]:
    """The points, when they may share a figure; raises NotComparable."""
    problems = by_problem(points)
    if len(problems) > 1:
        names = "".join(f"\n    {name}: {len(members)} points" for name, members in problems.items())
        values = {key: {as_text(p.config.get(key)) for p in points} for key in PROBLEM_KEYS}
        values["simulated"] = {p.first.simulated or "no" for p in points}
        key = next(key for key, several in values.items() if len(several) > 1)
        example = sorted(values[key])[0]
        raise NotComparable(
            f"these runs solve {len(problems)} different problems and cannot share a figure:{names}",
            f"choose one of them, e.g. --where {key}={example}",
        )
    return points


def variant_key(point: Point) -> str:
    """All settings but ranks and what grows with them: points of equal key form one scaling series."""
    left = {k: v for k, v in json.loads(point.key).items() if k != "ranks"}
    return json.dumps(left, sort_keys=True)


def varying(points: Iterable[Point], besides: Iterable[str] = ("algorithm",)) -> list[str]:
    """Keys of the configuration in which the points of one algorithm differ, ranks included: what a label must tell."""
    keys: set[str] = set()
    groups: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for point in points:
        groups[point.algorithm].append(json.loads(point.key))
    for settings in groups.values():
        for key in {key for s in settings for key in s}:
            if len({json.dumps(s.get(key), sort_keys=True) for s in settings}) > 1:
                keys.add(key)
    return sorted(keys - set(besides))


def label(point: Point, keys: Iterable[str]) -> str:
    """algorithm, B=64, k=2, 4 ranks: the algorithm and what sets this point apart."""
    told = []
    for key in keys:
        if key == "ranks":
            continue
        value = point.config.get(key)
        if value is not None:
            told.append(f"{SHORT[key]}={as_text(value)}" if key in SHORT else f"{key} {as_text(value)}")
    ranks = [ranks_text(point.ranks)] if "ranks" in keys and point.algorithm != "serial" else []
    return ", ".join([point.algorithm, *told, *ranks])


def ranks_text(ranks: int) -> str:
    return counted(ranks, "rank")


def counted(n: int, word: str) -> str:
    return f"{n} {word}{'s' * (n != 1)}"


def find_experiment(run: Run) -> str:
    """The sweep that a run belongs to: as its configuration says, or else its folder."""
    return str(run.config.get("experiment") or run.path.parent.name)
