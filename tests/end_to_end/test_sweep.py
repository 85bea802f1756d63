# SPDX-License-Identifier: BSD-3-Clause
"""Sweeps on this machine, as a user makes them: complete, interrupted, with a run that fails, gone on with."""

import json
import os
import re
import signal
import subprocess
import time

import h5py
import pytest

from conftest import BIN, PATIENCE_S, ROOT
from processes import program_of

SMALL = {"dataset": "synthetic", "synthetic_train": 1003, "synthetic_test": 200, "epochs": 2, "model": "mlp:784-16-10"}
# Long enough to be caught at work: many small steps.
LONG = {**SMALL, "synthetic_train": 8000, "epochs": 60, "eval_acc": False}
INTERRUPTED = 75


class Sweep:
    """A spec file, and the sweep program on it."""

    def __init__(self, folder, **spec):
        self.results = folder / "results"
        self.file = folder / "small.json"
        self.write(**spec)

    def write(self, **spec):
        self.file.write_text(json.dumps({"name": "small", "title": "a test", **spec}))

    @property
    def folder(self):
        return self.results / "small"

    def command(self, name, *arguments):
        words = [str(BIN / "sweep"), name]
        words += [str(self.file), "--results", str(self.results)] if name in ("run", "submit", "expand") else [str(self.folder)]
        return [*words, *map(str, arguments)]

    def do(self, name, *arguments, env=None, timeout=PATIENCE_S):
        return subprocess.run(self.command(name, *arguments), cwd=ROOT, capture_output=True, text=True, timeout=timeout,
                              stdin=subprocess.DEVNULL, env={**os.environ, **(env or {})})

    def start(self, name, *arguments):
        return subprocess.Popen(self.command(name, *arguments), cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                text=True, stdin=subprocess.DEVNULL)

    def states(self):
        return {run["run_id"]: run["state"] for run in json.loads(self.do("status", "--json").stdout)}

    def run_files(self):
        return sorted(self.folder.glob("*.h5"))

    def wait_for_epochs(self, epochs, process):
        """Until a run has recorded so many epochs; returns its run file."""
        give_up = time.monotonic() + PATIENCE_S
        while time.monotonic() < give_up:
            assert process.poll() is None, process.communicate()
            for path in self.run_files():
                with h5py.File(path) as file:
                    if file.attrs["status"] == "running" and "epoch_s" in file["epochs"] and len(file["epochs/epoch_s"]) >= epochs:
                        return path
            time.sleep(0.05)
        raise AssertionError("no run comes on")


def status_of(path):
    with h5py.File(path) as file:
        return file.attrs["status"]


def segments_of(path):
    with h5py.File(path) as file:
        return len(file["segments/started"])


def test_runs_are_made_once(tmp_path):
    sweep = Sweep(tmp_path, fixed=SMALL, matrix={"algorithm": ["parallel_sgd", "param_avg"], "ranks": [1, 2]})
    first = sweep.do("run")
    assert first.returncode == 0, first.stdout + first.stderr
    assert "all complete" in first.stdout
    files = sweep.run_files()
    assert [status_of(path) for path in files] == ["complete"] * 4
    assert set(sweep.states().values()) == {"complete"}
    written = [path.stat().st_mtime_ns for path in files]

    again = sweep.do("run")
    assert again.returncode == 0
    assert "4 of them complete" in again.stdout
    assert [path.stat().st_mtime_ns for path in files] == written


def test_a_run_that_fails_is_told_and_the_others_are_made(tmp_path):
    sweep = Sweep(tmp_path, fixed=SMALL, matrix={"algorithm": ["serial"], "learning_rate": [0.01, 1e20]})
    done = sweep.do("run")
    assert done.returncode == 1
    assert "FAILED with status 3: error: the training diverged" in done.stdout
    assert "sweep resume" in done.stdout
    assert sorted(sweep.states().values()) == ["complete", "failed"]
    shown = sweep.do("status").stdout
    assert "1 complete, 1 failed" in shown
    assert "the training diverged" in shown


