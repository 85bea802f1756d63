# SPDX-License-Identifier: BSD-3-Clause
"""Runs that are told to stop, or killed, and go on: in the same run file, to the same parameters."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import h5py
import numpy as np
import pytest

from conftest import BIN, PATIENCE_S, ROOT, recorded_epochs, series, wait_for_epochs
from run_file_checks import check_run_file

# Small batches: many steps, in epochs that take some tenths of a second.
RUN = ["--dataset", "synthetic", "--synthetic-train", "4001", "--synthetic-test", "100", "--model", "mlp:784-32-10",
       "--batch-size", "2", "--eval-acc", "0", "--checkpoint-minutes", "0"]
INTERRUPTED = 75
# Enough for a run to be caught at work on a fast machine.
EPOCHS = 50


class Job:
    """A run in the background, with a name of its own."""

    def __init__(self, lockstep, name, *arguments, ranks=2):
        self.folder, self.name, self.ranks = lockstep.folder, name, ranks
        self.arguments = [*RUN, *map(str, arguments), "--results", str(lockstep.folder), "--run-id", name]
        self.process = None

    @property
    def run_file(self):
        return self.folder / "runs" / f"{self.name}.h5"

    @property
    def checkpoint(self):
        return self.run_file.with_suffix(".ckpt")

    def start(self, *more):
        command = [str(ROOT / "jobs/local.sh"), str(self.ranks), str(BIN / "train"), *self.arguments, *map(str, more)]
        self.process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                        stdin=subprocess.DEVNULL)
        return self

    def wait_for_epochs(self, epochs):
        """Until so many epochs are recorded."""
        wait_for_epochs(self.process, self.run_file, epochs)
        return self

    def recorded_epochs(self):
        return recorded_epochs(self.run_file)

    def rank_pids(self):
        """The ranks' processes, in the order of their start."""
        children = " ".join(path.read_text() for path in Path(f"/proc/{self.process.pid}/task").glob("*/children")).split()
        return sorted(int(pid) for pid in children if Path(f"/proc/{pid}/comm").read_text() == "train\n")

    def end(self):
        out, err = self.process.communicate(timeout=PATIENCE_S)
        return self.process.returncode, out, err

    def run(self, *more):
        return self.start(*more).end()

    def resume(self, *more):
        return self.run("--resume", *more)

    def parameters(self):
        with h5py.File(self.run_file) as file:
            return file["provenance/parameters_sha256"].asstr()[()]

    def segments(self):
        with h5py.File(self.run_file) as file:
            return {name: column.asstr()[:].tolist() if h5py.check_string_dtype(column.dtype) else column[:].tolist()
                    for name, column in file["segments"].items()}


def expect_same_training(job, unbroken):
    assert job.parameters() == unbroken.parameters()
    for name in ("train_loss", "samples", "steps", "learning_rate", "rank_samples"):
        assert (series(job.run_file, f"epochs/{name}") == series(unbroken.run_file, f"epochs/{name}")).all(), name
    check_run_file(job.run_file)
    assert not job.checkpoint.exists() and not job.checkpoint.with_suffix(".ckpt.previous").exists()


ALGORITHMS = [["--algorithm", "parallel_sgd"], ["--algorithm", "w_param_avg", "--avg-steps", "7", "--optimizer", "sgd", "--momentum", "0.9",
                                               "--learning-rate", "0.001"]]


