# SPDX-License-Identifier: BSD-3-Clause
"""The command lines, old and new, and what a run leaves behind."""

import json
import os
import subprocess

import h5py
import numpy as np
import pytest

from conftest import BIN, PATIENCE_S, ROOT, SMALL, series, wait_for_epochs

from run_file_checks import check_run_file

ALGORITHMS = ["serial", "parallel_sgd", "param_avg", "w_param_avg", "drift_avg"]


def config_of(lockstep, *arguments, program="train"):
    result = lockstep.run(*arguments, "--print-config", program=program)
    assert result.status == 0, result.err
    return json.loads(result.out)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("ranks", [1, pytest.param(2, marks=pytest.mark.slow), 3, pytest.param(5, marks=pytest.mark.slow)])
def test_every_algorithm_leaves_a_complete_run_file_at_every_rank_count(lockstep, algorithm, ranks):
    if algorithm == "serial" and ranks > 1:
        return
    path = lockstep.train("--algorithm", algorithm, *SMALL, ranks=ranks)
    check_run_file(path)
    assert series(path, "epochs/train_s").shape == (2, ranks)
    assert (series(path, "epochs/samples") == 1003).all()
    assert series(path, "epochs/rank_samples").sum(axis=1).tolist() == [1003, 1003]
    accuracy = series(path, "epochs/test_accuracy")
    assert ((accuracy > 0) & (accuracy <= 1)).all()
    phases = sum(series(path, f"epochs/{p}_s") for p in ("data", "compute", "exchange", "wait", "update"))
    np.testing.assert_allclose(phases, series(path, "epochs/train_s"), rtol=1e-9)
    np.testing.assert_allclose(series(path, "epochs/epoch_s"), series(path, "epochs/train_s").max(axis=1))
    np.testing.assert_allclose(series(path, "epochs/train_clock_s"), series(path, "epochs/epoch_s").cumsum())
    assert (series(path, "epochs/wall_clock_s") >= series(path, "epochs/train_clock_s")).all()
    with h5py.File(path) as file:
        assert file.attrs["status"] == "complete"
        assert len(file["provenance/bindings"]) == ranks


def test_runs_are_reproducible_and_the_same_for_every_rank_count(lockstep):
    losses = [series(lockstep.train("--algorithm", "parallel_sgd", *SMALL, ranks=ranks), "epochs/train_loss")
              for ranks in (1, 1, 2, 3)]
    assert (losses[0] == losses[1]).all()
    np.testing.assert_allclose(losses[2], losses[0], rtol=1e-5)
    np.testing.assert_allclose(losses[3], losses[0], rtol=1e-5)


def test_backends_differ_by_rounding_alone(lockstep):
    losses = [series(lockstep.train(*SMALL, "--gemm", gemm), "epochs/train_loss") for gemm in ("tiled", "cblas", "eigen", "auto")]
    for other in losses[1:]:
        np.testing.assert_allclose(losses[0], other, rtol=1e-4)


def test_the_run_file_tells_which_backend_each_product_went_to(lockstep):
    options = ["--gemm", "auto", "--algorithm", "param_avg", "--batch-size", 50]

    def choices():
        with h5py.File(lockstep.train(*SMALL, *options, ranks=2)) as file:
            return dict(choice.split(": ") for choice in file["provenance/gemm_choices"].asstr()[()].split("; "))

    first = choices()
    # Rank 0 has 502 samples: batches of 50, one of 2 at the end, and half of the test set.
    assert {"NN 50x16x784", "TN 784x16x50", "NT 50x16x10", "TN 784x16x2", "NN 100x10x16"} <= set(first)
    assert choices() == first, "measured again, although it was kept"
    with h5py.File(lockstep.train(*SMALL, "--gemm", "tiled")) as file:
        assert "gemm_choices" not in file["provenance"]


OLD = "-batch_size 32 -eval_acc 0 -n_epochs 2 -avg_freq 3 -lambda 50".split()


def test_the_old_options_mean_what_they_meant(lockstep):
    config = config_of(lockstep, *OLD, program="w_param_avg")
    assert config["algorithm"] == "w_param_avg"
    assert (config["batch_size"], config["eval_acc"], config["epochs"]) == (32, False, 2)
    assert (config["avg_freq"], config["lambda"]) == (3, 0.5)
    modern = "--batch-size 32 --eval-acc 0 --n-epochs 2 --avg-freq 3 --lambda 0.5".split()
    assert config_of(lockstep, *modern, program="w_param_avg") == config
    underscored = "--batch_size=32 --eval_acc=0 --epochs=2 --avg_freq=3 -lambda=50".split()
    assert config_of(lockstep, *underscored, program="w_param_avg") == config


