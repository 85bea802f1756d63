# SPDX-License-Identifier: BSD-3-Clause
"""Bad input: a clear error, once, at once, on every rank's behalf, with an exit status that is not 0."""

import gzip
import json
import os
import re
import subprocess

import h5py
import pytest

from conftest import ROOT, SMALL, Lockstep

NO_UTF8 = os.fsdecode(b"r_caf\xe9")
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
    "minutes that are no number": (["--checkpoint-minutes", "nan"], ["checkpoint_minutes", "a number", "nan"]),
    "endless minutes": (["--checkpoint-minutes", "inf"], ["checkpoint_minutes", "a number", "inf"]),
    "a rate beyond all numbers": (["--learning-rate", "1e999"], ["learning_rate", "a number", "1e999"]),
    "empty number": (["--epochs", ""], ["bad value for epochs", "a whole number"]),
    "empty experiment": (["--experiment", ""], ["bad experiment name"]),
    "empty results": (["--results", ""], ["bad value for results", "not empty"]),
    "an experiment that is a path": (["--experiment", "../a"], ["bad experiment name", "../a"]),
    "a run that is a path": (["--run-id", "a/b"], ["bad run name", "a/b"]),
    "a run above": (["--run-id", ".."], ["bad run name"]),
    "a run here": (["--run-id", "."], ["bad run name"]),
    "a run that commands the terminal": (["--run-id", "a\x1b[2J"], ["bad value for run_id", "control characters"]),
    "a run that is no UTF-8": (["--run-id", NO_UTF8], ["bad value for run_id", "UTF-8"]),
    "an experiment that is no UTF-8": (["--experiment", NO_UTF8], ["bad value for experiment", "UTF-8"]),
    "data in a folder that is no UTF-8": (["--dataset", "mnist", "--data-dir", NO_UTF8], ["bad value for data_dir", "UTF-8"]),
    "a configuration that is no UTF-8": (["--config", NO_UTF8], ["r_caf\\xe9"]),
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
                        ("[1]", ["JSON object"]), ("{", ["not JSON"]),
                        ('{"learning_rate": 1e999}', ["learning_rate", "1e999"]),
                        ('{"learning_rate": NaN}', ["not JSON"]),
                        ('{"batch_size": 64, "batch_size": 128}', ["'batch_size' is given twice"]),
                        ("[" * 80000, ["nested too deeply"]), ('{"batch_size":' * 80000, ["nested too deeply"]),
                        ('{"experiment": "caf\udce9"}', ["not JSON"]), ('{"run_id": 3}', ["run_id"])]:
        (tmp_path / "config.json").write_bytes(os.fsencode(text))
        result = lockstep.run("--config", tmp_path / "config.json", *SMALL, ranks=None)
        assert result.status == 2
        for word in ["config.json", *words]:
            assert word in result.err, result.err


def test_every_json_file_is_read_as_strictly(lockstep, tmp_path):
    """A model, a sweep, a site."""
    programs = {"model": ("train", [*SMALL[:-2], "--model"]), "sweep": ("sweep", ["expand"]),
                "site": ("sweep", ["expand", "jobs/experiments/first.json", "--scale", "smoke", "--site"])}
    for kind, (program, words) in programs.items():
        for text, expected in [('{"a": 1, "a": 2}', "'a' is given twice"), ('{"a": [1e999]}', "bad value for a"),
                               ("[" * 80000, "nested too deeply"), ("{", "not JSON")]:
            (tmp_path / f"{kind}.json").write_text(text)
            result = lockstep.run(*words, tmp_path / f"{kind}.json", ranks=None, program=program)
            assert result.status == 2, (kind, text[:20], result.err)
            assert f"{kind}.json" in result.err and expected in result.err, result.err


def test_whole_numbers_in_a_configuration_may_be_written_as_on_the_command_line(lockstep, tmp_path):
    (tmp_path / "config.json").write_text('{"batch_size": 1e2, "epochs": 2.0}')
    result = lockstep.run("--config", tmp_path / "config.json", "--print-config", ranks=None)
    assert result.status == 0, result.err
    assert json.loads(result.out)["batch_size"] == 100 and '"batch_size": 100,' in result.out