@pytest.mark.parametrize("algorithm", [pytest.param(ALGORITHMS[0], marks=pytest.mark.long), ALGORITHMS[1]], ids=lambda words: words[1])
def test_a_signal_to_one_rank_stops_all_and_the_run_goes_on_to_the_same_end(lockstep, algorithm):
    unbroken = Job(lockstep, "unbroken", *algorithm, "--epochs", EPOCHS)
    assert unbroken.run()[0] == 0
    job = Job(lockstep, "broken", *algorithm, "--epochs", EPOCHS)
    job.start().wait_for_epochs(1)
    os.kill(job.rank_pids()[-1], signal.SIGUSR1)
    status, _, err = job.end()
    assert status == INTERRUPTED, err
    assert err.count("interrupted in epoch") == 1 and "--resume --run-id broken" in err
    check_run_file(job.run_file, status="interrupted")
    assert job.checkpoint.exists()
    epochs = job.recorded_epochs()
    dump = subprocess.run(["h5dump", "-H", str(job.checkpoint)], capture_output=True, text=True, check=True).stdout
    assert '"parameters' in dump

    status, out, err = job.resume()
    assert status == 0, err
    assert f"resuming after {epochs} epochs" in out
    expect_same_training(job, unbroken)
    segments = job.segments()
    assert segments["status"] == ["interrupted", "complete"]
    assert segments["first_epoch"] == [0, epochs]
    assert segments["first_step"][0] == 0 and segments["first_step"][1] > 0
    assert segments["lost_s"] == [0, 0]
    assert all(segments["started"]) and all(segments["finished"]) and all(segments["hosts"])


@pytest.mark.parametrize("name", [pytest.param("SIGTERM", marks=pytest.mark.slow), pytest.param("SIGINT", marks=pytest.mark.slow), "SIGUSR1"])
def test_stopping_the_launcher_leaves_a_checkpoint_in_time(lockstep, name):
    job = Job(lockstep, "a", "--algorithm", "param_avg", "--epochs", 100000).start().wait_for_epochs(1)
    job.process.send_signal(getattr(signal, name))
    status, _, err = job.end()
    assert status != 0
    assert "all work is saved" in err
    assert job.checkpoint.exists()
    assert job.segments()["status"] == ["interrupted"]


@pytest.mark.slow
def test_a_killed_run_goes_on_from_its_last_checkpoint_and_tells_what_was_lost(lockstep):
    arguments = ["--algorithm", "param_avg", "--epochs", EPOCHS, "--checkpoint-epochs", 3]
    unbroken = Job(lockstep, "unbroken", *arguments)
    assert unbroken.run()[0] == 0
    job = Job(lockstep, "killed", *arguments).start().wait_for_epochs(5)
    os.kill(job.rank_pids()[0], signal.SIGKILL)
    job.end()
    with h5py.File(job.checkpoint) as file:
        saved = json.loads(file["about"].asstr()[()])["epochs_done"]
    assert saved % 3 == 0 and 0 <= job.recorded_epochs() - saved <= 3  # 3: killed between run file and checkpoint
    lost = series(job.run_file, "epochs/epoch_s")[saved:].sum()
    job.checkpoint.with_name("killed.ckpt.0123456789abcdef.partial").touch()  # it was killed while it wrote one
    status, out, err = job.resume()
    assert status == 0, err
    assert f"resuming after {saved} epochs and 0 steps" in out
    expect_same_training(job, unbroken)
    segments = job.segments()
    assert segments["status"] == ["killed", "complete"]
    np.testing.assert_allclose(segments["lost_s"], [lost, 0], atol=1e-9)
    assert not list(job.run_file.parent.glob("*.partial"))


@pytest.mark.slow
def test_checkpoints_by_time_are_written_in_the_middle_of_epochs(lockstep):
    arguments = ["--algorithm", "parallel_sgd", "--epochs", 100, "--synthetic-train", 100000]
    job = Job(lockstep, "a", *arguments, "--checkpoint-minutes", 0.003).start()
    give_up = time.monotonic() + PATIENCE_S
    while not job.checkpoint.with_name("a.ckpt.previous").exists() and time.monotonic() < give_up:
        time.sleep(0.02)
    os.kill(job.rank_pids()[0], signal.SIGKILL)
    job.end()
    with h5py.File(job.checkpoint) as file:
        about = json.loads(file["about"].asstr()[()])
    assert about["epoch_steps"] > 0


@pytest.mark.slow
def test_a_broken_checkpoint_is_named_and_the_one_before_it_used(lockstep):
    job = Job(lockstep, "a", "--algorithm", "param_avg", "--epochs", EPOCHS, "--checkpoint-epochs", 1).start().wait_for_epochs(4)
    os.kill(job.rank_pids()[0], signal.SIGKILL)
    job.end()
    job.checkpoint.write_bytes(job.checkpoint.read_bytes()[:-100])
    status, out, err = job.resume()
    assert status == 0, err
    assert f"{job.checkpoint} is no whole checkpoint" in err
    assert ".ckpt.previous" in out
    assert job.recorded_epochs() == EPOCHS


