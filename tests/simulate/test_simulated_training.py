# SPDX-License-Identifier: BSD-3-Clause
"""A simulated run is a real training: the same parameters to the last bit, in the seconds of the cluster that its file describes."""

import itertools
import json
import os
import signal
import subprocess
import sys

import numpy as np
import pytest

from conftest import ROOT, SMALL

SAME = {
    "serial": (1, ["--algorithm", "serial"]),
    "ring": (2, ["--algorithm", "parallel_sgd", "--exchange", "allreduce", "--allreduce", "ring"]),
    "recursive doubling": (3, ["--algorithm", "parallel_sgd", "--exchange", "allreduce", "--allreduce", "recursive_doubling",
                               "--optimizer", "adam"]),
    "Rabenseifner": (4, ["--algorithm", "parallel_sgd", "--exchange", "allreduce", "--allreduce", "rabenseifner"]),
    "shared memory": (8, ["--algorithm", "parallel_sgd", "--exchange", "allreduce", "--allreduce", "shared_memory"]),
    "hierarchical": (4, ["--algorithm", "parallel_sgd", "--exchange", "allreduce", "--allreduce", "hierarchical"]),
    "node-sharded": (2, ["--algorithm", "parallel_sgd", "--exchange", "shared", "--allreduce", "shared_memory"]),
    "node-sharded LeNet-5": (3, ["--algorithm", "parallel_sgd", "--exchange", "shared", "--allreduce", "ring", "--model", "lenet5"]),
    "ZeRO 1": (4, ["--algorithm", "parallel_sgd", "--exchange", "zero1", "--optimizer", "adam"]),
    "bf16": (2, ["--algorithm", "parallel_sgd", "--exchange", "allreduce", "--allreduce", "ring", "--compress", "bf16"]),
    "reproducible": (4, ["--algorithm", "parallel_sgd", "--reproducible"]),
    "param_avg": (8, ["--algorithm", "param_avg", "--avg-steps", "7", "--allreduce", "shared_memory", "--momentum", "0.9"]),
    "w_param_avg": (3, ["--algorithm", "w_param_avg", "--lambda", "2", "--allreduce", "ring"]),
    "drift_avg": (2, ["--algorithm", "drift_avg", "--drift-threshold", "0.01", "--check-steps", "5", "--allreduce", "ring"]),
    "post_local_sgd": (3, ["--algorithm", "post_local_sgd", "--allreduce", "ring"]),
}


@pytest.mark.parametrize("name", SAME)
def test_parameters_are_those_of_a_real_run(runs, name):
    ranks, words = SAME[name]
    for result in (runs.simulate(ranks, *SMALL, *words), runs.really(ranks, *SMALL, *words)):
        assert result.status == 0, result.err
    assert runs.parameters("simulated") == runs.parameters("real")
    assert np.array_equal(runs.read("simulated", "epochs/test_accuracy"), runs.read("real", "epochs/test_accuracy"))


def test_nodes_hold_as_many_ranks_as_they_have_cores(runs):
    cluster = runs.cluster(cores_per_node=2)
    words = [*SMALL, "--algorithm", "param_avg", "--allreduce", "hierarchical"]
    assert runs.simulate(5, *words, cluster=cluster).status == 0
    assert [host.decode() for host in runs.read("simulated", "provenance/hosts")] == ["node-0", "node-0", "node-1", "node-1", "node-2"]
    assert runs.read("simulated", "provenance/nodes") == 3
    assert np.isfinite(runs.read("simulated", "epochs/train_loss")).all()


