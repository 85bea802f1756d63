#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Says what changed between two results of `make bench`, and whether it is significant: the differences and the Mann-Whitney U
test are those of Google Benchmark's own compare.py, on all repetitions.      bench/compare.py BASE.json NEW.json"""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

from summary import TO_SECONDS, layout, seconds

ALPHA = 0.05
DEBIAN = "/usr/share/benchmark/compare.py"
# What must be alike for a difference to be the code's.
CONTEXT = ("hostname", "cpu_model", "governor", "binding", "compiler", "compiler_flags", "build_config", "blas_library",
           "mpi_library", "ranks")


class CannotCompare(Exception):
    """The message says why, and what to do."""


def find_tool():
    """Google Benchmark's compare.py."""
    if importlib.util.find_spec("scipy") is None:
        raise CannotCompare("scipy is not here: apt install python3-scipy, or make deps DEPS=compare")
    named = os.environ.get("GBENCH_COMPARE")
    for path in [named] if named else [DEBIAN, shutil.which("compare.py")]:
        if path and Path(path).is_file():
            return path
    raise CannotCompare("compare.py of Google Benchmark is not here: apt install libbenchmark-tools, or make deps DEPS=compare; "
                        "or GBENCH_COMPARE=/path/to/compare.py")


def read(path):
    """A result with its repetitions alone: without aggregates, and without benchmarks that failed or were skipped."""
    try:
        result = json.loads(Path(path).read_text())
    except OSError as error:
        raise CannotCompare(f"{path}: {error.strerror}") from None
    except ValueError:
        raise CannotCompare(f"{path} is not JSON: was the benchmark interrupted?") from None
    if not isinstance(result, dict) or "benchmarks" not in result:
        raise CannotCompare(f"{path} is not a result of Google Benchmark (make bench writes them to results/bench/)")
    result["benchmarks"] = [row for row in result["benchmarks"]
                            if row.get("run_type") != "aggregate" and not row.get("error_occurred")]
    return result


def differences(tool, base, new):
    """The rows of compare.py's own report as JSON."""
    with tempfile.TemporaryDirectory(prefix="bench-compare-") as folder:
        files = [Path(folder) / name for name in ("base.json", "new.json", "report.json")]
        for file, result in zip(files, (base, new)):
            file.write_text(json.dumps(result))
        done = subprocess.run([sys.executable, tool, "--no-color", "-d", files[2], "benchmarks", *files[:2]],
                              capture_output=True, text=True)
        if done.returncode != 0 or not files[2].exists():
            raise CannotCompare(f"{tool} failed:\n{(done.stderr or done.stdout).strip()[-1000:]}")
        return [row for row in json.loads(files[2].read_text()) if row["run_type"] != "aggregate"]


def judge(row):
    """(cells of the table, verdict) of one benchmark."""
    base, new = (median(m[key] for m in row["measurements"]) for key in ("real_time", "real_time_other"))
    p = row["utest"].get("time_pvalue")
    if p is None:
        verdict = "not tested"
    elif p >= ALPHA:
        verdict = "no change seen"
    else:
        verdict = "faster" if new < base else "slower"
    unit = TO_SECONDS[row["time_unit"]]
    return [row["name"], seconds(base * unit), seconds(new * unit), f"{100 * (new / base - 1):+.1f}%",
            "-" if p is None else f"{p:.4f}", verdict], verdict


def report(base, new, rows):
    judged = [judge(row) for row in rows]
    lines = layout([["benchmark", "base", "new", "change", "p", "verdict"], *(cells for cells, _ in judged)])
    verdicts = [verdict for _, verdict in judged]
    counts = [f"{verdicts.count(v)} {v}" for v in ("faster", "slower", "no change seen", "not tested") if v in verdicts]
    lines += ["", f"{', '.join(counts)} (medians; U test at {ALPHA}: by chance alone one in {1 / ALPHA:.0f} would differ)"]
    fewest = min(len(row["measurements"]) for row in rows)
    if fewest < 9:
        lines.append(f"WARNING: only {fewest} repetition{'s' * (fewest > 1)}; the test wants 9 (make bench BENCH_REPETITIONS=9)")
    for key in CONTEXT:
        before, after = (result.get("context", {}).get(key) for result in (base, new))
        if before != after:
            lines.append(f"NOTE: {key} differs: {before} -> {after}")
    names = [{row["name"] for row in result["benchmarks"]} for result in (base, new)]
    for words, gone in (("only in the base", names[0] - names[1]), ("only in the new one", names[1] - names[0])):
        if gone:
            lines.append(f"NOTE: {words}: {', '.join(sorted(gone))}")
    return "\n".join(lines)


def main(arguments):
    if len(arguments) != 2 or not all(arguments):
        raise CannotCompare("say what to compare: make bench-compare BASE=a.json NEW=b.json (results/bench/*.json of make bench)")
    base, new = map(read, arguments)
    rows = differences(find_tool(), base, new)
    if not rows:
        raise CannotCompare("the two have no benchmark in common")
    print(report(base, new, rows))


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except CannotCompare as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
