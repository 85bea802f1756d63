# SPDX-License-Identifier: BSD-3-Clause
"""The twelve rules of Hoefler & Belli ("Scientific Benchmarking of Parallel Computing Systems", SC15) as a linter: over a
folder of runs, and over every figure that is drawn from it."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Any, Iterable

import numpy as np

from lockstep_analysis.chart import Figure, Table
from lockstep_analysis.comparison import step_ms
from lockstep_analysis.points import Point, counted, label, ranks_text, varying
from lockstep_analysis.runs import Run
from lockstep_analysis.speedup import find_base, weak_series

RULES = {
    1: "say whether the base of a speed-up is serial or one rank of the parallel code, and its absolute time",
    2: "say why only a part of a benchmark or of the machine was used",
    3: "arithmetic means only for costs, harmonic means for rates",
    4: "no summaries of ratios; summarise costs or rates instead",
    5: "say whether measurements are deterministic; else give confidence intervals",
    6: "assume no normal distribution without looking",
    7: "compare in a statistically sound way",
    8: "look whether a median tells what matters, or whether other percentiles do",
    9: "document all factors, the whole set-up, hardware and software",
    10: "say how parallel time was measured, synchronised and summarised",
    11: "show upper bounds where there are any",
    12: "show as much as needed; join points only where interpolation is valid",
}
ENOUGH_RUNS = 5  # below this a two-level bootstrap has too few runs to resample
WIDE = 0.05  # half the interval over the median
LONG = 3.0  # times the median step
LEVELS = ("error", "warning", "note")


@dataclass(frozen=True)
class Finding:
    rule: int
    level: str  # error: a figure misleads; warning: say it in the caption; note
    what: str
    hint: str = ""
    about: str = "time"  # what suffers: times alone, or all
    short: str = ""  # for captions

    def text(self) -> str:
        return f"{self.level}: rule {self.rule}: {self.what}" + (f" ({self.hint})" if self.hint else "")


def check_points(points: list[Point]) -> list[Finding]:
    """Findings about runs, the gravest first."""
    found: list[Finding] = []
    for rule in (
        missing_base,
        too_few_runs,
        wide_intervals,
        two_modes,
        long_steps,
        unfinished_provenance,
        mixed,
        binding,
        crowded,
        simulated,
        interrupted,
        subset,
        diverged,
        other_data,
        whole_batch,
    ):
        found += rule(points)
    return sorted(found, key=lambda f: (LEVELS.index(f.level), f.rule))


def named(points: Iterable[Point], all_points: list[Point], most: int = 2) -> str:
    keys = varying(all_points)
    names = [
        label(p, keys) + ("" if "ranks" in keys and p.algorithm != "serial" else f" on {ranks_text(p.ranks)}") for p in points
    ]
    return "; ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def missing_base(points: list[Point]) -> list[Finding]:
    weak = {p.key for members in weak_series(points).values() for p in members}  # those have a base of their own
    lost = [p for p in points if p.ranks > 1 and p.key not in weak and find_base(p, points) is None]
    if not lost:
        return []
    batches = ", ".join(sorted({str(p.batch) for p in lost}, key=int))
    return [
        Finding(
            1,
            "warning",
            f"no serial run to be the base of {named(lost, points)}",
            f"run --algorithm serial with batch size {batches}",
            short="no base for some points",
        )
    ]


def too_few_runs(points: list[Point]) -> list[Finding]:
    few = [p for p in points if len(p.runs) < ENOUGH_RUNS]
    if not few:
        return []
    least = min(len(p.runs) for p in few)
    return [
        Finding(
            5,
            "warning",
            f"{least} run{'s' * (least != 1)} a point for {named(few, points)}: intervals are rough",
            f"{ENOUGH_RUNS} seeds or more",
            "all",
            f"as few as {least} run{'s' * (least != 1)} a point",
        )
    ]


def wide_intervals(points: list[Point]) -> list[Finding]:
    wide = [p for p in points if p.epoch_s.half_width > WIDE]
    none = [p for p in points if np.isnan(p.epoch_s.half_width)]
    found = []
    if wide:
        worst = max(wide, key=lambda p: p.epoch_s.half_width)
        found.append(
            Finding(
                5,
                "warning",
                (
                    f"intervals of the epoch time wider than ±{100 * WIDE:.0f}%: {named(wide, points)}; the widest is "
                    f"±{100 * worst.epoch_s.half_width:.0f}%"
                ),
                "more seeds or epochs, a quieter machine",
                short=f"intervals as wide as ±{100 * worst.epoch_s.half_width:.0f}%",
            )
        )
    if none:
        found.append(
            Finding(
                5,
                "warning",
                f"fewer than 6 epochs and one run: no interval for {named(none, points)}",
                "more seeds or epochs",
                short="points without an interval",
            )
        )
    return found


def two_modes(points: list[Point]) -> list[Finding]:
    """Runs of one point that differ more from each other than epochs within a run do: a median of them hides two machines."""
    odd = []
    for p in points:
        if len(p.runs) > 1:
            medians = np.array([np.median(g) for g in p.epoch_groups])
            within = np.median([np.subtract(*np.percentile(g, [75, 25])) for g in p.epoch_groups])
            if np.ptp(medians) > max(3.0 * within, 0.1 * np.median(medians)):
                odd.append(p)
    return (
        [
            Finding(
                8,
                "warning",
                f"runs of one point differ by more than their epochs do: {named(odd, points)}",
                "look at the figure epoch_times: was something else running?",
                short="runs of one point differ more than their epochs",
            )
        ]
        if odd
        else []
    )


def long_steps(points: list[Point]) -> list[Finding]:
    """Points of which one step in a hundred takes several times the median: with ranks that wait for each other, it decides."""
    ratios = {}
    for i, p in enumerate(points):
        steps = step_ms(p)
        ratios[i] = steps["step p99 ms"] / steps["step p50 ms"]
    long = [points[i] for i, ratio in ratios.items() if ratio >= LONG]  # not if it is NaN
    if not long:
        return []
    worst = max(ratio for ratio in ratios.values() if ratio >= LONG)
    return [
        Finding(
            8,
            "note",
            f"one step in a hundred takes {LONG:g} times the median or more: {named(long, points)}; at most {worst:.1f} times",
            "`train --trace` shows which, and on which rank",
        )
    ]


def runs_of(points: Iterable[Point]) -> list[Run]:
    return [run for p in points for run in p.runs]


def unfinished_provenance(points: list[Point]) -> list[Finding]:
    runs = runs_of(points)
    found = []
    dirty = [r for r in runs if r.provenance.get("git_dirty")]
    if dirty:
        found.append(
            Finding(
                9,
                "warning",
                f"{len(dirty)} of {counted(len(runs), 'run')} built from a checkout with changes that are in no commit",
                "commit, then build",
                "all",
                "built from uncommitted changes",
            )
        )
    unknown = [key for key in ("governor", "boost") if any(r.provenance.get(key, "unknown") in ("unknown", "") for r in runs)]
    if unknown:
        names = {"governor": "the frequency governor", "boost": "whether the CPU boosts"}
        found.append(
            Finding(
                9, "note", f"{' and '.join(names[k] for k in unknown)} is not known", "a virtual machine, or no access to /sys"
            )
        )
    if any(r.provenance.get("boost") == "on" for r in runs):
        found.append(Finding(9, "note", "the CPU boosts: fewer busy cores run faster, so one rank is favoured over many"))
    if any(r.provenance.get("build_config", "release") not in ("release", "sim") for r in runs):
        found.append(
            Finding(
                9,
                "error",
                "runs of a debug or sanitizer build are among these",
                "make CONFIG=release",
                short="debug or sanitizer builds",
            )
        )
    return found


def mixed(points: list[Point]) -> list[Finding]:
    found = []
    asked = {
        "cpu_model": "CPU models",
        "git_sha": "commits",
        "compiler_flags": "compiler flags",
        "mpi_library": "MPI libraries",
        "blas_library": "BLAS libraries",
        "governor": "frequency governors",
        "kernel": "kernels",
        "dataset_sha256": "data",
    }
    runs = runs_of(points)
    for key, words in asked.items():
        per_problem: dict[str, set[Any]] = defaultdict(set)
        for p in points:
            if key == "dataset_sha256" and p.config.get("dataset") == "synthetic":
                continue  # a function of its size and seed
            per_problem[f"{p.problem} {p.samples}" if key == "dataset_sha256" else ""] |= {
                r.provenance[key] for r in p.runs if key in r.provenance
            }
        for values in per_problem.values():
            if len(values) > 1:
                shown = ", ".join(str(v)[:24] for v in sorted(values, key=str)[:3])
                found.append(
                    Finding(
                        9,
                        "error" if key in ("cpu_model", "dataset_sha256") else "warning",
                        f"{len(values)} different {words}: {shown}",
                        "compare runs of one set-up; --where and separate folders help",
                        "all" if key == "dataset_sha256" else "time",
                        f"{len(values)} different {words}",
                    )
                )
    one_host = {r.hosts[0] for r in runs if len(set(r.hosts)) == 1}
    if len(one_host) > 1:
        found.append(
            Finding(
                9,
                "warning",
                f"runs were made on {len(one_host)} different hosts: {', '.join(sorted(one_host)[:4])}",
                "make all points of a comparison on the same nodes, in turns",
                short=f"{len(one_host)} different hosts",
            )
        )
    return found


def binding(points: list[Point]) -> list[Finding]:
    runs = runs_of(points)
    wrong = [r for r in runs if r.provenance.get("binding_as_requested") in (0, False)]
    found = []
    if wrong:
        found.append(
            Finding(
                9,
                "error",
                f"{counted(len(wrong), 'run')} not bound as asked for, e.g. {wrong[0].run_id}",
                "check the launcher's binding options",
                short="runs not bound as asked for",
            )
        )
    shared = [r for r in runs if shares_cpus(r) and r not in wrong and not is_crowded(r)]
    if shared:
        found.append(
            Finding(
                9,
                "warning",
                f"ranks of {counted(len(shared), 'run')} not bound to cores of their own, e.g. {shared[0].run_id}",
                "--bind-to core",
                short="ranks without cores of their own",
            )
        )
    return found


def shares_cpus(run: Run) -> bool:
    bound = list(zip(run.hosts, run.provenance.get("bindings", [])))
    return not run.simulated and run.ranks > 1 and len(set(bound)) < len(bound)


def is_crowded(run: Run) -> bool:
    per_host = max(run.hosts.count(h) for h in set(run.hosts))
    return not run.simulated and per_host > int(run.provenance.get("online_cpus", per_host))


def crowded(points: list[Point]) -> list[Finding]:
    many = [p for p in points if any(is_crowded(r) for r in p.runs)]
    if not many:
        return []
    return [
        Finding(
            2,
            "error",
            f"more ranks than cores: {named(many, points)}: their times say nothing about scaling",
            "leave them out: --where ranks=1,2",
            short="more ranks than cores for some points",
        )
    ]


def simulated(points: list[Point]) -> list[Finding]:
    clusters = sorted({(r.simulated, r.computing) for r in runs_of(points) if r.simulated})
    return [
        Finding(
            10,
            "warning",
            f"times are simulated, on {cluster}: computing was {computing}, the network is the cluster file's",
            "docs/simulation.md says what that means, and when not to believe it",
            short=f"times simulated on {cluster}",
        )
        for cluster, computing in clusters
    ]


def interrupted(points: list[Point]) -> list[Finding]:
    again = [r for r in runs_of(points) if len(r.segments.get("started", [])) > 1]
    if not again:
        return []
    lost = sum(r.lost_s for r in again)
    return [
        Finding(
            10,
            "note",
            f"{counted(len(again), 'run')} interrupted and resumed ({lost:.0f} s of work lost, which no clock here counts)",
            "their epochs were measured at different times",
        )
    ]


def diverged(points: list[Point]) -> list[Finding]:
    gone = [p for p in points if p.diverged or any(r.diverged for r in p.runs)]
    if not gone:
        return []
    count = sum(r.diverged for p in gone for r in (*p.runs, *p.diverged))
    return [
        Finding(
            2,
            "warning",
            (
                f"{counted(count, 'run')} diverged: {named(gone, points)}; they count as never reaching an accuracy, and their"
                " times are left out"
            ),
            "a smaller learning rate",
            "all",
            f"{counted(count, 'run')} diverged",
        )
    ]


def subset(points: list[Point]) -> list[Finding]:
    part = [p for p in points if int(p.config.get("train_samples", 0)) > 0]
    if not part:
        return []
    return [Finding(2, "note", f"only a part of the training samples was used: {named(part, points)}", "say why")]


def other_data(points: list[Point]) -> list[Finding]:
    """Data files that are not what their name says."""
    notes = sorted({note for r in runs_of(points) if (note := r.provenance.get("dataset_note"))})
    hint = "get the published files, or name yours: --dataset idx:FOLDER"
    return [Finding(9, "error", note, hint, "all", note) for note in notes]


def whole_batch(points: list[Point]) -> list[Finding]:
    cut = [p for p in points if any("largest_batch" in r.provenance for r in p.runs)]
    if not cut:
        return []
    most = max(r.provenance["largest_batch"] for p in cut for r in p.runs if "largest_batch" in r.provenance)
    return [
        Finding(
            9,
            "warning",
            f"batch_size is more than the samples of an epoch: {named(cut, points)}: their batches have at most {most}",
            "a smaller batch_size",
            "all",
            f"batches have at most {most} samples",
        )
    ]


def check_figure(figure: Figure | Table, about_runs: list[Finding]) -> list[Finding]:
    """Findings about a figure: what its own numbers break, and of the runs' findings those that a reader of it must know."""
    found: list[Finding] = []
    if figure.is_relative and not figure.base:
        found.append(Finding(1, "error", f"{figure.name}: speed-ups without a base"))
    if isinstance(figure, Figure):
        found += check_drawing(figure)
    return found + [f for f in about_runs if f.level != "note" and (f.about == "all" or figure.about == "time")]


def check_drawing(figure: Figure) -> list[Finding]:
    found: list[Finding] = []
    for panel in figure.panels:
        over_ranks = panel.x_label == "ranks"
        for s in panel.series:
            if s.style == "line" and over_ranks:
                found.append(
                    Finding(
                        12, "error", f"{figure.name}, {panel.title}: '{s.label}' joins rank counts between which there is nothing"
                    )
                )
            if s.style == "points" and s.low is None and "time" in panel.title.lower():
                found.append(Finding(5, "error", f"{figure.name}, {panel.title}: '{s.label}' has no interval"))
        if over_ranks and panel.title == "Efficiency" and panel.y_scale != "log":
            found.append(Finding(12, "error", f"{figure.name}: efficiencies belong on a logarithmic axis"))
    if figure.is_relative and not figure.bound:
        found.append(Finding(11, "warning", f"{figure.name}: no upper bound is drawn"))
    if not figure.says:
        found.append(Finding(10, "error", f"{figure.name}: the caption does not say how it was summarised"))
    return found


def caption_words(findings: Iterable[Finding]) -> list[str]:
    """What a caption says of them: one phrase each."""
    return list(dict.fromkeys(f"{f.short or f.what} (rule {f.rule})" for f in findings))