def test_an_allreduce_takes_the_time_of_the_clusters_latency_and_bandwidth(runs):
    """A ring of P ranks: 2 (P - 1) messages of n / P numbers, one after another (Patarasuk & Yuan, 2009)."""
    alpha, beta, ranks, parameters = 1e-3, 1e-6, 4, 784 * 16 + 16 + 16 * 10 + 10
    cluster = runs.cluster(alpha_s=alpha, beta_s_per_byte=beta)
    result = runs.simulate(ranks, *SMALL, "--model", "mlp:784-16-10", "--algorithm", "parallel_sgd", "--exchange", "allreduce",
                           "--allreduce", "ring", "--batch-size", "64", cluster=cluster)
    assert result.status == 0, result.err
    steps = -(-1003 // 64)
    expected = steps * 2 * (ranks - 1) * (alpha + 4 * parameters / ranks * beta)
    assert runs.read("simulated", "epochs/exchange_s") == pytest.approx(np.full((2, ranks), expected), rel=0.05)


def test_a_faster_core_takes_less_time(runs):
    words = [*SMALL, "--algorithm", "serial"]
    seconds = {1.0: [], 100.0: []}
    for attempt, speed in itertools.product(range(3), seconds):  # the fastest is the least disturbed
        run_id = f"speed{speed:.0f}-{attempt}"
        assert runs.simulate(1, *words, cluster=runs.cluster(core_speed=speed), run_id=run_id).status == 0
        seconds[speed] += runs.read(run_id, "epochs/train_s").flatten().tolist()
    assert min(seconds[1.0]) / min(seconds[100.0]) == pytest.approx(100, rel=0.5)


def test_the_run_file_says_what_was_simulated(runs):
    assert runs.simulate(2, *SMALL, "--algorithm", "param_avg", cluster=runs.cluster(source="a guess")).status == 0
    simulation = json.loads(runs.read("simulated", "provenance/simulation"))
    assert simulation["cluster"] == "cluster"
    assert simulation["description"]["source"] == "a guess" and simulation["description"]["alpha_s"] == 1e-5
    assert simulation["simulator"].startswith("SimGrid 3.") and simulation["computing"] == "measured"


def test_a_stopped_run_goes_on_to_the_same_parameters_but_not_on_another_cluster(runs):
    words = [*SMALL, "--algorithm", "param_avg", "--avg-steps", "7", "--allreduce", "ring", "--epochs", "300"]
    assert runs.simulate(4, *words, run_id="whole").status == 0
    process = subprocess.Popen([ROOT / "jobs/simulate.sh", "4", "train", *words, "--results", runs.folder, "--run-id", "stopped"],
                               cwd=ROOT, stdout=subprocess.PIPE, text=True)
    for line in process.stdout:
        if line.startswith("epoch"):
            process.send_signal(signal.SIGTERM)
            break
    process.stdout.read()
    assert process.wait(timeout=60) == 75

    other = runs.simulate(4, *words, "--resume", run_id="stopped", cluster="infiniband_hdr100")
    assert other.status == 2 and "simulation" in other.err
    real = runs.really(4, *words, "--resume", run_id="stopped")
    assert real.status == 2 and "simulation nothing" in real.err
    resumed = runs.simulate(4, *words, "--resume", run_id="stopped")
    assert resumed.status == 0, resumed.err
    assert runs.parameters("stopped") == runs.parameters("whole")


BAD = {
    "an unknown cluster": ([2, "--cluster", "infiniband_hdr10", "train"], ["infiniband_hdr10", "did you mean 'infiniband_hdr100'"]),
    "no program": ([2], ["program"]),
    "an unknown program": ([2, "trian"], ["did you mean 'train'"]),
    "no ranks": (["0", "train"], ["ranks", "at least 1"]),
    "too many ranks": ([5000, "--cluster", "infiniband_hdr100", "train"], ["at most 4096", "5000"]),
    "an option that the program lacks": ([2, "train", "--sgd"], ["--sgd"]),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_refused_with_one_error(name, tmp_path):
    words, said = BAD[name]
    done = subprocess.run([ROOT / "jobs/simulate.sh", *map(str, words)], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2, done.stderr
    assert done.stderr.count("error:") == 1
    for text in said:
        assert text in done.stderr


@pytest.mark.parametrize("content, said", [
    ('{"name": "x", "alpha_s": 1e-6}', ["beta_s_per_byte"]),
    ('{"name": "x", "alpha_s": 1e-6, "beta_s_per_byte": 0}', ["beta_s_per_byte", "at least 1e-15"]),
    ('{"name": "x", "alpha_s": 1e-6, "beta_s_per_byte": 1e-9, "cores": 4}', ["cores"]),
    ('{"name": "x", "alpha_s": "fast", "beta_s_per_byte": 1e-9}', ["alpha_s", "fast"]),
    ('[1]', ["no cluster"]),
    ('{"name": ', ["line 1"]),
])
def test_a_bad_cluster_file_is_refused_by_its_path_and_key(tmp_path, content, said):
    path = tmp_path / "mine.json"
    path.write_text(content)
    done = subprocess.run([ROOT / "jobs/simulate.sh", "2", "--cluster", path, "train"], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2 and done.stderr.count("error:") == 1, done.stderr
    for text in [str(path), *said]:
        assert text in done.stderr


def test_an_error_of_one_rank_ends_all_with_one_message(runs):
    result = runs.simulate(4, *SMALL, "--algorithm", "param_avg", "--init-from", "/nonexistent/model.h5")
    assert result.status == 2 and result.err.count("error:") == 1, result.err


def analyse(*words):
    return subprocess.run([sys.executable, "-m", "lockstep_analysis", *map(str, words)], capture_output=True, text=True, timeout=120,
                          env={**os.environ, "PYTHONPATH": str(ROOT / "analysis")}, cwd=ROOT)


def test_the_analysis_never_mixes_simulated_and_real_time(runs):
    words = [*SMALL, "--algorithm", "param_avg", "--allreduce", "ring"]
    assert runs.simulate(2, *words).status == 0 and runs.really(2, *words).status == 0
    folder = runs.folder / "runs"
    table = analyse("table", folder)
    assert table.returncode == 0, table.stderr
    assert "simulated on ethernet_10g" in table.stdout
    checked = analyse("check", folder, "--where", "simulated=ethernet_10g")
    assert "times are simulated, on ethernet_10g" in checked.stdout + checked.stderr
    assert "sanitizer build" not in checked.stdout and "more ranks than cores" not in checked.stdout
    figure = analyse("figure", "strong_scaling", folder, "--out", runs.folder)
    assert figure.returncode == 2 and "--where simulated=" in figure.stderr, figure.stderr + figure.stdout
    csv = analyse("table", folder, "--where", "simulated=ethernet_10g", "--format", "csv")
    assert csv.returncode == 0 and csv.stdout.count("param_avg") == 1, csv.stderr
    real = analyse("table", folder, "--where", "simulated=no", "--format", "csv")
    assert real.returncode == 0 and real.stdout.count("param_avg") == 1 and real.stdout != csv.stdout