def test_without_a_usable_checkpoint_the_run_starts_anew_in_its_file(lockstep):
    arguments = ["--algorithm", "param_avg", "--epochs", EPOCHS]
    job = Job(lockstep, "a", *arguments).start().wait_for_epochs(2)
    os.kill(job.rank_pids()[0], signal.SIGKILL)
    job.end()
    lost = series(job.run_file, "epochs/train_clock_s")[-1]
    status, out, err = job.resume()
    assert status == 0, err
    assert "starting anew" in out
    unbroken = Job(lockstep, "unbroken", *arguments)
    assert unbroken.run()[0] == 0
    expect_same_training(job, unbroken)
    assert job.segments()["first_epoch"] == [0, 0]
    np.testing.assert_allclose(job.segments()["lost_s"], [lost, 0])


@pytest.mark.slow
def test_of_two_that_go_on_with_one_run_the_older_ends(lockstep):
    """As when Slurm thinks a node dead, and starts its job elsewhere."""
    options = ["a", "--algorithm", "param_avg", "--epochs", 100000, "--checkpoint-epochs", 1]
    orphan = Job(lockstep, *options).start().wait_for_epochs(1)
    heir = Job(lockstep, *options).start("--resume")
    status, _, err = orphan.end()
    assert status == 4 and "another process has continued this run" in err and str(orphan.run_file) in err
    heir.wait_for_epochs(2)
    os.kill(heir.rank_pids()[0], signal.SIGUSR1)
    status, out, err = heir.end()
    assert status == INTERRUPTED
    assert "resuming after" in out and "warning" not in err, "what the older had saved was of no use"
    check_run_file(heir.run_file, status="interrupted")
    assert heir.segments()["status"] == ["killed", "interrupted"]
    assert heir.checkpoint.exists()


@pytest.mark.slow
def test_names_are_guarded(lockstep):
    job = Job(lockstep, "a", "--epochs", 1, "--algorithm", "param_avg")
    assert job.run()[0] == 0
    before = job.run_file.read_bytes()
    for more, words in [([], ["--resume", "a.h5"]),
                        (["--resume", "--learning-rate", "0.5"], ["learning_rate", "0.5"]),
                        (["--resume", "--seed", "3", "--batch-size", "7"], ["seed 1", "seed 3", "batch_size 7"])]:
        status, _, err = job.run(*more)
        assert status == 2, err
        assert err.count("error:") == 1
        for word in words:
            assert word in err
    job.ranks = 3
    status, _, err = job.resume()
    assert status == 2 and "ranks 2" in err and "ranks 3" in err
    job.ranks = 2
    status, out, _ = job.resume()
    assert status == 0 and "complete already" in out
    assert job.run_file.read_bytes() == before
    status, _, err = lockstep.run(*RUN, "--resume", "--results", lockstep.folder).__dict__.values()
    assert status == 2 and "--run-id" in err


def test_resume_of_a_run_that_never_was_starts_it(lockstep):
    job = Job(lockstep, "a", "--epochs", 1, "--algorithm", "param_avg")
    status, _, err = job.resume()
    assert status == 0, err
    assert job.segments()["status"] == ["complete"]


@pytest.mark.slow
def test_a_checkpoint_of_another_run_is_refused(lockstep):
    jobs = []
    for name, seed in (("a", 1), ("b", 2)):
        job = Job(lockstep, name, "--algorithm", "param_avg", "--epochs", 40, "--seed", seed).start().wait_for_epochs(1)
        os.kill(job.rank_pids()[0], signal.SIGUSR1)
        assert job.end()[0] == INTERRUPTED
        jobs.append(job)
    jobs[0].checkpoint.write_bytes(jobs[1].checkpoint.read_bytes())
    status, out, err = jobs[0].resume()
    assert status == 0
    assert "belongs to another run" in err and "starting anew" in out


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a small disk")
def test_a_full_disk_costs_the_checkpoint_and_not_the_run(lockstep, tmp_path):
    small = tmp_path / "results"
    small.mkdir(exist_ok=True)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=600k", "tmpfs", small], capture_output=True).returncode != 0:
        pytest.skip("no tmpfs can be mounted here")
    try:
        # 2 ranks x 101,770 parameters x 4 bytes do not fit.
        job = Job(lockstep, "a", "--algorithm", "param_avg", "--epochs", 3, "--model", "mlp:784-128-10", "--checkpoint-epochs", 1)
        status, _, err = job.run()
        assert status == 0, err
        assert "warning: no checkpoint could be written" in err
        check_run_file(job.run_file)
        assert sorted(path.name for path in job.run_file.parent.iterdir()) == ["a.h5"]
    finally:
        subprocess.run(["umount", small], check=True)


