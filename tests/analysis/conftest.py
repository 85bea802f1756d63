# SPDX-License-Identifier: BSD-3-Clause
"""One small sweep, made once for all these tests by the real program."""

import pytest

from made_runs import train


@pytest.fixture(scope="session")
def results(tmp_path_factory):
    """A folder with the sweeps `small` (strong scaling) and `weak`. Two ranks at most: CI has two cores."""
    folder = tmp_path_factory.mktemp("results")
    for seed in (1, 2):
        train(folder, "small", 1, seed, "--algorithm", "serial", "--synthetic-train", "1003")
        for ranks in (1, 2):
            for algorithm in ("parallel_sgd", "param_avg", "w_param_avg"):
                train(folder, "small", ranks, seed, "--algorithm", algorithm, "--synthetic-train", "1003", "--eval-ranks")
        for ranks in (1, 2):
            train(folder, "weak", ranks, seed, "--algorithm", "param_avg", "--synthetic-train", 600 * ranks)
    return folder


@pytest.fixture(scope="session")
def small(results):
    return results / "small"


@pytest.fixture(scope="session")
def serial_run(small):
    return sorted(small.glob("serial*.h5"))[0]


@pytest.fixture(scope="session")
def points(small):
    from lockstep_analysis.points import group_points
    from lockstep_analysis.runs import load_runs

    return group_points(load_runs([small])[0])
