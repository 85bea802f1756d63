#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""How well simulations with modelled computing predict real epochs on this machine: messages, noise and kernels are measured first,
then every case is simulated, then every case is run, and all are shown with their errors.

    bench/simulation.py [--kernels FILE.json] [--repeats 5] [--json FILE] [PATTERN ...]
"""

import argparse
import fnmatch
import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import h5py

from predictions import report

ROOT = Path(__file__).resolve().parents[1]
BIN = Path(os.environ.get("LOCKSTEP_BIN", ROOT / "build/bin"))
MODELS = {"model_a": [], "model_a_large": ["--train-samples", "20000"], "lenet5": ["--train-samples", "6000"]}
ALGORITHMS = {
    "serial": ["--algorithm", "serial"],
    "parallel_sgd": ["--algorithm", "parallel_sgd", "--exchange", "allreduce", "--allreduce", "shared_memory"],
    "parallel_sgd shared": ["--algorithm", "parallel_sgd", "--exchange", "shared"],
    "param_avg": ["--algorithm", "param_avg", "--allreduce", "shared_memory"],
    "w_param_avg": ["--algorithm", "w_param_avg", "--allreduce", "shared_memory"],
    "drift_avg": ["--algorithm", "drift_avg", "--allreduce", "shared_memory"],
    "post_local_sgd": ["--algorithm", "post_local_sgd", "--switch-epochs", "1", "--allreduce", "shared_memory"],
}
EPOCHS = 4  # of which the first is left out


def cases(patterns):
    for model, batch, ranks, algorithm in itertools.product(MODELS, (64, 512), (1, 2), ALGORITHMS):
        if (algorithm == "serial") != (ranks == 1):
            continue  # on one rank all are serial SGD
        name = f"{model}/{batch}/{ranks}/{algorithm}"
        if not patterns or any(fnmatch.fnmatch(name, pattern) for pattern in patterns):
            yield name, ranks, ["train", *ALGORITHMS[algorithm], "--model", model, *MODELS[model], "--batch-size", batch, "--epochs",
                                EPOCHS, "--dataset", "mnist", "--gemm", "tiled", "--learning-rate", "0.0005"]


def epochs_of(command, folder):
    """Seconds of each epoch but the first."""
    command = [*map(str, command), "--results", str(folder), "--run-id", "run", "--progress", "off"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        sys.exit(f"error: {' '.join(command)}\n{done.stderr}")
    path = folder / "runs" / "run.h5"
    with h5py.File(path) as file:
        seconds = file["epochs/epoch_s"][1:].tolist()
    path.unlink()
    return seconds


def measured_kernels(ranks, folder):
    """A table of so many ranks that compute at once: they share the last cache, the memory and the machine's heat."""
    path = folder / f"kernels_of_{ranks}.json"
    subprocess.run([ROOT / "jobs/local.sh", str(ranks), BIN / "kernel_table", path], cwd=ROOT, check=True)
    return path


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("patterns", nargs="*", metavar="PATTERN", help="of cases, e.g. 'model_a/*'")
    parser.add_argument("--kernels", help="a table of kernels; measured now by default")
    parser.add_argument("--repeats", type=int, default=5, help="real runs a case, in turns")
    parser.add_argument("--json", help="all figures as a file")
    given = parser.parse_args()
    chosen = list(cases(given.patterns))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        cluster = folder / "this_machine.json"
        subprocess.run([ROOT / "jobs/local.sh", "2", BIN / "calibrate", cluster], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
        kernels = {ranks: given.kernels or measured_kernels(ranks, folder) for ranks in sorted({ranks for _, ranks, _ in chosen})}
        rows = []
        for case, ranks, words in chosen:
            simulate = ["jobs/simulate.sh", ranks, "--cluster", cluster, "--kernels", kernels[ranks], *words]
            rows.append({"case": case, "predicted_s": statistics.median(epochs_of(simulate, folder)), "measured_s": []})
        for repeat in range(given.repeats):
            for row, (_, ranks, words) in zip(rows, chosen):
                row["measured_s"] += epochs_of(["jobs/local.sh", ranks, BIN / words[0], *words[1:]], folder)
            print(f"real runs: {repeat + 1} of {given.repeats}", file=sys.stderr)
    report(rows)
    if given.json:
        Path(given.json).write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
