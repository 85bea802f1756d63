# SPDX-License-Identifier: BSD-3-Clause
"""Two models of one training: SimGrid's messages, and the analysis' formulas of whole exchanges, from the trace of the first."""

import json
import subprocess

import pytest

from conftest import ROOT, SMALL
from lockstep_analysis.model.cluster import read_cluster
from lockstep_analysis.replay import replay
from lockstep_analysis.timeline import read_trace

RANKS = 8
ADD_S_PER_BYTE = 12 / 4 / 10e9  # of a core of core_of_100_gflops: to += from, 12 bytes a float at 10 GB/s
STEPS = ["--algorithm", "parallel_sgd", "--exchange", "allreduce", "--batch-size", "128"]


def traced(runs, tmp_path, *words, gamma=ADD_S_PER_BYTE, **cluster):
    path = runs.cluster(cores_per_node=1, **cluster)
    result = runs.simulate(RANKS, *SMALL, *words, "--trace", tmp_path / "trace.json", cluster=path,
                           options=["--kernels", "core_of_100_gflops", "--timing-only"])
    assert result.status == 0, result.err
    return replay(read_trace(tmp_path / "trace.json"), read_cluster(path), gamma)


@pytest.mark.parametrize("allreduce", ["ring", "recursive_doubling", "rabenseifner"])
@pytest.mark.parametrize("alpha_s, beta_s_per_byte", [(1e-3, 1e-12), (1e-7, 1e-9)])
def test_exchanges_take_what_their_formula_says(runs, tmp_path, allreduce, alpha_s, beta_s_per_byte):
    recorded, replayed = traced(runs, tmp_path, *STEPS, "--allreduce", allreduce, alpha_s=alpha_s, beta_s_per_byte=beta_s_per_byte)
    assert replayed.exchange == pytest.approx(recorded.exchange, rel=0.03)
    assert replayed.own == pytest.approx(recorded.own, rel=1e-6) and recorded.own > 0
    assert replayed.whole == pytest.approx(recorded.whole, rel=0.03)


def test_averages_are_replayed_but_for_the_pass_that_divides(runs, tmp_path):
    recorded, replayed = traced(runs, tmp_path, "--algorithm", "param_avg", "--avg-steps", 3, "--allreduce", "ring", alpha_s=1e-5,
                                beta_s_per_byte=1e-9)
    averages, parameters = 2, 218058
    divide_s = averages * parameters * 8 / 10e9
    assert replayed.exchange == pytest.approx(recorded.exchange - divide_s, rel=0.01)
    assert replayed.whole == pytest.approx(recorded.whole - divide_s, rel=0.01)


def test_all_wait_for_a_slow_node(runs, tmp_path):
    slow = {"nodes": {"3": {"speed": 0.5}}}  # it adds as slowly as it computes
    recorded, replayed = traced(runs, tmp_path, *STEPS, "--allreduce", "rabenseifner", alpha_s=1e-6, beta_s_per_byte=1e-10,
                                trouble=slow, gamma=2 * ADD_S_PER_BYTE)
    assert replayed.wait > 0.5 * replayed.own
    assert replayed.whole == pytest.approx(recorded.whole, rel=0.03)


def test_the_command_shows_both(runs, tmp_path):
    traced(runs, tmp_path, *STEPS, "--allreduce", "ring")
    words = [ROOT / "analysis/lockstep-analysis", "replay", tmp_path / "trace.json", "--cluster", runs.folder / "cluster.json"]
    done = subprocess.run(list(map(str, words)), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "parallel_sgd on 8 ranks, 16 exchanges (ring)" in done.stdout and "whole trace" in done.stdout


def test_what_cannot_be_replayed_is_refused(runs, tmp_path):
    path = tmp_path / "trace.json"
    result = runs.simulate(2, *SMALL, "--algorithm", "parallel_sgd", "--exchange", "shared", "--trace", path,
                           cluster=runs.cluster(cores_per_node=2))
    assert result.status == 0, result.err
    words = [ROOT / "analysis/lockstep-analysis", "replay", path, "--cluster", runs.folder / "cluster.json"]
    done = subprocess.run(list(map(str, words)), capture_output=True, text=True)
    assert done.returncode == 2 and "no formula" in done.stderr or "no exchange" in done.stderr, done.stderr
    path.write_text(json.dumps({}))
    done = subprocess.run(list(map(str, words)), capture_output=True, text=True)
    assert done.returncode == 2 and "is no trace" in done.stderr
