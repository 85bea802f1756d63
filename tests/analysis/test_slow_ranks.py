# SPDX-License-Identifier: BSD-3-Clause
"""The rank that the others wait for: by the same rule as the closing lines of a run."""

import pytest
from made_runs import changing, copy

from lockstep_analysis.runs import read_run
from lockstep_analysis.slow_ranks import longest_steps, sentences, slow_rank


@pytest.fixture
def run_that_waits(small, tmp_path):
    """A run of two ranks, 10 s of training in each of its 7 epochs, that waited so long in each."""
    source = sorted(path for path in small.glob("*.h5") if read_run(path).ranks == 2)[0]

    def make(*wait_s, name="run"):
        path = copy(source, tmp_path / f"{name}.h5", run_id=name)
        with changing(path) as file:
            file["epochs/train_s"][...] = 10.0
            file["epochs/wait_s"][...] = wait_s
            del file["provenance/hosts"]
            file["provenance/hosts"] = ["n01", "n02"]
        return read_run(path)

    return make


def test_the_rank_that_waits_least_is_named_with_its_host(run_that_waits):
    slow = slow_rank(run_that_waits(2.5, 0.5))
    assert (slow.rank, slow.host, slow.wait_s, slow.wait_share) == (1, "n02", pytest.approx(17.5), pytest.approx(0.25))


@pytest.mark.parametrize("wait_s", [(0.4, 0.0), (2.0, 1.5), (0.0, 0.0)])
def test_none_is_named_where_all_wait_alike_or_little(run_that_waits, wait_s):
    assert slow_rank(run_that_waits(*wait_s)) is None


def test_the_host_that_cost_most_comes_first(run_that_waits):
    runs = [run_that_waits(0.1, 1.0, name="a"), run_that_waits(2.5, 0.5, name="b"), run_that_waits(3.0, 0.5, name="c")]
    first, second = sentences(runs)
    assert first.startswith("n02: in 2 of its 3 runs the other ranks waited for rank 1 there, at most 30%") and "in c)" in first
    assert second.startswith("n01: in 1 of its 3 runs")


def test_the_longest_step_is_named_with_its_epoch_rank_and_host(run_that_waits, serial_run, tmp_path):
    run = run_that_waits(1.0, 1.0)
    with changing(run.path) as file:
        file["epochs/step_p50_s"][...] = 0.001
        file["epochs/step_largest_s"][...] = [0.002] * 3 + [0.02] + [0.003] * 3
        file["epochs/step_largest_rank"][...] = [0, 0, 0, 1, 0, 0, 0]
    old = copy(serial_run, tmp_path / "old.h5")
    with changing(old) as file:
        for name in ("p50_s", "p95_s", "p99_s", "largest_s", "largest_rank"):
            del file[f"epochs/step_{name}"]
    assert longest_steps([read_run(old), read_run(run.path)]) == [
        "run: 20 ms on rank 1 (n02) in epoch 4, 20.0 times the median of that epoch's steps."
    ]