@pytest.mark.slow
def test_ctrl_c_keeps_the_work_and_resume_goes_on(tmp_path):
    sweep = Sweep(tmp_path, fixed=LONG, matrix={"algorithm": ["param_avg"], "ranks": [2], "batch_size": [4, 5]})
    process = sweep.start("run")
    path = sweep.wait_for_epochs(2, process)
    states = sweep.states()
    assert states.pop(path.stem) == "running"
    assert list(states.values()) == ["waiting"]
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == INTERRUPTED, out
    assert "interrupted, to be resumed" in out
    assert status_of(path) == "interrupted"
    assert sorted(sweep.states().values()) == ["interrupted", "missing"]

    resumed = sweep.do("resume")
    assert resumed.returncode == 0, resumed.stdout
    assert set(sweep.states().values()) == {"complete"}
    assert segments_of(path) == 2


@pytest.mark.slow
def test_a_rank_that_is_killed_is_named_and_resume_completes_its_run(tmp_path):
    sweep = Sweep(tmp_path, fixed={**LONG, "epochs": 40}, matrix={"algorithm": ["parallel_sgd"], "ranks": [2], "batch_size": [4]})
    process = sweep.start("run")
    path = sweep.wait_for_epochs(1, process)
    words = f"--results={re.escape(str(sweep.results))} --run-id={path.stem}"  # the run's, and no other worker's
    ranks = [int(pid) for pid in subprocess.run(["pgrep", "-f", "--", words], capture_output=True, text=True).stdout.split()]
    ranks = [pid for pid in ranks if program_of(pid).endswith("/train")]
    assert len(ranks) == 2
    os.kill(ranks[1], signal.SIGKILL)
    out, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 1
    assert "process rank 1" in out and "signal 9" in out
    assert list(sweep.states().values()) == ["broken"]
    assert "process rank 1" in sweep.do("status").stdout

    assert sweep.do("resume").returncode == 0
    assert status_of(path) == "complete"
    assert segments_of(path) == 2


def test_a_folder_is_worked_on_by_one_sweep_at_a_time(tmp_path):
    sweep = Sweep(tmp_path, fixed=LONG, matrix={"algorithm": ["serial"], "batch_size": [4]})
    process = sweep.start("run")
    sweep.wait_for_epochs(1, process)
    second = sweep.do("run")
    assert second.returncode == 2
    assert "is being worked on" in second.stderr and str(process.pid) in second.stderr
    cancelled = sweep.do("cancel")
    assert cancelled.returncode == 0 and str(process.pid) in cancelled.stdout
    process.communicate(timeout=PATIENCE_S)
    assert process.returncode == INTERRUPTED


@pytest.mark.slow
def test_a_folder_of_another_sweep_is_refused_and_extended_when_asked(tmp_path):
    sweep = Sweep(tmp_path, fixed=SMALL, matrix={"algorithm": ["serial"], "batch_size": [32, 64]})
    assert sweep.do("run").returncode == 0
    sweep.write(fixed=SMALL, matrix={"algorithm": ["serial"], "batch_size": [64, 128]})
    refused = sweep.do("run")
    assert refused.returncode == 2
    assert "holds another sweep" in refused.stderr and "--extend" in refused.stderr
    assert len(sweep.run_files()) == 2
    assert sweep.do("run", "--extend").returncode == 0
    assert len(sweep.run_files()) == 3
    assert list(sweep.states().values()) == ["complete"] * 3


def test_a_run_file_of_another_configuration_stops_the_sweep_before_it_starts(tmp_path):
    sweep = Sweep(tmp_path, fixed=SMALL, matrix={"algorithm": ["serial"], "batch_size": [32, 64]})
    assert sweep.do("run").returncode == 0
    first, second = sweep.run_files()
    second.write_bytes(first.read_bytes())
    again = sweep.do("run")
    assert again.returncode == 2
    assert second.name in again.stderr and "another batch_size" in again.stderr


