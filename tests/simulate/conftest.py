# SPDX-License-Identifier: BSD-3-Clause
"""Runs programs on simulated clusters, and really on this machine, to compare the two."""

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import h5py
import pytest

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 300
SMALL = ["--dataset", "fashion_mnist", "--train-samples", "1003", "--test-samples", "200", "--epochs", "2", "--gemm", "tiled",
         "--seed", "5", "--checkpoint-minutes", "0"]


@dataclass
class Result:
    status: int
    out: str
    err: str


class Runs:
    """Programs with a results folder of their own."""

    def __init__(self, folder):
        self.folder = folder

    def cluster(self, **values):
        """The path of a cluster's file."""
        path = self.folder / "cluster.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"name": "test", "alpha_s": 1e-5, "beta_s_per_byte": 1e-9, **values}))
        return path

    def simulate(self, ranks, *words, cluster="ethernet_10g", run_id="simulated", options=()):
        return self._result("jobs/simulate.sh", ranks, "--cluster", cluster, *options, *self._program(words, run_id))

    def really(self, ranks, *words, run_id="real"):
        bin_folder = os.environ.get("LOCKSTEP_BIN", ROOT / "build/bin")
        program, *rest = self._program(words, run_id)
        return self._result("jobs/local.sh", ranks, f"{bin_folder}/{program}", *rest)

    def messages(self, ranks, *steps, **values):
        """What each of the steps took each rank (tests/simulate/messages.cpp), on a cluster with these values."""
        done = self._run("build/sim/bin/messages", self.cluster(**values), ranks, *steps)
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    def parameters(self, run_id):
        return self.read(run_id, "provenance/parameters_sha256").decode()

    def read(self, run_id, name):
        with h5py.File(self.folder / "runs" / f"{run_id}.h5") as file:
            return file[name][()]

    def _program(self, words, run_id):
        return ["train", *map(str, words), "--results", str(self.folder), "--run-id", run_id]

    def _result(self, *words):
        done = self._run(*words)
        return Result(done.returncode, done.stdout, done.stderr)

    def _run(self, program, *words):
        return subprocess.run([str(ROOT / program), *map(str, words)], cwd=ROOT, capture_output=True, text=True,
                              timeout=PATIENCE_S, stdin=subprocess.DEVNULL)


@pytest.fixture
def runs(tmp_path):
    return Runs(tmp_path / "results")