def test_results_may_have_names_of_any_bytes(lockstep, tmp_path):
    there = Lockstep(lockstep.folder / NO_UTF8)
    path = there.train(*SMALL, "--algorithm", "param_avg", "--run-id", "a", ranks=2)
    assert path.parent.parent.name == NO_UTF8
    again = there.run(*SMALL, "--algorithm", "param_avg", "--run-id", "a", "--resume", "--results", there.folder, ranks=2)
    assert again.status == 0 and "r_caf\\xe9" in again.out, again.err
    with h5py.File(path) as file:
        assert "caf\ufffd" in file["provenance/command_line"].asstr()[()]


def test_a_sweep_may_be_in_places_of_any_name(lockstep, tmp_path):
    file, folder = tmp_path / f"{NO_UTF8}\x1b.json", lockstep.folder / f"{NO_UTF8}\x1b"
    sweep = {"name": "odd", "fixed": {"dataset": "synthetic", "synthetic_train": 100, "synthetic_test": 100, "epochs": 1}}
    file.write_text(json.dumps(sweep | {"matrix": {"algorithm": ["serial"]}}))
    for words in (["expand", file], ["run", file], ["status", "odd"], ["resume", "odd"]):
        result = lockstep.run(*words, "--results", folder, ranks=None, program="sweep")
        assert result.status == 0 and "\x1b" not in result.out, (result.out, result.err)
    assert len(lockstep.files()) == 1
    unnamed = file.with_name("no name\x1b.json")
    unnamed.write_text(json.dumps({key: sweep[key] for key in ("fixed",)}))
    result = lockstep.run("expand", unnamed, ranks=None, program="sweep")
    assert result.status == 2 and "bad sweep name" in result.err and "\x1b" not in result.err
    empty = lockstep.run("run", file, "--results=", "--scale", "full", ranks=None, program="sweep")
    assert empty.status == 2 and "--results: it is empty" in empty.err, empty.err


def test_an_empty_run_name_is_made_up(lockstep):
    assert lockstep.train(*SMALL, "--run-id=").name.startswith("serial-synthetic-")


@pytest.mark.parametrize("algorithm, ranks, most", [("serial", 1, 1003), ("param_avg", 2, 502), ("parallel_sgd", 2, 1003)])
def test_a_batch_of_more_than_there_is_has_a_note_and_its_true_size_recorded(lockstep, algorithm, ranks, most):
    options = [*SMALL, "--algorithm", algorithm, "--batch-size", 100000, "--results", lockstep.folder, "--run-id", "big"]
    result = lockstep.run(*options, ranks=ranks)
    assert result.status == 0 and f"note: batch_size is 100000, but a batch has at most the {most} samples" in result.err, result.err
    with h5py.File(lockstep.files()[0]) as file:
        assert file["provenance/largest_batch"][()] == most
        assert json.loads(file["config"].asstr()[()])["batch_size"] == 100000
    assert lockstep.run(*options, "--resume", ranks=ranks).status == 0
    with h5py.File(lockstep.train(*SMALL, "--run-id", "small")) as file:
        assert "largest_batch" not in file["provenance"]


ONCE = ["--epochs", 1, "--model", "mlp:784-16-10", "--train-samples", 200, "--test-samples", 200]


def test_data_that_are_not_what_their_name_says_are_noted(lockstep, datasets, tmp_path):
    fashion = ROOT / "data/fashion_mnist"
    for name in ("mnist", "fashion_mnist"):
        (tmp_path / name).mkdir()
        for file in fashion.iterdir():
            (tmp_path / name / file.name).symlink_to(file)
    note = "the files called mnist are those of fashion_mnist"
    first = lockstep.run("--dataset", "mnist", "--data-dir", tmp_path, *ONCE, "--results", lockstep.folder, "--run-id", "first")
    assert first.status == 0 and first.err.count(f"warning: {note}") == 1, first.err
    with h5py.File(lockstep.folder / "runs/first.h5") as file:
        assert file["provenance/dataset_note"].asstr()[()] == note

    flipped = tmp_path / "fashion_mnist" / "train-images-idx3-ubyte"
    assert "warning" not in lockstep.run("--dataset", "fashion_mnist", "--data-dir", tmp_path, *ONCE, "--results", lockstep.folder).err
    bytes_of = bytearray(flipped.read_bytes())
    bytes_of[-1] ^= 1
    flipped.unlink()
    flipped.write_bytes(bytes_of)
    second = lockstep.run("--dataset", "fashion_mnist", "--data-dir", tmp_path, *ONCE, "--results", lockstep.folder)
    assert "warning: not fashion_mnist as it was published: train-images-idx3-ubyte has another content" in second.err
    checked = subprocess.run([ROOT / "analysis/lockstep-analysis", "check", lockstep.folder], capture_output=True, text=True)
    assert f"error: rule 9: {note}" in checked.stdout, checked.stderr


