# SPDX-License-Identifier: BSD-3-Clause
"""Bad input: a clear error, once, at once, on every rank's behalf, with an exit status that is not 0."""

import re

import h5py
import pytest

from conftest import SMALL

CASES = {
    "unknown option": (["--bach-size", "3"], ["--bach-size", "did you mean '--batch-size'"]),
    "unknown old option": (["-bach_size", "3"], ["did you mean '--batch-size'"]),
    "a word too much": (["serial"], ["unexpected word", "serial"]),
    "no number": (["--batch-size", "many"], ["batch_size", "a whole number", "many"]),
    "batch of nothing": (["--batch-size", "0"], ["batch_size", "at least 1", "0"]),
    "negative": (["--epochs=-1"], ["epochs", "at least 1", "-1"]),
    "missing value": (["--epochs"], ["--epochs"]),
    "unknown algorithm": (["--algorithm", "parm_avg"], ["parm_avg", "did you mean 'param_avg'"]),
    "unknown dataset": (["--dataset", "mnis"], ["did you mean 'mnist'"]),
    "unknown model": (["--model", "lenet"], ["did you mean 'lenet5'"]),
    "bad mlp": (["--model", "mlp:784--10"], ["mlp:784--10", "mlp:784-256-64-10"]),
    "model that does not fit": (["--model", "mlp:100-10"], ["does not fit the data set", "784"]),
    "unknown allreduce": (["--allreduce", "rign"], ["did you mean 'ring'"]),
    "nesterov alone": (["--optimizer", "sgd", "--nesterov"], ["nesterov needs a momentum"]),
    "old lambda that is not whole": (["-lambda", "1.5"], ["-lambda", "hundredths", "1.5"]),
    "no data": (["--dataset", "mnist", "--data-dir", "/nonexistent"], ["/nonexistent/mnist", "make data"]),
    "more samples than there are": (["--dataset", "fashion_mnist", "--train-samples", "60001"], ["train_samples", "60000"]),
    "a folder without data": (["--dataset", "idx:/nonexistent"], ["/nonexistent/train-images-idx3-ubyte", "idx:FOLDER"]),
    "config that is not there": (["--config", "missing.json"], ["missing.json"]),
    "config that is no run": (["--config", "missing.h5"], ["missing.h5"]),
    "results that cannot be written": (["--results", "/proc/nowhere"], ["/proc/nowhere"]),
    "progress": (["--progress", "fancy"], ["fancy", "plain"]),
}


# One of each place in the program that finds a mistake; for these too, ranks must not tell it one by one, nor wait.
AMONG_RANKS = ("unknown option", "no number", "unknown algorithm", "model that does not fit", "no data", "config that is no run",
               "results that cannot be written")


@pytest.mark.parametrize("case", CASES)
def test_is_told_once_with_what_was_expected(lockstep, case):
    check_is_told_once(lockstep, case, ranks=None)


@pytest.mark.slow
@pytest.mark.parametrize("case", [case if case in AMONG_RANKS else pytest.param(case, marks=pytest.mark.long) for case in CASES])
def test_is_told_once_among_ranks(lockstep, case):
    check_is_told_once(lockstep, case, ranks=3)


def check_is_told_once(lockstep, case, ranks):
    arguments, words = CASES[case]
    base = [] if "--dataset" in arguments else SMALL
    base = ["--algorithm", "param_avg", "--results", lockstep.folder, *base]
    result = lockstep.run(*base, *arguments, ranks=ranks)
    assert result.status == 2, result.err
    assert result.err.count("error:") == 1, result.err
    for word in words:
        assert word in result.err
    assert not lockstep.files()


def test_configuration_files_are_checked_as_strictly(lockstep, tmp_path):
    for text, words in [('{"batch_sise": 3}', ["batch_sise", "did you mean 'batch_size'"]),
                        ('{"batch_size": "3"}', ["batch_size", "a whole number"]),
                        ('{"batch_size": 3.5}', ["batch_size", "3.5"]),
                        ("[1]", ["JSON object"]), ("{", ["not JSON"])]:
        (tmp_path / "config.json").write_text(text)
        result = lockstep.run("--config", tmp_path / "config.json", *SMALL, ranks=None)
        assert result.status == 2
        for word in words:
            assert word in result.err, result.err


def test_serial_on_several_ranks_is_an_error(lockstep):
    result = lockstep.run(*SMALL, ranks=2, program="serial")
    assert result.status == 2
    assert "runs on one rank" in result.err


DIVERGING = [*SMALL, "--optimizer", "sgd", "--gradient", "sum", "--learning-rate", "1e30"]


@pytest.mark.parametrize("algorithm, ranks", [("serial", 1), ("parallel_sgd", 2), ("param_avg", 3)])
def test_a_training_that_diverges_says_at_which_step_and_on_which_ranks(lockstep, algorithm, ranks):
    result = lockstep.run("--algorithm", algorithm, *DIVERGING, "--results", lockstep.folder, ranks=ranks)
    assert result.status == 3
    assert re.search(r"error: the training diverged\n  rank \d on \S+ in epoch 1, step \d: its ", result.err), result.err
    assert "--learning-rate" in result.err
    with h5py.File(lockstep.files()[0]) as file:
        assert file.attrs["status"] == "failed" and "in epoch 1, step" in file["provenance/diverged"].asstr()[()]


def test_a_training_that_diverges_at_its_last_step_is_not_complete(lockstep):
    """Its only step: no later one sees the parameters."""
    options = ["--synthetic-train", 64, "--batch-size", 64, "--epochs", 1, "--eval-acc", "0", "--learning-rate", "1e300"]
    result = lockstep.run(*SMALL, *options, "--optimizer", "sgd", "--results", lockstep.folder)
    assert result.status == 3 and "not finite" in result.err, result.err


def test_a_training_that_has_diverged_leaves_no_checkpoint(lockstep):
    result = lockstep.run("--algorithm", "param_avg", *DIVERGING, "--epochs", 5, "--checkpoint-epochs", 1, "--results", lockstep.folder,
                          ranks=2)
    assert result.status == 3
    assert not list(lockstep.folder.rglob("*.ckpt*"))


def test_help_and_version_are_printed_once(lockstep):
    help_text = lockstep.run("--help", ranks=2)
    assert help_text.status == 0
    assert help_text.out.count("--batch-size") == 2  # the option, and the examples
    version = lockstep.run("--version", ranks=2)
    assert version.status == 0 and version.out.startswith("lockstep ")
