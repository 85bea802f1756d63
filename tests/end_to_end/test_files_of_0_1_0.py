# SPDX-License-Identifier: BSD-3-Clause
"""Run files, checkpoints and sweeps of version 0.1.0 (tests/files/0.1.0, made by its make.sh): read, and gone on with.

What a machine computes differs by rounding from what another one does (the width of its vectors), and so does a newer
version's arithmetic. So a resumed run is compared with an unbroken one of today's build on this machine, to a tolerance:
its first epochs are from elsewhere. Where that unbroken run has 0.1.0's own parameters to the last bit, the arithmetic is
the same, and the resumed one must have them too.
"""

import json
import os
import shutil
import signal

import h5py
import numpy as np
import pytest

from conftest import ROOT, series
from run_file_checks import check_run_file
from test_resume import INTERRUPTED, Job

FILES = ROOT / "tests/files/0.1.0"
# Interrupted ones, and on how many ranks.
RUNS = [pytest.param("serial", 1, id="serial", marks=pytest.mark.long), pytest.param("parallel_sgd_ring", 2, id="parallel_sgd_ring"),
        pytest.param("param_avg", 2, id="param_avg", marks=pytest.mark.long)]
LOSS = {"rtol": 1e-3, "atol": 1e-4}
ACCURACY = {"atol": 2.5 / 503}  # two of the test samples


class OldRun(Job):
    """A run with the configuration of one of 0.1.0."""

    def __init__(self, folder, sample, name, ranks):
        self.folder, self.name, self.ranks = folder, name, ranks
        config = FILES / "interrupted" / f"{sample}.h5"
        self.arguments = ["--config", str(config), "--results", str(folder), "--run-id", name, "--checkpoint-minutes", "0"]

    @property
    def run_file(self):
        return self.folder / "interrupted" / f"{self.name}.h5"


def interrupted_run(folder, sample, ranks):
    """The interrupted run itself, with its checkpoint, in a folder where it may be changed."""
    run = OldRun(folder, sample, sample, ranks)
    run.run_file.parent.mkdir(parents=True, exist_ok=True)
    for file in (run.run_file, run.checkpoint):
        shutil.copy(FILES / "interrupted" / file.name, file)
    return run


def stored_parameters(path):
    with h5py.File(path) as file:
        return file["provenance/parameters_sha256"].asstr()[()]


def place_of(checkpoint):
    """(epochs done, steps of the next), as the checkpoint itself says."""
    with h5py.File(checkpoint) as file:
        about = json.loads(file["about"].asstr()[()])
    return about["epochs_done"], about["epoch_steps"]


