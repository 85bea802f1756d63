# SPDX-License-Identifier: BSD-3-Clause
"""The batch scripts in jobs/, submitted as the README says."""

import os
import subprocess
from collections import Counter

import pytest

from cluster import ROOT, wait_until
from conftest import SITES, TINY
from sweeps import LONG, SMALL, epochs_for, options_of


@pytest.mark.parametrize("launcher", SITES)
def test_train_runs_on_several_nodes(lockstep, launcher):
    job = lockstep.run("train.sbatch", "--algorithm", "param_avg", *TINY, sbatch=["-n", 8], launcher=launcher)
    assert job.state == "COMPLETED", job.log
    run = lockstep.run_file(f"train-job{job.number}")
    assert (run.status, run.epochs, run.config["algorithm"]) == ("complete", 2, "param_avg")
    assert len(run.hosts) == 8 and len(set(run.hosts)) == 2, run.hosts
    assert run.environment["SLURM_JOB_ID"] == str(job.number)
    assert run.environment["SLURM_JOB_NUM_NODES"] == "2"


@pytest.mark.parametrize("algorithm", ["serial", "parallel_sgd", "param_avg", "w_param_avg"])
def test_each_algorithm_has_a_script_that_takes_the_old_spelling(lockstep, algorithm):
    ranks = 1 if algorithm == "serial" else 3
    job = lockstep.run(f"{algorithm}.sbatch", *TINY, "-batch_size", 32, "-n_epochs", 1,
                       sbatch=["-n", ranks] if ranks > 1 else [])
    assert job.state == "COMPLETED", job.log
    run = lockstep.run_file(f"{algorithm}-job{job.number}")
    assert (run.status, run.epochs, len(run.hosts)) == ("complete", 1, ranks)
    assert (run.config["algorithm"], run.config["batch_size"]) == (algorithm, 32)


@pytest.mark.parametrize("launcher", SITES)
def test_ranks_go_where_slurm_has_put_them(lockstep, launcher):
    job = lockstep.run("param_avg.sbatch", *TINY, sbatch=["-N", 4, "-n", 7, "--distribution", "block"], launcher=launcher)
    assert job.state == "COMPLETED", job.log
    run = lockstep.run_file(f"param_avg-job{job.number}")
    assert sorted(Counter(run.hosts).values()) == slurm_tasks(run.environment["SLURM_TASKS_PER_NODE"])


def slurm_tasks(text):
    """ "4,1(x3)" -> [1, 1, 1, 4] """
    counts = []
    for part in text.split(","):
        count, _, times = part.rstrip(")").partition("(x")
        counts += [int(count)] * int(times or 1)
    return sorted(counts)


def test_a_run_id_of_ones_own_is_kept(lockstep):
    job = lockstep.run("train.sbatch", "--algorithm", "serial", *TINY, "--run-id=mine", sbatch=["-n", 1])
    assert job.state == "COMPLETED", job.log
    assert lockstep.run_file("mine").status == "complete"


@pytest.mark.parametrize("launcher", ["srun", pytest.param("mpirun", marks=pytest.mark.long)])
def test_a_job_told_that_its_time_ends_keeps_a_checkpoint_and_goes_on_by_itself(lockstep, launcher):
    """The signal is the one that the script asks Slurm for, sent at once."""
    epochs = epochs_for(5)
    number = lockstep.submit("train.sbatch", "--algorithm", "param_avg", "--progress", "plain",
                             *options_of({**SMALL, **LONG, "epochs": epochs}), sbatch=["-n", 5], launcher=launcher)
    run_id = f"train-job{number}"
    wait_until(lambda: lockstep.epochs(run_id) >= 2, "the run does not come on", lambda: lockstep.log(number))
    lockstep.cluster.exec("scancel", "--signal", "USR1", "--batch", number)
    job = lockstep.wait(number)
    assert job.state == "COMPLETED", job.log
    assert lockstep.cluster.job(number)["restart_cnt"] == 1
    run = lockstep.run_file(run_id)
    assert (run.status, run.epochs, run.segments) == ("complete", epochs, ["interrupted", "complete"])
    assert run.lost_s == 0


def test_the_checkout_is_found_through_lockstep_home(lockstep, tmp_path):
    job = lockstep.run("param_avg.sbatch", *TINY, sbatch=["-n", 2], cwd=tmp_path)
    assert (job.state, job.status) == ("FAILED", 2)
    assert "LOCKSTEP_HOME" in job.log and str(tmp_path) in job.log
    job = lockstep.run("param_avg.sbatch", *TINY, sbatch=["-n", 2], cwd=tmp_path, env={"LOCKSTEP_HOME": str(ROOT)})
    assert job.state == "COMPLETED", job.log


def test_a_checkout_that_is_not_built_says_so(lockstep, tmp_path):
    (tmp_path / "checkout").mkdir()
    (tmp_path / "checkout" / "jobs").symlink_to(ROOT / "jobs")
    job = lockstep.run("train.sbatch", *TINY, sbatch=["-n", 2], cwd=tmp_path / "checkout")
    assert (job.state, job.status) == ("FAILED", 2)
    assert "not built" in job.log and "make" in job.log


@pytest.mark.parametrize("launcher", SITES)
def test_a_misspelt_option_ends_the_job_with_trains_own_status(lockstep, launcher):
    job = lockstep.run("train.sbatch", "--algorithm", "param_av", *TINY, sbatch=["-n", 8], launcher=launcher)
    assert (job.state, job.status) == ("FAILED", 2), job.log
    assert "'param_av'" in job.log and "param_avg" in job.log


def test_outside_a_job_the_script_says_what_it_is_for():
    kept = {key: value for key, value in os.environ.items() if not key.startswith("SLURM_")}
    done = subprocess.run([ROOT / "jobs/train.sbatch"], capture_output=True, text=True, env=kept, cwd=ROOT)
    assert done.returncode == 2
    assert "sbatch" in done.stderr


def test_no_script_names_an_account_or_a_partition():
    for script in (ROOT / "jobs").glob("*.sbatch"):
        options = [line for line in script.read_text().splitlines() if line.startswith("#SBATCH")]
        assert options and not [line for line in options if "partition" in line or "account" in line], script