def idx(count, rows, columns, values=b""):
    return bytes([0, 0, 8, 3]) + b"".join(n.to_bytes(4, "big") for n in (count, rows, columns)) + values


def labels(values):
    return bytes([0, 0, 8, 1]) + len(values).to_bytes(4, "big") + bytes(values)


def zipped_as(values, size):
    """Zipped, and said to be `size` bytes."""
    return gzip.compress(values)[:-4] + (size % 2**32).to_bytes(4, "little")


DAMAGED = {
    "labels of letters": (idx(4, 2, 2, bytes(16)), labels([1, 2, 25, 26]), ["train-labels", "no class", "1 to 26"]),
    "a size beyond all memory": (idx(0xFFFFFFFF, 28, 28, bytes(16)), labels([0] * 4), ["train-images", "4294967295 x 28 x 28"]),
    "images without pixels": (idx(200, 0, 0), labels([0] * 200), ["train-images", "no pixels"]),
    "a size beyond all memory, zipped so that its end agrees":
        (zipped_as(idx(0xFFFFFFFF, 28, 28, os.urandom(1 << 20)), 0xFFFFFFFF * 784 + 16), labels([0] * 4),
         ["train-images", "4294967295 x 28 x 28"]),
    "half a zipped file": (gzip.compress(idx(4, 2, 2, os.urandom(16)))[:-20], labels([0] * 4), ["train-images"]),
}


@pytest.mark.parametrize("case", DAMAGED)
def test_data_files_made_by_hand_are_refused_before_any_work(lockstep, tmp_path, case):
    images, of_train, words = DAMAGED[case]
    folder = tmp_path / "mnist"
    folder.mkdir()
    zipped = ".gz" if images[:2] == b"\x1f\x8b" else ""
    (folder / f"train-images.idx3-ubyte{zipped}").write_bytes(images)
    (folder / "train-labels.idx1-ubyte").write_bytes(of_train)
    (folder / "t10k-images.idx3-ubyte").write_bytes(idx(1, 2, 2, bytes(4)))
    (folder / "t10k-labels.idx1-ubyte").write_bytes(labels([1]))
    result = lockstep.run("--dataset", "mnist", "--data-dir", tmp_path, "--model", "mlp:4-10", "--algorithm", "param_avg",
                          "--results", lockstep.folder, ranks=2)
    assert result.status == 2, result.err
    assert result.err.count("error:") == 1 and "MPI_ABORT" not in result.err, result.err
    for word in words:
        assert word in result.err, result.err
    assert not lockstep.files()


def test_ranks_that_another_launcher_started_are_not_trained_one_by_one(lockstep):
    alone = {name: value for name, value in os.environ.items() if not name.startswith(("OMPI_", "PMI", "SLURM_"))}
    for rank in (0, 1):
        result = lockstep.run(*SMALL, "--results", lockstep.folder, ranks=None,
                              env={**alone, "PMI_SIZE": "2", "PMI_RANK": str(rank)})
        assert result.status == 2 and result.err.count("error:") == (1 if rank == 0 else 0), result.err
    assert "2 processes that do not know each other" in lockstep.run(*SMALL, ranks=None, env={"PMI_SIZE": "2"}).err
    assert not lockstep.files()
    lockstep.train(*SMALL, ranks=None, env={"SLURM_NTASKS": "8", "SLURM_PROCID": "0"})  # a batch script's


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
