# SPDX-License-Identifier: BSD-3-Clause
"""The performance model beside the measurement, and what it says of a larger machine. Whatever a model says is drawn as a line,
whatever was measured as a mark."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from lockstep_analysis.chart import Figure, Panel, Series
from lockstep_analysis.errors import AnalysisError
from lockstep_analysis.figures.common import NothingToShow, Options, color_of, columns, estimates, variants
from lockstep_analysis.figures.learning import default_target, evaluated, first_reaching
from lockstep_analysis.model.benchmarks import read_benchmarks
from lockstep_analysis.model.cluster import Cluster, read_cluster
from lockstep_analysis.model.epoch import EpochModel, is_predictable, rank_counts
from lockstep_analysis.points import Point, label, varying


def fitted(points: list[Point], options: Options) -> tuple[EpochModel, dict[str, list[Point]]]:
    if options.bench is None or not options.bench.exists():
        raise NothingToShow(
            "the performance model wants microbenchmarks of the same machine: make bench, then --bench results/bench"
        )
    known = [p for p in points if is_predictable(p)]
    try:
        model = EpochModel(read_benchmarks(options.bench))
        model.calibrate(points)
        keys = [k for k in varying(known) if k != "ranks"]
        groups: dict[str, list[Point]] = {}
        for p in known:
            model.predict(p, p.ranks)
            groups.setdefault(label(p, keys), []).append(p)
    except AnalysisError as error:
        raise NothingToShow(str(error)) from None
    if not groups:
        raise NothingToShow(" ".join(not_modelled(points)))
    return model, groups


def not_modelled(points: list[Point]) -> list[str]:
    """An algorithm of which the model knows nothing is left out of predictions, and that is said."""
    unknown = sorted({p.algorithm for p in points if not is_predictable(p)})
    if not unknown:
        return []
    return [f"Left out: {', '.join(unknown)}. The model knows what an exchange a step costs, and averages by a schedule, no more."]


def same_machine(model: EpochModel, points: list[Point]) -> list[str]:
    """A model of one machine says nothing of runs on another."""
    there = {p.first.provenance.get("cpu_model") for p in points}
    here = model.bench.context.get("cpu_model")
    return (
        []
        if here in there or here is None
        else [f"The benchmarks are of another CPU ({here}) than the runs: residuals mean little."]
    )


def model_beside_measurement(points: list[Point], options: Options) -> Figure:
    model, groups = fitted(points, options)
    names = variants((name, color_of(g[0], points)) for name, g in groups.items())
    time, residuals, rows = [], [], []
    for name, members in groups.items():
        members.sort(key=lambda p: p.ranks)
        color, ranks = color_of(members[0], points), [p.ranks for p in members]
        predicted = [model.predict(p, p.ranks) for p in members]
        time += [
            estimates(name, color, ranks, [p.epoch_s for p in members], variant=names[name]),
            Series(
                f"{name}: model",
                color,
                ranks,
                [q.epoch_s for q in predicted],
                style="guide" if len(members) > 1 else "ticks",
                variant=names[name],
                predicted=True,
                in_legend=False,
            ),
        ]
        residuals.append(
            Series(
                name,
                color,
                ranks,
                [p.epoch_s.value / q.epoch_s for p, q in zip(members, predicted)],
                [p.epoch_s.low / q.epoch_s for p, q in zip(members, predicted)],
                [p.epoch_s.high / q.epoch_s for p, q in zip(members, predicted)],
                variant=names[name],
            )
        )
        rows += [
            {
                "series": name,
                "ranks": p.ranks,
                **columns("measured s", p.epoch_s),
                "model s": q.epoch_s,
                "model compute s": q.compute_s,
                "model exchange s": q.exchange_s,
                "measured over model": p.epoch_s.value / q.epoch_s,
            }
            for p, q in zip(members, predicted)
        ]
    constants = "; ".join(
        f"{row}: α {1e6 * c.alpha:.2g} µs, β {1e9 * c.beta:.2g} ns/B, γ {1e9 * c.gamma:.2g} ns/B (±{100 * c.residual:.0f}%)"
        for row, c in model.rows.items()
        if row in ("ring", "rabenseifner", "recursive_doubling", "shared_memory")
    )
    return Figure(
        "model",
        "Why: the performance model beside the measurement",
        [
            Panel("Time of an epoch", "ranks", "seconds", time, "log2", "log"),
            Panel("Residual", "ranks", "measured over model", residuals, "log2", "linear", h_lines=[(1.0, "model")]),
        ],
        pd.DataFrame(rows),
        [
            (
                "Marks: measured, with 95% intervals; dashed: model, from microbenchmarks alone but for what a step costs over its"
                f" matrix products, which is taken from {model.overhead_from}."
            ),
            f"Fitted on {model.bench.allreduce_ranks} ranks: {constants}.",
            (
                "What is above the model is waiting for stragglers, contention for memory and cores, and what the model does not"
                " know."
            ),
            *not_modelled(points),
            *same_machine(model, points),
        ],
        bound="model",
    )


def network_words(cluster: Cluster) -> str:
    return (
        f"on nodes of {cluster.cores_per_node} cores with α {1e6 * cluster.alpha_s:g} µs and"
        f" β {1e9 * cluster.beta_s_per_byte:g} ns/B between them"
        + (f" ({cluster.source})." if cluster.source else ".")
        + (f" The model's network is flat: it leaves out the file's {', '.join(cluster.left_out)}." if cluster.left_out else "")
    )


def outlook(points: list[Point], options: Options) -> Figure:
    """Prediction alone: the same training on a described cluster."""
    model, groups = fitted(points, options)
    cluster = read_cluster(options.cluster)
    names = variants((name, color_of(g[0], points)) for name, g in groups.items())
    time: list[Series] = []
    speed: list[Series] = []
    rows: list[dict[str, Any]] = []
    serial = [p for p in points if p.algorithm == "serial"]
    for name, members in groups.items():
        point = members[0]
        if point.algorithm == "serial":
            continue
        useful = min(cluster.most_ranks, point.batch if point.can("divides_batches") else point.samples)
        counts = rank_counts(max(useful, 2))
        base_point = next((p for p in serial if p.batch == point.batch), point)
        base_s = model.predict(base_point, 1, cluster).epoch_s
        predicted = [model.predict(point, n, cluster) for n in counts]
        color = color_of(point, points)
        for panel, values in ((time, [q.epoch_s for q in predicted]), (speed, [base_s / q.epoch_s for q in predicted])):
            panel.append(Series(f"{name}: prediction", color, counts, values, style="guide", variant=names[name], predicted=True))
        rows += [
            {
                "series": name,
                "ranks": n,
                "nodes": -(-n // cluster.cores_per_node),
                "predicted s": q.epoch_s,
                "compute s": q.compute_s,
                "exchange s": q.exchange_s,
                "predicted speed-up": base_s / q.epoch_s,
            }
            for n, q in zip(counts, predicted)
        ]
    if not rows:
        raise NothingToShow(" ".join(["no algorithm on several ranks that the performance model knows.", *not_modelled(points)]))
    everywhere = sorted({int(r["ranks"]) for r in rows})
    ideal = Series("ideal", "bound", everywhere, np.array(everywhere, dtype=float), style="guide")
    return Figure(
        "outlook",
        f"Prediction, not measurement: {cluster.name}",
        [
            Panel("Predicted time of an epoch", "ranks", "seconds", time, "log2", "log"),
            Panel("Predicted speed-up", "ranks", "times the predicted serial epoch", [ideal, *speed], "log2", "log2"),
        ],
        pd.DataFrame(rows),
        [
            f"Nothing here was measured. The model of the machine that the runs were made on, {network_words(cluster)}",
            *not_modelled(points),
            (
                "Where ranks share each batch an allreduce is predicted, and there is no work for more ranks than the batch has"
                " samples: the line ends there. An epoch of parameter averaging is quicker on more ranks, but teaches less: see the accuracies."
            ),
        ],
        base="predicted serial epoch on one core of the cluster",
        is_relative=True,
        bound="ideal",
    )


def epochs_to(point: Point, target: float) -> float:
    """Median over the runs of the first epoch that reaches the accuracy; infinite where half of them or more never do."""
    firsts = [first_reaching(run, target) for run in (*point.runs, *point.diverged)]
    epochs = sorted(np.inf if first is None else first + 1.0 for first in firsts)
    return epochs[len(epochs) // 2]


def race_outlook(points: list[Point], options: Options) -> Figure:
    """Prediction: epochs to an accuracy as they were seen, times the model's epoch on a described cluster."""
    model, groups = fitted(points, options)
    cluster = read_cluster(options.cluster)
    shown = evaluated([p for members in groups.values() for p in members])
    target = options.target if options.target is not None else default_target(shown)
    names = variants((name, color_of(g[0], points)) for name, g in groups.items())
    series, rows = [], []
    for name, members in groups.items():
        point, times = members[0], {}
        if point.can("equals_serial"):  # on any number of ranks the same parameters: any run tells its epochs
            chosen = [(n, point) for n in rank_counts(min(cluster.most_ranks, point.batch), 2)]
        else:
            chosen = [(p.ranks, p) for p in sorted(members, key=lambda p: p.ranks) if p.ranks <= cluster.most_ranks]
        for ranks, p in chosen:
            epochs, epoch_s = epochs_to(p, target), model.predict(p, ranks, cluster).epoch_s
            if np.isfinite(epochs):
                times[ranks] = epochs * epoch_s
            rows.append(
                {
                    "series": name,
                    "ranks": ranks,
                    "runs": len(p.runs) + len(p.diverged),
                    "epochs seen": epochs if np.isfinite(epochs) else np.nan,
                    "predicted s an epoch": epoch_s,
                    "predicted s": times.get(ranks, np.nan),
                }
            )
        if times:
            # Between rank counts that were not run nothing is known of the epochs. Levels all look alike: they are numbered.
            is_line = point.can("equals_serial")
            number = "" if is_line else str(1 + sum(s.style == "ticks" for s in series))
            series.append(
                Series(
                    f"{number}{': ' if number else ''}{name}",
                    color_of(point, points),
                    list(times),
                    list(times.values()),
                    style="guide" if is_line else "ticks",
                    variant=names[name],
                    predicted=True,
                    end_label=number,
                )
            )
    if not series:
        raise NothingToShow(f"no run reaches {100 * target:g}%")
    quickest = min((r for r in rows if np.isfinite(r["predicted s"])), key=lambda r: r["predicted s"])
    return Figure(
        "race_outlook",
        f"Prediction, not measurement: time to {100 * target:g}% on {cluster.name}",
        [Panel(f"Predicted time to {100 * target:g}%", "ranks", "seconds", series, "log2", "log", wide=True)],
        pd.DataFrame(rows),
        [
            f"First: {quickest['series']} on {quickest['ranks']} ranks, {quickest['predicted s']:.2g} s.",
            (
                "Epochs until the accuracy: seen, median over the runs, on as many ranks (which may have shared cores);"
                " what equals serial SGD trains the same parameters on any number of ranks, so that its epochs hold for all. Without a value:"
                " half of the runs or more never got there."
            ),
            f"Time of an epoch: predicted, {network_words(cluster)}",
            *not_modelled(points),
        ],
    )