@pytest.mark.slow
def test_repeats_are_made_until_the_median_is_known(tmp_path):
    # Nothing is learned, so the losses of all seeds are nearly the same.
    settings = {"fixed": {**SMALL, "epochs": 1, "learning_rate": 1e-9}, "matrix": {"algorithm": ["serial"]}}
    sweep = Sweep(tmp_path, **settings, until={"metric": "test_loss", "ci": 0.5, "at_most": 9})
    assert sweep.do("run").returncode == 0
    assert len(sweep.run_files()) == 6  # fewer have no 95% interval
    assert set(sweep.states().values()) == {"complete"}
    sweep.write(**settings, until={"metric": "test_loss", "ci": 1e-9, "at_most": 7})
    assert sweep.do("run").returncode == 0
    assert len(sweep.run_files()) == 7


def without_slurm(tmp_path):
    """A PATH that has what sweep needs but no Slurm."""
    folder = tmp_path / "bin"
    folder.mkdir(exist_ok=True)
    return {"PATH": str(folder)}


def test_submitting_without_slurm_says_so(tmp_path):
    sweep = Sweep(tmp_path, fixed=SMALL, matrix={"algorithm": ["param_avg"], "ranks": [1, 2]})
    refused = sweep.do("submit", env=without_slurm(tmp_path))
    assert refused.returncode == 2
    assert "there is no Slurm on this machine" in refused.stderr and "sweep run" in refused.stderr
    assert not sweep.folder.exists()


@pytest.mark.parametrize("mode", ["packed", "spread"])
def test_a_dry_run_shows_scripts_that_shellcheck_likes(tmp_path, mode):
    sweep = Sweep(tmp_path, fixed=SMALL, matrix={"algorithm": ["param_avg", "parallel_sgd"], "ranks": [1, 2, 4]})
    shown = sweep.do("submit", "--dry-run", "--mode", mode, env=without_slurm(tmp_path))
    assert shown.returncode == 0, shown.stderr
    scripts = sorted((sweep.folder / "sweep/dry-run").glob("*.sbatch"))
    assert len(scripts) == (3 if mode == "spread" else 1)
    for script in scripts:
        text = script.read_text()
        assert text in shown.stdout
        for line in ("--requeue", "--open-mode=append", "--signal=B:USR1@", "--hint=nomultithread"):
            assert f"#SBATCH {line}" in text
        assert "--partition" not in text and "--account" not in text
    checked = subprocess.run(["shellcheck", *map(str, scripts)], capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout
    assert not sweep.run_files()


def test_a_time_that_is_too_short_is_refused_unless_runs_may_be_split(tmp_path):
    sweep = Sweep(tmp_path, fixed={**SMALL, "epochs": 10}, matrix={"algorithm": ["serial"]}, time="0:30:00")
    short = sweep.do("submit", "--dry-run", "--time", "0:10:00", env=without_slurm(tmp_path))
    assert short.returncode == 2
    assert "too short" in short.stderr and "--split" in short.stderr
    split = sweep.do("submit", "--dry-run", "--time", "0:10:00", "--split", env=without_slurm(tmp_path))
    assert split.returncode == 0
    assert "#SBATCH --time=0:10:00" in split.stdout


def test_unknown_sites_and_their_keys_are_named(tmp_path):
    sweep = Sweep(tmp_path, fixed=SMALL, matrix={"algorithm": ["serial"]})
    wrong = sweep.do("run", "--site", "lokal")
    assert wrong.returncode == 2 and "did you mean 'local'" in wrong.stderr
    site = tmp_path / "mine.json"
    site.write_text('{"scheduler": "none", "luncher": "mpirun"}')
    wrong = sweep.do("run", "--site", site)
    assert wrong.returncode == 2 and "mine.json" in wrong.stderr and "did you mean 'launcher'" in wrong.stderr
