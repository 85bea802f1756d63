#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Sums up results of benchmarks: one short table for each family, medians over the repetitions.
    bench/summary.py [FILE.json ...]        without files: all in results/bench"""

import json
import re
import sys
from collections import defaultdict
from pathlib import Path
from statistics import median

FOLDER = Path(__file__).resolve().parents[1] / "results/bench"
# What Google Benchmark appends to a name to tell how it was measured, not what.
HOW = re.compile(r"^(iterations|repeats|min_time|min_warmup_time|threads):.*$|^(manual_time|real_time|process_time)$")
TO_SECONDS = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0}
# The fields of a repetition that are not counters.
FIELDS = {"name", "family_index", "per_family_instance_index", "run_name", "run_type", "repetitions", "repetition_index",
          "threads", "iterations", "real_time", "cpu_time", "time_unit", "error_occurred", "error_message", "label"}


class NoResults(Exception):
    """There is nothing to sum up; the message says why."""


class Measured:
    """One benchmark: the repetitions' times in seconds, their counters, and what went wrong."""

    def __init__(self, name):
        self.parts = [part for part in name.split("/") if not HOW.match(part)]
        self.times_s, self.counters, self.error = [], defaultdict(list), None

    def add(self, row):
        if row.get("error_occurred"):
            self.error = row.get("error_message", "failed")
            return
        self.times_s.append(row["real_time"] * TO_SECONDS[row["time_unit"]])
        for key, value in row.items():
            if key not in FIELDS and isinstance(value, (int, float)):
                self.counters[key].append(value)

    @property
    def is_skipped(self):
        """A benchmark may say that it cannot be measured here: that is no failure."""
        return self.error is not None and self.error.startswith("skipped")

    @property
    def time_s(self):
        return median(self.times_s)

    @property
    def spread(self):
        """Half the distance between the slowest and the fastest repetition, over the median."""
        return (max(self.times_s) - min(self.times_s)) / 2 / self.time_s

    def counter(self, key):
        return median(self.counters[key]) if self.counters.get(key) else None


def read(path):
    """(context, [Measured]) of a result; raises NoResults."""
    try:
        result = json.loads(Path(path).read_text())
    except OSError as error:
        raise NoResults(f"{path}: {error.strerror}") from None
    except ValueError:
        raise NoResults(f"{path} is not JSON: was the benchmark interrupted?") from None
    if not isinstance(result, dict) or "benchmarks" not in result:
        raise NoResults(f"{path} is not a result of Google Benchmark")
    found = {}
    for row in result["benchmarks"]:
        if row.get("run_type") != "aggregate":
            name = row.get("run_name", row["name"])
            found.setdefault(name, Measured(name)).add(row)
    return result.get("context", {}), list(found.values())


def layout(rows):
    """Columns as wide as their widest cell; the first is aligned left, numbers right."""
    widths = [max(len(cells[i]) for cells in rows) for i in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) if i == 0 else cell.rjust(width)
                       for i, (cell, width) in enumerate(zip(cells, widths))).rstrip() for cells in rows]
    return [lines[0], "-" * len(lines[0]), *lines[1:]]


def number(value):
    return "-" if value is None else f"{value:.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def seconds(value):
    unit, scale = next((row for row in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)) if value >= row[1]), ("ns", 1e-9))
    return f"{value / scale:.3g} {unit}"


def pivot(benches, row_of, column_of, cell, corner):
    """A table with one line for each row and one column for each column, both in the order in which they come."""
    rows, columns = list(dict.fromkeys(map(row_of, benches))), list(dict.fromkeys(map(column_of, benches)))
    cells = {(row_of(bench), column_of(bench)): bench for bench in benches}
    lines = [[corner, *columns]]
    for row in rows:
        line = {column: cells.get((row, column)) for column in columns}
        lines.append([row, *("-" if bench is None or bench.error else cell(bench, line.values()) for bench in line.values())])
    return layout(lines)