def test_the_old_defaults_are_kept(lockstep):
    config = config_of(lockstep, program="w_param_avg")
    assert (config["batch_size"], config["eval_acc"], config["epochs"]) == (64, True, 20)
    assert (config["avg_freq"], config["lambda"], config["model"], config["dataset"]) == (1, 1.0, "model_a", "mnist")
    assert (config["optimizer"], config["learning_rate"], config["gradient"]) == ("sgd", 0.01, "sum")


def test_the_old_programs_take_options_of_one_another(lockstep):
    result = lockstep.run(*OLD, *SMALL, "--results", lockstep.folder, ranks=2, program="parallel_sgd")
    assert result.status == 0, result.err
    assert "note: lambda has no effect with parallel_sgd" in result.err


@pytest.mark.slow
def test_make_leaves_the_old_programs_in_the_folder(tmp_path):
    folder = tmp_path / "checkout"
    folder.mkdir()
    for name in ("Makefile", "VERSION", "mk", "src", "build", "tests", "jobs", "data", "bench"):
        (folder / name).symlink_to(ROOT / name)
    # The build tells the commit: let it see the same one as ever, so that nothing is built anew.
    git = {"GIT_DIR": str(ROOT / ".git"), "GIT_WORK_TREE": str(ROOT)}
    for target, left in (("serial", "runserial"), ("param_avg", "runmpi"), ("parallel_sgd", "runmpi"), ("w_param_avg", "runmpi")):
        subprocess.run(["make", target], cwd=folder, check=True, capture_output=True, env={**os.environ, **git})
        assert (folder / left).resolve().name == target
    # As typed then: the program without a path, found by mpiexec in the folder.
    command = f"{ROOT}/jobs/local.sh 2 runmpi -batch_size 64 -eval_acc 1 -n_epochs 1 -avg_freq 1 -lambda 100"
    done = subprocess.run(command.split() + SMALL[:-4] + ["--epochs", "1"], cwd=folder, capture_output=True, text=True, timeout=PATIENCE_S)
    assert done.returncode == 0, done.stderr
    assert "test accuracy" in done.stdout


def test_time_is_recorded_with_and_without_evaluation(lockstep):
    without = lockstep.train(*SMALL, "-eval_acc", "0")
    assert np.isnan(series(without, "epochs/test_accuracy")).all()
    assert (series(without, "epochs/epoch_s") > 0).all()
    with_evaluation = lockstep.train(*SMALL, "-eval_acc", "1")
    assert not np.isnan(series(with_evaluation, "epochs/test_accuracy")).any()
    assert (series(with_evaluation, "epochs/evaluate_s") > 0).all()
    # Looking does not change the training.
    assert (series(without, "epochs/train_loss") == series(with_evaluation, "epochs/train_loss")).all()


def test_the_ranks_own_models_are_evaluated_before_the_average(lockstep):
    options = ["--algorithm", "param_avg", *SMALL]
    without, looked = (lockstep.train(*options, *more, ranks=3) for more in ([], ["--eval-ranks"]))
    own, average = series(looked, "epochs/rank_test_accuracy"), series(looked, "epochs/test_accuracy")
    assert own.shape == (2, 3)
    assert len(set(own[0])) > 1, "after the average all ranks would have the same"
    # Looking does not change the training, nor its clock.
    assert (series(without, "epochs/test_accuracy") == average).all()
    phases = sum(series(looked, f"epochs/{p}_s") for p in ("data", "compute", "exchange", "wait", "update"))
    np.testing.assert_allclose(phases, series(looked, "epochs/train_s"), rtol=1e-9)
    with h5py.File(without) as file:
        assert "rank_test_accuracy" not in file["epochs"]
    # On one rank its own model is the average; ranks that share each batch have no models of their own.
    alone = lockstep.train(*options, "--eval-ranks")
    assert (series(alone, "epochs/rank_test_accuracy")[:, 0] == series(alone, "epochs/test_accuracy")).all()
    with h5py.File(lockstep.train("--algorithm", "parallel_sgd", *SMALL, "--eval-ranks", ranks=2)) as file:
        assert "rank_test_accuracy" not in file["epochs"]


def test_a_run_file_can_be_run_again(lockstep):
    first = lockstep.train("--algorithm", "param_avg", *SMALL, "--learning-rate", "0.02", ranks=2)
    again = lockstep.train("--config", first, ranks=2)
    assert (series(first, "epochs/train_loss") == series(again, "epochs/train_loss")).all()
    with h5py.File(first) as a, h5py.File(again) as b:
        assert a["config"][()] == b["config"][()]