@pytest.mark.parametrize("path", sorted(FILES.rglob("*.h5")), ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_its_run_files_are_as_documented_today(path):
    status = {"complete": "complete", "failed": "failed", "interrupted": "interrupted"}.get(path.parent.name)
    check_run_file(path, status=status)


@pytest.mark.parametrize("sample,ranks", RUNS)
def test_its_interrupted_runs_go_on_to_the_end_of_an_unbroken_one(lockstep, datasets, record_property, sample, ranks):  # noqa: ARG001
    unbroken = OldRun(lockstep.folder, sample, "unbroken", ranks)
    status, _, err = unbroken.run()
    assert status == 0, err
    resumed = interrupted_run(lockstep.folder, sample, ranks)
    epochs, steps = place_of(resumed.checkpoint)
    assert epochs > 0 and steps > 0
    status, out, err = resumed.resume()
    assert status == 0, err
    assert f"resuming after {epochs} epochs and {steps} steps" in out and "cannot be used" not in err
    check_run_file(resumed.run_file, ranks=ranks)
    assert resumed.segments()["status"] == ["interrupted", "complete"]

    for name in ("samples", "steps", "learning_rate", "rank_samples"):
        np.testing.assert_array_equal(series(resumed.run_file, f"epochs/{name}"), series(unbroken.run_file, f"epochs/{name}"), name)
    stored = FILES / "complete" / f"{sample}.h5"
    for other in (unbroken.run_file, stored):
        for name in ("train_loss", "test_loss"):
            np.testing.assert_allclose(series(resumed.run_file, f"epochs/{name}"), series(other, f"epochs/{name}"), **LOSS)
        np.testing.assert_allclose(series(resumed.run_file, "epochs/test_accuracy"), series(other, "epochs/test_accuracy"),
                                   rtol=0, **ACCURACY)
    before = FILES / "interrupted" / f"{sample}.h5"
    for name in ("step_p50_s", "step_largest_rank"):  # it did not record these
        np.testing.assert_array_equal(np.isnan(series(resumed.run_file, f"epochs/{name}")), np.arange(len(series(stored, "epochs/steps"))) < epochs)
    for name in ("train_loss", "epoch_s", "wait_s"):  # what was recorded stays as it was
        np.testing.assert_array_equal(series(resumed.run_file, f"epochs/{name}")[:epochs], series(before, f"epochs/{name}"), name)

    if unbroken.parameters() == stored_parameters(stored):
        assert resumed.parameters() == stored_parameters(stored)
    else:
        record_property("instead", "0.1.0's last bits are those of another processor: losses are compared, to a tolerance")


@pytest.mark.parametrize("ranks", [1, 2])
def test_a_run_does_not_go_on_with_other_data(lockstep, datasets, ranks):  # noqa: ARG001
    """As of 0.1.0's synthetic set, whose data of a seed have changed since."""
    run = interrupted_run(lockstep.folder, {1: "serial", 2: "param_avg"}[ranks], ranks)
    with h5py.File(run.run_file, "r+") as file:
        del file["provenance/dataset_sha256"]
        file["provenance/dataset_sha256"] = "0" * 64
    before = run.run_file.read_bytes(), run.checkpoint.read_bytes()
    status, _, err = run.resume()
    assert status == 2, err
    assert err.count("the data are not those with which the run") == 1 and "0" * 64 in err
    assert (run.run_file.read_bytes(), run.checkpoint.read_bytes()) == before
    with h5py.File(run.run_file, "r+") as file:  # a file that does not tell is taken at its word
        del file["provenance/dataset_sha256"]
    assert run.resume()[0] == 0


@pytest.mark.long
@pytest.mark.parametrize("sample,ranks", RUNS)
def test_they_can_be_interrupted_again(lockstep, datasets, sample, ranks):  # noqa: ARG001
    once = interrupted_run(lockstep.folder / "once", sample, ranks)
    twice = interrupted_run(lockstep.folder / "twice", sample, ranks)
    epochs, _ = place_of(once.checkpoint)
    assert once.resume()[0] == 0

    twice.start("--resume").wait_for_epochs(epochs + 1)
    os.kill(twice.rank_pids()[-1], signal.SIGUSR1)
    status, _, err = twice.end()
    assert status == INTERRUPTED, err
    check_run_file(twice.run_file, status="interrupted", ranks=ranks)
    further, steps = place_of(twice.checkpoint)
    assert further > epochs

    status, out, err = twice.resume()
    assert status == 0, err
    assert f"resuming after {further} epochs and {steps} steps" in out and "cannot be used" not in err
    assert twice.segments()["status"] == ["interrupted", "interrupted", "complete"]
    assert twice.parameters() == once.parameters()


def test_its_sweeps_are_understood_and_completed(lockstep, datasets):  # noqa: ARG001
    shutil.copytree(FILES / "averaging", lockstep.folder / "averaging")
    (lockstep.folder / "averaging/sweep/log").mkdir()  # git keeps no empty folder
    sweep = lambda *words: lockstep.run(*words, "--results", lockstep.folder, ranks=None, program="sweep")  # noqa: E731
    states = json.loads(sweep("status", "averaging", "--json").out)
    assert [state["state"] for state in states] == ["complete", "interrupted"]
    for state in states:
        path = FILES / "averaging" / f"{state['run_id']}.h5"
        assert state["epochs"] == 50 and state["epochs_done"] == len(series(path, "epochs/epoch_s"))
        assert state["accuracy"] == series(path, "epochs/test_accuracy")[-1]
        assert state["epoch_s"] == pytest.approx(np.median(series(path, "epochs/epoch_s")))

    # Today's reader makes the same runs of its spec, with the same names.
    spec = lockstep.folder / "averaging.json"
    spec.write_text(json.dumps(json.loads((FILES / "averaging/sweep/sweep.json").read_text())["spec"]))
    runs = json.loads(sweep("expand", spec, "--json").out)
    assert [(run["run_id"], run["complete"]) for run in runs] == [(s["run_id"], s["state"] == "complete") for s in states]

    complete = lockstep.folder / "averaging" / f"{states[0]['run_id']}.h5"
    before = complete.read_bytes()
    result = sweep("resume", "averaging")
    assert result.status == 0, result.err
    assert "2 runs, 1 of them complete" in result.out and "all complete" in result.out
    assert complete.read_bytes() == before
    with h5py.File(lockstep.folder / "averaging" / f"{states[1]['run_id']}.h5") as file:
        assert file["segments/status"].asstr()[:].tolist() == ["interrupted", "complete"]


@pytest.mark.slow
def test_its_configuration_runs_again(lockstep, datasets):  # noqa: ARG001
    path = lockstep.train("--config", FILES / "complete/w_param_avg.h5", "--run-id", "again", ranks=2)
    stored = FILES / "complete/w_param_avg.h5"
    np.testing.assert_allclose(series(path, "epochs/test_loss"), series(stored, "epochs/test_loss"), **LOSS)
    np.testing.assert_allclose(series(path, "exchange/gamma"), series(stored, "exchange/gamma"), **LOSS)
