# SPDX-License-Identifier: BSD-3-Clause
"""Computing modelled by a table of kernels: the same seconds on any machine however busy it is, with the arithmetic or without it."""

import json
import os
import subprocess

import h5py
import numpy as np
import pytest

from conftest import PATIENCE_S, ROOT, SMALL

MODEL = ["--model", "mlp:784-16-10", "--batch-size", "64"]
# All that a year's calendar or this machine's load is in.
OF_THE_DAY = {"started", "finished", "memory", "peak", "bytes", "command", "job", "checksum", "environment", "file"}
METHODS = {
    "serial": (1, ["--algorithm", "serial", "--optimizer", "adam"]),
    "parallel_sgd": (4, ["--algorithm", "parallel_sgd", "--exchange", "allreduce", "--allreduce", "rabenseifner", "--momentum", "0.9"]),
    "node-sharded": (2, ["--algorithm", "parallel_sgd", "--exchange", "shared"]),
    "bf16": (3, ["--algorithm", "parallel_sgd", "--exchange", "allreduce", "--allreduce", "ring", "--compress", "bf16"]),
    "param_avg": (4, ["--algorithm", "param_avg", "--avg-steps", "3", "--allreduce", "hierarchical"]),
    "w_param_avg": (3, ["--algorithm", "w_param_avg", "--allreduce", "ring"]),
}


