#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Two builds of Lockstep, an older one and this one: do they train the same parameters, and as fast? Each case is run by both in
turns; parameters_sha256 must be equal, and epoch times are compared pair by pair. OLD is another checkout, built by `make`.

    bench/builds.py OLD [--new DIR] [--pairs 20] [--cases 'parameters/* time/lenet5/*'] [--json FILE]
"""

import argparse
import json
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import h5py

sys.path.insert(1, str(Path(__file__).resolve().parents[1] / "analysis"))
from lockstep_analysis.statistics import median_interval  # noqa: E402
from trainings import ROOT, RunFailed, chosen, launch  # noqa: E402


@dataclass(frozen=True)
class Case:
    name: str
    ranks: int
    options: str


# Allreduce and products are named: `auto` may choose differently in two runs. All options are those of version 0.1.0 too.
BOTH = "--gemm tiled --seed 5 --progress off --checkpoint-minutes 0"
# Short runs that differ in what sums and updates: run once by each build.
SHORT = "--dataset fashion_mnist --train-samples 3000 --test-samples 500 --epochs 2"
PARAMETERS = [
    (1, "serial"),
    (1, "serial --momentum 0.9 --nesterov"),
    (1, "serial --optimizer adam --learning-rate 0.0003"),
    (1, "serial --optimizer adamw --learning-rate 0.0003 --weight-decay 0.01"),
    (1, "serial --model lenet5"),
    (2, "parallel_sgd --exchange allreduce --allreduce ring"),
    (3, "parallel_sgd --exchange allreduce --allreduce recursive_doubling --optimizer adam --learning-rate 0.0003"),
    (4, "parallel_sgd --exchange allreduce --allreduce rabenseifner --optimizer adamw --learning-rate 0.0003"),
    (4, "parallel_sgd --exchange allreduce --allreduce hierarchical --model lenet5"),
    (2, "parallel_sgd --exchange allreduce --allreduce shared_memory --model lenet5"),
    (4, "parallel_sgd --overlap on --allreduce mpi"),
    (2, "parallel_sgd --exchange shared"),
    (5, "parallel_sgd --exchange shared --model lenet5"),
    (3, "param_avg --allreduce ring"),
    (4, "param_avg --allreduce rabenseifner --avg-steps 7 --momentum 0.9"),
    (5, "w_param_avg --allreduce recursive_doubling"),
    (2, "drift_avg --allreduce ring"),
]
# Epochs that are long enough to time, the first not counted: name, ranks, options.
TIMED = [
    ("model_a/64/serial", 1, "serial --batch-size 64 --epochs 4 --train-samples 20000"),
    ("model_a/512/serial", 1, "serial --batch-size 512 --learning-rate 0.00125 --epochs 5 --train-samples 20000"),
    ("model_a/64/parallel_sgd", 2, "parallel_sgd --batch-size 64 --epochs 5 --train-samples 20000"),
    ("model_a/512/parallel_sgd", 2, "parallel_sgd --batch-size 512 --learning-rate 0.00125 --epochs 6 --train-samples 20000"),
    ("model_a/64/param_avg", 2, "param_avg --allreduce shared_memory --batch-size 64 --epochs 6 --train-samples 20000"),
    ("model_a/512/param_avg", 2, "param_avg --allreduce shared_memory --batch-size 512 --learning-rate 0.00125 --epochs 6 "
                                 "--train-samples 20000"),
    ("model_a_large/64/serial", 1, "serial --model model_a_large --batch-size 64 --epochs 3 --train-samples 5000"),
    ("model_a_large/512/serial", 1, "serial --model model_a_large --batch-size 512 --learning-rate 0.00125 --epochs 3 "
                                    "--train-samples 10000"),
    ("lenet5/64/serial", 1, "serial --model lenet5 --batch-size 64 --epochs 4 --train-samples 6000"),
    ("lenet5/64/parallel_sgd", 2, "parallel_sgd --model lenet5 --batch-size 64 --epochs 4 --train-samples 6000"),
]
CASES = [*(Case(f"parameters/{ranks} {words}", ranks, f"{words} {SHORT}") for ranks, words in PARAMETERS),
         *(Case(f"time/{name}", ranks, f"{words} --test-samples 500") for name, ranks, words in TIMED)]


def train(root, case):
    """(the median epoch without the first in seconds, parameters_sha256) of a case, run by the build in `root`."""
    with tempfile.TemporaryDirectory(prefix="builds-") as folder:
        launch(case.ranks, [root / "build/bin/train", "--algorithm", *case.options.split(), *BOTH.split(), "--data-dir", ROOT / "data",
                            "--results", folder, "--run-id", "run"])
        with h5py.File(Path(folder) / "runs/run.h5") as run:
            losses = run["epochs/train_loss"][:]
            if not losses[-1] < losses[0]:
                raise RunFailed(f"{case.name}: {root} does not learn: losses {losses}")
            return median(run["epochs/epoch_s"][1:].tolist()), run["provenance/parameters_sha256"].asstr()[()]


def compare(case, old, new, pairs):
    """The times of both builds, taking turns in going first; raises RunFailed where their parameters differ."""
    times = {old: [], new: []}
    for pair in range(pairs):
        hashes = set()
        for root in (old, new) if pair % 2 == 0 else (new, old):
            epoch_s, sha256 = train(root, case)
            times[root].append(epoch_s)
            hashes.add(sha256)
        if len(hashes) != 1:
            raise RunFailed(f"{case.name}: the two builds train different parameters")
        if sys.stderr.isatty():
            print(f"\r{case.name}: {pair + 1} of {pairs}\033[K\r", end="", file=sys.stderr, flush=True)
    return times[old], times[new]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("old", type=Path, help="the other checkout")
    parser.add_argument("--cases", default="", help="patterns of the cases to run; all by default")
    parser.add_argument("--new", type=Path, default=ROOT, help="the checkout that is compared with it; this one by default")
    parser.add_argument("--pairs", type=int, default=20, help="runs of each build for each timed case; 6 are the fewest for an interval")
    parser.add_argument("--json", type=Path, help="all epoch times as a file")
    given = parser.parse_args()
    if given.pairs < 1:
        parser.error("--pairs is at least 1")
    for root in (given.old, given.new):
        if not (root / "build/bin/train").exists():
            parser.error(f"{root}/build/bin/train is not there: build that checkout by make")
    old, new = given.old.resolve(), given.new.resolve()
    if old == new:
        parser.error("the two builds are the same")
    rows = []
    try:
        for case in chosen(CASES, given.cases.split()):
            if case.name.startswith("parameters/"):
                compare(case, old, new, 1)
                print(f"{case.name}: equal parameters", flush=True)
                continue
            before, after = compare(case, old, new, given.pairs)
            ratio, low, high = median_interval([b / a for a, b in zip(before, after)])
            rows.append({"case": case.name, "old_s": before, "new_s": after})
            print(f"{case.name + ':':32} old {median(before):.4f} s, new {median(after):.4f} s; ratio of the medians "
                  f"{median(after) / median(before):.3f}, of the pairs {ratio:.3f} ({low:.3f} .. {high:.3f}), of the fastest "
                  f"{min(after) / min(before):.3f}; equal parameters", flush=True)
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except RunFailed as failure:
        print(f"error: {failure}", file=sys.stderr)
        return 1
    finally:
        if given.json:
            given.json.write_text(json.dumps(rows, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
