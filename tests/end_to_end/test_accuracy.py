# SPDX-License-Identifier: BSD-3-Clause
"""Real training on real data: short runs that a wrong gradient, exchange or sample order would not survive."""

import numpy as np
import pytest

from conftest import series


@pytest.mark.parametrize("algorithm,ranks,floor", [
    pytest.param("serial", 1, 0.83, marks=pytest.mark.slow), ("parallel_sgd", 2, 0.83), ("param_avg", 2, 0.81),
    pytest.param("w_param_avg", 2, 0.81, marks=pytest.mark.slow), pytest.param("drift_avg", 2, 0.81, marks=pytest.mark.slow)])
def test_two_epochs_on_fashion_mnist(lockstep, datasets, algorithm, ranks, floor):
    path = lockstep.train("--algorithm", algorithm, "--dataset", "fashion_mnist", "--epochs", "2", ranks=ranks)
    assert series(path, "epochs/test_accuracy")[-1] > floor


@pytest.mark.slow
def test_parallel_sgd_on_four_ranks_is_serial_sgd(lockstep, datasets):
    serial = lockstep.train("--dataset", "fashion_mnist", "--epochs", "1")
    parallel = lockstep.train("--algorithm", "parallel_sgd", "--dataset", "fashion_mnist", "--epochs", "1", ranks=4)
    np.testing.assert_allclose(series(parallel, "epochs/train_loss"), series(serial, "epochs/train_loss"), rtol=2e-3)
    np.testing.assert_allclose(series(parallel, "epochs/test_accuracy"), series(serial, "epochs/test_accuracy"), atol=0.01)


def test_lenet5_learns_mnist_in_a_quarter_epoch(lockstep, datasets, record_property):
    dataset, floor = ("mnist", 0.94) if "mnist" in datasets else ("fashion_mnist", 0.75)
    if "mnist" not in datasets:
        record_property("instead", "Fashion-MNIST instead of MNIST, which is not in data/; `make data` says why")
    path = lockstep.train("--model", "lenet5", "--dataset", dataset, "--epochs", "1", "--train-samples", "15000")
    assert series(path, "epochs/test_accuracy")[-1] > floor