def test_slurm_and_the_binding_that_was_asked_for_are_told(lockstep):
    slurm = {"SLURM_JOB_ID": "17", "SLURM_ARRAY_TASK_ID": "3", "SLURM_JOB_PARTITION": "short", "SLURM_RESTART_COUNT": "2"}
    path = lockstep.train(*RUN, "--epochs", 1, env={**slurm, "LOCKSTEP_BINDING": "none"})
    with h5py.File(path) as file:
        p = file["provenance"]
        assert p["slurm_job_id"].asstr()[()] == "17" and p["slurm_array_task_id"].asstr()[()] == "3"
        assert p["slurm_job_partition"].asstr()[()] == "short" and p["slurm_restart_count"][()] == 2
        assert "slurm_step_id" not in p
        assert p["requested_binding"].asstr()[()] == "none" and p["binding_as_requested"][()] == 1
        assert file["segments/job"].asstr()[:].tolist() == ["17"] and file["segments/restart_count"][:].tolist() == [2]
    # Ranks that share cores are not bound to one each.
    ranks = len(os.sched_getaffinity(0)) + 1
    result = lockstep.run(*RUN, "--epochs", 1, "--algorithm", "param_avg", "--results", lockstep.folder, "--run-id", "shared", ranks=ranks,
                          env={"LOCKSTEP_BINDING": "core"})
    assert result.status == 0 and "one rank a core was asked for, but" in result.err
    with h5py.File(lockstep.folder / "runs" / "shared.h5") as file:
        assert file["provenance/binding_as_requested"][()] == 0


def kill_after(job, epochs):
    job.start().wait_for_epochs(epochs)
    os.kill(job.rank_pids()[0], signal.SIGKILL)
    job.end()
    return job


