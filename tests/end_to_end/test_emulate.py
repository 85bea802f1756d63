# SPDX-License-Identifier: BSD-3-Clause
"""Training whose computing is replaced by waiting: real messages, times of a table, and nothing learned."""

import json
import subprocess

import h5py
import numpy as np
import pytest

from conftest import ROOT, SMALL, series

RATE = 0.1  # GFLOP/s, so low that an epoch takes half a second


@pytest.fixture
def kernels(tmp_path):
    path = tmp_path / "slow_core.json"
    path.write_text(json.dumps({"processor": "none", "gflops": RATE, "gbytes_per_s": 1e6, "kernels": {}}))
    return path


def emulate(lockstep, kernels, ranks, *words):
    before = set(lockstep.files())
    result = lockstep.run("--kernels", kernels, "train", *SMALL, "--batch-size", 256, *words, "--results", lockstep.folder, ranks=ranks,
                          program="emulate")
    assert result.status == 0 and result.err.count("kernels are not in the table") == 1, result.err
    [path] = set(lockstep.files()) - before
    return path


@pytest.mark.parametrize("ranks", [1, 2, 3])
def test_computing_takes_the_time_of_the_table(lockstep, kernels, ranks):
    path = emulate(lockstep, kernels, ranks, "--algorithm", "parallel_sgd", "--exchange", "allreduce", "--allreduce", "ring")
    compute_s = series(path, "epochs/compute_s").sum()
    # Forward and backward, two operations a weight each, and no gradient of the input.
    flop = 1003 * (2 * (784 * 16 + 16 * 10) * 2 + 2 * 16 * 10)
    assert compute_s == pytest.approx(2 * flop / (1e9 * RATE), rel=0.1)
    assert np.isnan(series(path, "epochs/train_loss")).all() and series(path, "exchange/sent_bytes").sum() > 0 or ranks == 1


def test_the_run_file_and_the_analysis_say_so(lockstep, kernels):
    path = emulate(lockstep, kernels, 2, "--algorithm", "param_avg")
    with h5py.File(path) as file:
        assert "parameters_sha256" not in file["provenance"]
        simulation = json.loads(file["provenance/simulation"].asstr()[()])
    assert simulation["computing"] == "emulated" and simulation["kernels"]["gflops"] == RATE
    lockstep.train(*SMALL, "--batch-size", 256, "--algorithm", "param_avg", ranks=2)
    done = subprocess.run([ROOT / "analysis/lockstep-analysis", "table", lockstep.folder], capture_output=True, text=True)
    assert "computing emulated" in done.stdout, done.stdout + done.stderr


@pytest.mark.parametrize("words, said", [
    (["--kernels", "nowhere", "train"], "unknown kernel table 'nowhere'"),
    (["--kernels", "core_of_100_gflops"], "no program to run"),
    (["--kernels", "core_of_100_gflops", "trian"], "did you mean 'train'"),
    (["--kernels", "core_of_100_gflops", "train", "--algorithm", "drift_avg"], "where nothing is computed"),
    (["train"], "--kernels is required"),
])
def test_bad_input_is_one_error(lockstep, words, said):
    result = lockstep.run(*words, ranks=2, program="emulate")
    assert result.status == 2 and result.err.count("error:") == 1 and said in result.err, result.err


def test_a_kernel_that_the_table_lacks_is_named(lockstep, tmp_path):
    path = tmp_path / "empty.json"
    path.write_text('{"kernels": {}}')
    result = lockstep.run("--kernels", path, "train", *SMALL, "--algorithm", "param_avg", "--results", lockstep.folder, ranks=2, program="emulate")
    assert result.status == 2 and result.err.count("error:") == 1 and "no times of" in result.err, result.err
