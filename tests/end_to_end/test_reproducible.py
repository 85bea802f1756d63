# SPDX-License-Identifier: BSD-3-Clause
"""--reproducible: the same bits on any number of ranks that divides 8, on every run."""

import h5py
import pytest

from conftest import SMALL

MNIST = ["--dataset", "fashion_mnist", "--train-samples", "3000", "--test-samples", "100", "--epochs", "2", "--reproducible"]


def sha256(path):
    with h5py.File(path) as file:
        return file["provenance/parameters_sha256"].asstr()[()]


@pytest.mark.parametrize("options", [
    ["--batch-size", "100"],
    pytest.param(["--batch-size", "64", "--optimizer", "adamw", "--learning-rate", "0.001"], marks=pytest.mark.slow),
    pytest.param(["--batch-size", "31", "--model", "lenet5", "--train-samples", "500"], marks=pytest.mark.slow)], ids=["sgd", "adamw", "lenet5"])
def test_serial_and_parallel_sgd_end_with_the_same_bits(lockstep, options):
    found = {ranks: sha256(lockstep.train("--algorithm", "serial" if ranks == 1 else "parallel_sgd", *MNIST, *options, ranks=ranks))
             for ranks in (1, 2, 4, 8)}
    assert len(set(found.values())) == 1, found


@pytest.mark.slow
@pytest.mark.parametrize("algorithm", ["param_avg", "w_param_avg", "drift_avg", "post_local_sgd"])
def test_the_others_end_with_the_same_bits_on_every_run(lockstep, algorithm):
    """Defaults of theirs go by the clock otherwise."""
    first, second = (lockstep.train("--algorithm", algorithm, *SMALL, "--reproducible", ranks=3) for _ in range(2))
    assert sha256(first) == sha256(second)
    with h5py.File(first) as file:
        assert '"allreduce":"rabenseifner"' in file["config"].asstr()[()].replace(" ", "")


@pytest.mark.parametrize("options, ranks, words", [
    (["--algorithm", "parallel_sgd"], 3, ["8 shards", "1, 2, 4 or 8 ranks", "3 ranks"]),
    (["--algorithm", "parallel_sgd", "--exchange", "zero1"], 2, ["--reproducible", "--exchange zero1"]),
    (["--algorithm", "parallel_sgd", "--allreduce", "mpi", "--overlap", "on"], 2, ["--reproducible", "--overlap on"]),
    (["--algorithm", "serial", "--model", "resnet8"], 1, ["batch_norm", "param_avg"])])
def test_what_cannot_be_reproducible_is_refused(lockstep, options, ranks, words):
    result = lockstep.run(*SMALL[:-2], "--reproducible", *options, "--results", lockstep.folder, ranks=ranks)
    assert result.status == 2, result.err
    for word in words:
        assert word in result.err, result.err