@pytest.mark.parametrize("damage", ["empty", *(pytest.param(damage, marks=pytest.mark.long) for damage in ("flipped", "cut"))])
def test_a_good_checkpoint_survives_a_bad_run_file(lockstep, damage):
    """As after a power cut."""
    arguments = ["--algorithm", "param_avg", "--epochs", EPOCHS, "--checkpoint-epochs", 2]
    unbroken = Job(lockstep, "unbroken", *arguments)
    assert unbroken.run()[0] == 0
    job = kill_after(Job(lockstep, "bad", *arguments), 5)
    data = bytearray(job.run_file.read_bytes())
    data[len(data) // 2] ^= 1
    job.run_file.write_bytes({"empty": b"", "flipped": data, "cut": data[: len(data) // 2]}[damage])
    status, out, err = job.resume()
    assert status == 0, err
    assert "the run resumes with the copy in" in err and str(job.checkpoint) in err
    assert "resuming after" in out
    expect_same_training(job, unbroken)
    assert job.segments()["status"] == ["killed", "complete"]


def test_a_damaged_run_file_without_a_checkpoint_is_refused_and_kept(lockstep):
    job = kill_after(Job(lockstep, "bad", "--algorithm", "param_avg", "--epochs", EPOCHS), 2)
    damaged = job.run_file.read_bytes()[:-100]
    job.run_file.write_bytes(damaged)
    status, _, err = job.resume()
    assert status == 2 and "is damaged" in err and "runfile repair" in err and "remove the file" in err
    assert job.run_file.read_bytes() == damaged
    job.run_file.write_bytes(b"")  # nothing is lost with it
    status, _, err = job.resume()
    assert status == 0 and "is empty" in err
    assert job.recorded_epochs() == EPOCHS


def test_a_run_file_that_is_touched_or_changed_is_no_sign_of_another_process(lockstep):
    job = Job(lockstep, "a", "--algorithm", "param_avg", "--epochs", EPOCHS, "--checkpoint-epochs", 2).start().wait_for_epochs(2)
    for change in (job.run_file.touch, lambda: h5py.File(job.run_file, "r+").close()):
        change()
        job.wait_for_epochs(job.recorded_epochs() + 1)
    status, _, err = job.end()
    assert status == 0 and "another process" not in err, err


def test_what_a_kill_after_the_last_write_leaves_is_removed_at_the_next_look(lockstep):
    job = Job(lockstep, "a", "--algorithm", "param_avg", "--epochs", 1)
    assert job.run()[0] == 0
    left = [job.checkpoint, job.checkpoint.with_name("a.ckpt.previous"), job.checkpoint.with_name("a.h5.0123456789abcdef.partial")]
    for path in left:
        path.touch()
    status, out, _ = job.resume()
    assert status == 0 and "complete already" in out
    assert not [path for path in left if path.exists()]


@pytest.mark.parametrize("launcher", ["none", "mpiexec"])
def test_a_hangup_stops_a_run_with_a_checkpoint(lockstep, launcher):
    job = Job(lockstep, "a", "--algorithm", "serial" if launcher == "none" else "param_avg", "--epochs", 100000)
    if launcher == "none":
        job.process = subprocess.Popen([str(BIN / "train"), *job.arguments], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                       text=True, stdin=subprocess.DEVNULL)
    else:
        job.start()
    job.wait_for_epochs(1)
    job.process.send_signal(signal.SIGHUP)
    status, _, err = job.end()
    assert "all work is saved" in err and job.checkpoint.exists(), err
    assert status == INTERRUPTED or launcher == "mpiexec"
    assert job.segments()["status"] == ["interrupted"]


def test_a_terminal_that_goes_away_stops_a_run_with_a_checkpoint(lockstep):
    job = Job(lockstep, "a", "--algorithm", "serial", "--epochs", 100000, "--progress", "live")
    ours, theirs = os.openpty()
    job.process = subprocess.Popen([str(BIN / "train"), *job.arguments], cwd=ROOT, stdin=theirs, stdout=theirs, stderr=theirs,
                                   start_new_session=True, preexec_fn=lambda: __import__("fcntl").ioctl(0, __import__("termios").TIOCSCTTY, 0))
    os.close(theirs)
    give_up = time.monotonic() + PATIENCE_S
    while not job.run_file.exists() or job.recorded_epochs() < 1:
        os.read(ours, 10000)
        assert time.monotonic() < give_up
    os.close(ours)  # the kernel sends SIGHUP, and fails all that is printed from now on
    assert job.process.wait(timeout=PATIENCE_S) == INTERRUPTED
    assert job.checkpoint.exists() and job.segments()["status"] == ["interrupted"]


def test_nohup_is_respected(lockstep):
    job = Job(lockstep, "a", "--algorithm", "serial", "--epochs", EPOCHS)
    job.process = subprocess.Popen([str(BIN / "train"), *job.arguments], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                   stdin=subprocess.DEVNULL, preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
    job.wait_for_epochs(1)
    job.process.send_signal(signal.SIGHUP)
    assert job.end()[0] == 0


def test_a_sweep_removes_what_a_kill_after_the_last_write_of_a_run_leaves(tmp_path):
    spec = tmp_path / "small.json"
    spec.write_text(json.dumps({"name": "small", "title": "a test", "fixed": {"dataset": "synthetic", "synthetic_train": 100, "epochs": 1,
                                                                            "synthetic_test": 50, "model": "mlp:784-8-10"}}))
    subprocess.run([BIN / "sweep", "run", spec, "--results", tmp_path / "results"], cwd=ROOT, check=True, capture_output=True)
    [run_file] = (tmp_path / "results").rglob("*.h5")
    checkpoint = run_file.with_suffix(".ckpt")
    checkpoint.touch()
    subprocess.run([BIN / "sweep", "status", run_file.parent], cwd=ROOT, check=True, capture_output=True)
    assert not checkpoint.exists()