def gemm_table(benches):
    """gemm/BACKEND/OPS/MxNxK with a rate FLOP/s."""
    def rate(bench):
        return bench.counter("FLOP/s") / 1e9

    def cell(bench, line):
        best = max(rate(other) for other in line if other is not None and not other.error)
        return f"{rate(bench):.1f} ({rate(bench) / best:.2f})"

    title = "GFLOP/s of the matrix products of a training step, op(A) op(B) and M x N x K; (share of the best backend)"
    return [title, *pivot(benches, lambda b: " ".join(b.parts[2:]), lambda b: b.parts[1], cell, "product")]


def epoch_table(benches):
    """serial_epoch/MODEL/BACKEND/batch:B with counters floor_s, over_floor, GFLOP/s."""
    rows = [["model, backend, batch", "epoch s", "spread", "floor s", "epoch / floor", "GFLOP/s"]]
    for b in benches:
        name = " ".join(part.split(":")[-1] for part in b.parts[1:])
        rows.append([name, "-", "-", "-", "-", "-"] if b.error else
                    [name, f"{b.time_s:.3f}", f"{100 * b.spread:.1f}%", f"{b.counter('floor_s'):.3f}",
                     f"{b.counter('over_floor'):.2f}", f"{b.counter('GFLOP/s'):.1f}"])
    return ["An epoch of training on one rank, and its floor: its matrix products alone", *layout(rows)]


def allreduce_table(benches):
    """allreduce/ROW/BYTES."""
    return ["Allreduce, time of the slowest rank by bytes of the array (times that of the library's own where it was measured)",
            *pivot(benches, lambda b: b.parts[2].split(":")[-1], lambda b: b.parts[1], lambda b, line: seconds(b.time_s) + (
                f" ({b.counter('over_mpi'):.2f})" if b.counter("over_mpi") else ""), "bytes")]


def plain_table(benches):
    """Any benchmark: its time, and its counters."""
    keys = list(dict.fromkeys(key for bench in benches for key in bench.counters))
    rows = [["benchmark", "time", "spread", *keys]]
    for b in benches:
        name = "/".join(b.parts[1:]) or b.parts[0]
        rows.append([name, *["-"] * (len(keys) + 2)] if b.error else
                    [name, seconds(b.time_s), f"{100 * b.spread:.1f}%", *(number(b.counter(key)) for key in keys)])
    return [benches[0].parts[0], *layout(rows)]


TABLES = {"gemm": gemm_table, "serial_epoch": epoch_table, "allreduce": allreduce_table}


def family_table(family, benches):
    try:
        return TABLES.get(family, plain_table)(benches)
    except (IndexError, TypeError):  # names or counters of another kind than the table is made for
        return plain_table(benches)


def headline(context, benches):
    git = context.get("git_sha", "unknown")[:12] + "+changes" * (context.get("git_dirty") == "true")
    repetitions = max((len(bench.times_s) for bench in benches), default=0)
    told = {key: context.get(key, "unknown") for key in ("cpu_model", "governor", "binding", "blas_library", "mpi_library")}
    ranks = context.get("ranks", "1")
    return (f"{context.get('hostname', context.get('host_name', '?'))}: {told['cpu_model']}, governor {told['governor']}, "
            f"{ranks} rank{'s' * (ranks != '1')}, rank 0 on CPUs {told['binding']}; commit {git}\n"
            f"{told['blas_library']}; {told['mpi_library']}; medians of {repetitions} repetition{'s' * (repetitions != 1)}")


def main(paths):
    failed = False
    paths = paths or sorted(path for path in FOLDER.glob("*.json") if path.name != "peers.json")
    if not paths:
        raise NoResults(f"no results in {FOLDER}: `make bench` measures")
    for path in paths:
        context, benches = read(path)
        print(f"\n{headline(context, benches)}")
        families = defaultdict(list)
        for bench in benches:
            families[bench.parts[0]].append(bench)
        for family, members in families.items():
            print("", *family_table(family, members), sep="\n")
        for bench in benches:
            if bench.error:
                print(f"{'' if bench.is_skipped else 'ERROR: '}{'/'.join(bench.parts)}: {bench.error}")
                failed = failed or not bench.is_skipped
    return 1 if failed else 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except NoResults as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