@pytest.fixture(scope="session")
def kernels(tmp_path_factory):
    """A table of kernels, measured here."""
    path = tmp_path_factory.mktemp("kernels") / "here.json"
    bin_folder = os.environ.get("LOCKSTEP_BIN", ROOT / "build/bin")
    done = subprocess.run([ROOT / "jobs/local.sh", "2", f"{bin_folder}/kernel_table", path, "--models", "mlp:784-16-10", "--dataset",
                           "fashion_mnist", "--largest-batch", "64", "--seconds", "0"], cwd=ROOT, capture_output=True, text=True,
                          timeout=PATIENCE_S, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stderr
    assert "kernels ->" in done.stdout
    return path


def table(path, **content):
    path.write_text(json.dumps({"kernels": {}, **content}))
    return path


def everything(path):
    """All that a run file holds, but for what differs between two runs of the same."""
    held = {}

    def visit(name, node):
        held.update({f"{name}@{key}": str(value) for key, value in node.attrs.items()})
        if isinstance(node, h5py.Dataset):
            held[name] = np.asarray(node[()]).tolist()

    with h5py.File(path) as file:
        file.visititems(visit)
    return {name: value for name, value in held.items() if not any(word in name for word in OF_THE_DAY)}


@pytest.mark.parametrize("name", METHODS)
def test_a_run_is_the_same_again_to_the_last_bit_of_its_times(runs, kernels, name):
    ranks, words = METHODS[name]
    words = [*SMALL, *MODEL, *words]
    busy = None
    for run_id in ("alone", "noisy"):
        assert runs.simulate(ranks, *words, run_id=run_id, options=["--kernels", kernels]).status == 0
        if run_id == "alone":
            busy = subprocess.Popen(["sh", "-c", "while :; do :; done"])
    busy.kill()
    busy.wait()
    files = [everything(runs.folder / "runs" / f"{run_id}.h5") for run_id in ("alone", "noisy")]
    different = {key for key in files[0] | files[1] if str(files[0].get(key)) != str(files[1].get(key))}
    assert {key for key in different if "run_id" not in key} == set()
    assert runs.read("alone", "epochs/compute_s").min() > 0
    assert runs.really(ranks, *words).status == 0
    assert runs.parameters("alone") == runs.parameters("real")


@pytest.mark.parametrize("name", METHODS)
def test_leaving_the_arithmetic_out_takes_the_same_simulated_time(runs, kernels, name):
    ranks, words = METHODS[name]
    for run_id, options in (("whole", []), ("times", ["--timing-only"])):
        result = runs.simulate(ranks, *SMALL, *MODEL, *words, run_id=run_id, options=["--kernels", kernels, *options])
        assert result.status == 0, result.err
    for phase in ("data", "compute", "exchange", "wait", "update", "evaluate", "wall_clock"):
        assert np.array_equal(runs.read("times", f"epochs/{phase}_s"), runs.read("whole", f"epochs/{phase}_s")), phase
    assert np.isnan(runs.read("times", "epochs/train_loss")).all() and np.isnan(runs.read("times", "epochs/test_accuracy")).all()
    with h5py.File(runs.folder / "runs/times.h5") as file:
        assert "parameters_sha256" not in file["provenance"]


def test_computing_takes_the_operations_and_bytes_that_layers_declare(runs, tmp_path):
    """A core of 1 GFLOP/s with endless bandwidth, serial SGD: two linear layers are products of 2 m n k operations each way."""
    slow = table(tmp_path / "slow.json", gflops=1.0, gbytes_per_s=1e9)
    result = runs.simulate(1, *SMALL, *MODEL, "--algorithm", "serial", options=["--kernels", slow])
    assert result.status == 0 and "kernels are not in the table" in result.err, result.err
    samples, products = 1003, 2 * (784 * 16 + 16 * 10)
    flop = samples * (2 * products + 2 * 16 * 10)  # forward and gradient of both layers, and backward of the second
    assert runs.read("simulated", "epochs/compute_s")[:, 0] == pytest.approx([flop / 1e9] * 2, rel=0.01)


def test_a_faster_core_takes_less_time(runs, kernels):
    for speed in (1, 2):
        assert runs.simulate(1, *SMALL, *MODEL, "--algorithm", "serial", cluster=runs.cluster(core_speed=speed), run_id=f"speed{speed}",
                             options=["--kernels", kernels]).status == 0
    assert runs.read("speed1", "epochs/train_s") == pytest.approx(2 * runs.read("speed2", "epochs/train_s"), rel=0.01)


def test_the_run_file_says_which_table_it_was(runs, kernels):
    assert runs.simulate(1, *SMALL, *MODEL, "--algorithm", "serial", options=["--kernels", kernels, "--timing-only"]).status == 0
    simulation = json.loads(runs.read("simulated", "provenance/simulation"))
    assert simulation["computing"] == "modelled" and simulation["arithmetic"] == "left out"
    about = json.loads(kernels.read_text())
    assert simulation["kernels"]["name"] == "here" and len(simulation["kernels"]["sha256"]) == 64
    assert simulation["kernels"]["processor"] == about["processor"] and simulation["kernels"]["ranks"] == 2


def test_an_overlapped_exchange_hides_behind_the_backward_pass(runs, tmp_path):
    """Several buckets, on a network that takes about as long as the backward pass."""
    core = table(tmp_path / "core.json", gflops=1.0, gbytes_per_s=1e9)
    cluster = runs.cluster(alpha_s=1e-6, beta_s_per_byte=1e-8)
    words = [*SMALL, "--model", "mlp:784-64-10", "--batch-size", "64", "--algorithm", "parallel_sgd", "--exchange", "allreduce",
             "--allreduce", "mpi", "--bucket-floats", "8192", "--learning-rate", "0.001"]
    for run_id, ways, options in (("off", ["--overlap", "off"], []), ("on", ["--overlap", "on"], []), ("again", ["--overlap", "on"], []),
                                  ("times", ["--overlap", "on"], ["--timing-only"])):
        result = runs.simulate(4, *words, *ways, cluster=cluster, run_id=run_id, options=["--kernels", core, *options])
        assert result.status == 0, result.err
    train = {run_id: runs.read(run_id, "epochs/train_s") for run_id in ("off", "on", "again", "times")}
    waits = runs.read("off", "epochs/exchange_s") + runs.read("off", "epochs/wait_s")
    assert (train["on"] < train["off"] - 0.15 * waits).all() and (train["on"] > runs.read("off", "epochs/compute_s")).all()
    assert np.array_equal(train["on"], train["again"]) and np.array_equal(train["on"], train["times"])
    assert runs.parameters("on") == runs.parameters("again")
    assert runs.read("on", "epochs/train_loss") == pytest.approx(runs.read("off", "epochs/train_loss"), rel=1e-4)


@pytest.mark.parametrize("words, says", [(["--model", "mlp:784-17-10"], "no times of 'linear 784>17"),
                                         ([*MODEL, "--gemm", "eigen"], "gemm=eigen")])
def test_what_the_table_has_not_is_refused(runs, kernels, words, says):
    result = runs.simulate(2, *SMALL, *words, "--algorithm", "param_avg", options=["--kernels", kernels])
    assert result.status == 2 and says in result.err and "kernel_table" in result.err, result.err


@pytest.mark.parametrize("words, says", [
    (["--algorithm", "drift_avg"], "drift_avg"),
    (["--algorithm", "param_avg", "--save-model", "model.h5"], "--save-model"),
    (["--algorithm", "param_avg", "--eval-ranks"], "--eval-ranks"),
    (["--algorithm", "parallel_sgd", "--batch-norm", "sync"], "--batch-norm sync"),
])
def test_what_means_nothing_without_arithmetic_is_refused(runs, kernels, words, says):
    result = runs.simulate(2, *SMALL, *MODEL, *words, options=["--kernels", kernels, "--timing-only"])
    assert result.status == 2 and says in result.err and "--timing-only" in result.err, result.err


@pytest.mark.parametrize("name", [path.stem for path in (ROOT / "jobs/kernels").glob("*.json")])
def test_every_table_that_comes_with_lockstep_is_read(runs, name):
    result = runs.simulate(4, *SMALL, "--algorithm", "param_avg", options=["--kernels", name, "--timing-only"])
    assert result.status == 0 and json.loads(runs.read("simulated", "provenance/simulation"))["kernels"]["name"] == name, result.err


def test_timing_only_wants_a_table(runs):
    result = runs.simulate(2, *SMALL, "--algorithm", "param_avg", options=["--timing-only"])
    assert result.status == 2 and "--kernels" in result.err


@pytest.mark.parametrize("content, says", [("[]", "no kernel table"), ('{"kernels": {"add": [[1]]}}', "'add'"),
                                           ('{"kernels": {}, "gflop": 1}', "gflops"), ('{"kernels": {}, "gflops": 1}', "gbytes_per_s")])
def test_a_bad_table_is_one_clear_error(runs, tmp_path, content, says):
    path = tmp_path / "bad.json"
    path.write_text(content)
    result = runs.simulate(2, *SMALL, "--algorithm", "param_avg", options=["--kernels", path])
    assert result.status == 2 and str(path) in result.err and says in result.err and result.err.count("error:") == 1, result.err