def test_the_command_line_wins_over_the_file_and_the_file_over_defaults(lockstep, tmp_path):
    file = tmp_path / "config.json"
    file.write_text('{"batch_size": 8, "learning_rate": 0.5, /* comments are fine */ "model": "mlp:784-10"}')
    config = config_of(lockstep, "--config", file, "--batch-size", "9")
    assert (config["batch_size"], config["learning_rate"], config["optimizer"]) == (9, 0.5, "adamw")


def test_a_described_model_stands_in_the_run_file(lockstep, tmp_path):
    description = {"layers": [{"type": "flatten"}, {"type": "linear", "units": 10}], "loss": "cross_entropy_logits"}
    (tmp_path / "model.json").write_text(json.dumps(description))
    path = lockstep.train(*SMALL[:-2], "--model", tmp_path / "model.json")
    with h5py.File(path) as file:
        assert json.loads(file["config"][()])["model"] == description
    (tmp_path / "model.json").unlink()
    lockstep.train("--config", path)


def test_plain_progress_is_one_line_an_epoch_and_off_is_silent(lockstep):
    plain = lockstep.run(*SMALL, "--results", lockstep.folder)
    assert len([line for line in plain.out.splitlines() if line.startswith("epoch")]) == 2
    assert "\r" not in plain.out
    silent = lockstep.run(*SMALL, "--results", lockstep.folder, "--progress", "off")
    assert silent.out == ""


def test_a_killed_run_leaves_what_it_did(lockstep):
    command = [BIN / "train", *SMALL, "--epochs", "100000", "--results", lockstep.folder, "--run-id", "killed"]
    environment = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
    run = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, env={**os.environ, **environment})
    path = lockstep.folder / "runs/killed.h5"
    wait_for_epochs(run, path, 2)
    run.kill()
    run.wait()
    with h5py.File(path) as file:
        assert file.attrs["status"] == "running"
        assert len(file["epochs/train_loss"]) >= 2
    check_run_file(path, status="running")


def test_the_run_file_says_what_auto_chose(lockstep):
    with h5py.File(lockstep.train(*SMALL, "--algorithm", "parallel_sgd", "--allreduce", "auto", ranks=2)) as file:
        count = file["provenance/parameter_count"][()]
        choice = file["provenance/allreduce_choice"].asstr()[()]
    assert choice.endswith(f" up to {4 * (count + 1)} B")
    with h5py.File(lockstep.train(*SMALL, "--algorithm", "parallel_sgd", "--allreduce", "ring", ranks=2)) as file:
        assert "allreduce_choice" not in file["provenance"]


def test_h5dump_reads_a_run_file(lockstep):
    path = lockstep.train(*SMALL)
    header = subprocess.run(["h5dump", "-H", path], capture_output=True, text=True, check=True).stdout
    for name in ("config", "provenance", "train_loss", "unit"):
        assert f'"{name}"' in header


@pytest.mark.parametrize("threads", ["1", "64"])
def test_omp_num_threads_does_not_change_where_ranks_are_bound(lockstep, threads):
    ranks = min(2, len(os.sched_getaffinity(0)))
    path = lockstep.train("--algorithm", "parallel_sgd", *SMALL, ranks=ranks, env={"OMP_NUM_THREADS": threads})
    with h5py.File(path) as file:
        bindings = file["provenance/bindings"].asstr()[()].tolist()
    assert len(set(bindings)) == ranks, bindings


@pytest.mark.slow
def test_a_rank_adds_little_memory_to_a_node(lockstep):
    """Beyond the model (parameters, gradients, exported copy, exchange buffer) and MPI itself: below 16 MiB. A third of the data,
    a copy of a rank's own part, is 25 MiB."""
    mib = 1 << 20
    big = ["--dataset", "synthetic", "--synthetic-train", "100000", "--synthetic-test", "1000", "--train-samples", "0",
           "--epochs", "1", "--model", "mlp:784-32-10", "--batch-size", "256"]
    for algorithm in ("parallel_sgd", "param_avg"):
        path = lockstep.train("--algorithm", algorithm, *big, ranks=3)
        with h5py.File(path) as file:
            p = file["provenance"]
            own = p["private_bytes"][()] - p["start_private_bytes"][()] - 4 * 4 * p["parameter_count"][()]
        assert (own[1:] < 16 * mib).all(), own / mib
