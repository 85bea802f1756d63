# SPDX-License-Identifier: BSD-3-Clause
"""Reading what `make bench` measured (docs/benchmarks.md): Google Benchmark's JSON, medians over the repetitions."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from lockstep_analysis.errors import AnalysisError
from lockstep_analysis.plain import read_json

SECONDS = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0}
Shape = tuple[str, int, int, int]  # NN, NT or TN; m, n, k


@dataclass
class Benchmarks:
    """What is known of a machine."""

    gemm_s: dict[str, dict[Shape, float]] = field(default_factory=dict)  # backend -> shape -> seconds
    allreduce_s: dict[str, dict[int, float]] = field(default_factory=dict)  # row -> bytes -> seconds
    allreduce_ranks: int = 0
    step_s: dict[tuple[str, str, int], float] = field(default_factory=dict)  # (model, backend, batch) -> a serial step, in epochs
    over_floor: dict[tuple[str, str, int], float] = field(default_factory=dict)  # the same over its products, timed beside it
    context: dict[str, Any] = field(default_factory=dict)
    files: list[Path] = field(default_factory=list)


def read_benchmarks(folder: Path) -> Benchmarks:
    """All results in a folder. Raises AnalysisError when there is nothing of use."""
    found = Benchmarks()
    for name, take in (("gemm_bench", take_gemm), ("allreduce_bench", take_allreduce), ("epoch_bench", take_epochs)):
        path = folder / f"{name}.json"
        if path.exists():
            context, rows = medians(path)
            found.files.append(path)
            found.context = found.context or context
            take(found, rows, context)
    if not found.gemm_s or not found.allreduce_s:
        missing = " and ".join(
            n for n, there in (("gemm_bench.json", found.gemm_s), ("allreduce_bench.json", found.allreduce_s)) if not there
        )
        raise AnalysisError(
            f"the model needs {missing} in {folder}",
            (
                "make bench BENCHES='gemm_bench allreduce_bench epoch_bench' "
                "measures this machine; --bench FOLDER names another folder"
            ),
        )
    return found


def medians(path: Path) -> tuple[dict[str, Any], dict[str, dict[str, float]]]:
    """(context, name -> {time_s, counters}) over the repetitions; failed ones left out."""
    try:
        result = read_json(path)
        rows = result["benchmarks"]
    except (AnalysisError, KeyError, TypeError):
        raise AnalysisError(f"{path} is no result of Google Benchmark", "make bench writes it") from None
    values: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        if row.get("run_type") == "aggregate" or row.get("error_occurred"):
            continue
        values[row["name"]]["time_s"].append(row["real_time"] * SECONDS[row["time_unit"]])
        for key in ("over_floor", "steps"):
            if key in row:
                values[row["name"]][key].append(row[key])
    return result.get("context", {}), {name: {k: float(np.median(v)) for k, v in row.items()} for name, row in values.items()}


def take_gemm(found: Benchmarks, rows: dict[str, dict[str, float]], _: dict[str, Any]) -> None:
    for name, row in rows.items():
        if match := re.match(r"gemm/(\w+)/([NT]{2})/(\d+)x(\d+)x(\d+)", name):
            backend, ops, *mnk = match.groups()
            m, n, k = map(int, mnk)
            found.gemm_s.setdefault(backend, {})[ops, m, n, k] = row["time_s"]


def take_allreduce(found: Benchmarks, rows: dict[str, dict[str, float]], context: dict[str, Any]) -> None:
    found.allreduce_ranks = int(context.get("ranks", 0))
    for name, row in rows.items():
        if match := re.match(r"allreduce/(\w+)/bytes:(\d+)", name):
            found.allreduce_s.setdefault(match[1], {})[int(match[2])] = row["time_s"]


def take_epochs(found: Benchmarks, rows: dict[str, dict[str, float]], _: dict[str, Any]) -> None:
    for name, row in rows.items():
        if (match := re.match(r"serial_epoch/([^/]+)/(\w+)/batch:(\d+)", name)) and "over_floor" in row:
            key = match[1], match[2], int(match[3])
            found.over_floor[key] = row["over_floor"]
            if "steps" in row:
                found.step_s[key] = row["time_s"] / row["steps"]
