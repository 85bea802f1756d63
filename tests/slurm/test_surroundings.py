# SPDX-License-Identifier: BSD-3-Clause
"""Sweeps in surroundings of the caller's: variables that Slurm's commands read, an allocation, a folder of any name."""

import json
import os

import pytest

from cluster import ROOT
from conftest import SITES, TINY
from sweeps import SMALL, Sweep

HIDING = [{"SQUEUE_STATES": "RUNNING"}, {"SQUEUE_PARTITION": "short"}, {"SQUEUE_ACCOUNT": "other"}, {"SQUEUE_USERS": "nobody"},
          {"SQUEUE_FORMAT": "%i", "SLURM_TIME_FORMAT": "relative", "SINFO_FORMAT": "%N"}]


@pytest.fixture
def pending(cluster, tmp_path):
    """A sweep whose only job waits behind one that has all nodes."""
    cluster.wait_idle()
    blocker = cluster.sbatch("--nodes", 4, "--exclusive", "--output", "/dev/null", "--wrap", "sleep 600")
    sweep = Sweep(cluster, tmp_path, "pending", fixed={**SMALL, "algorithm": "param_avg"}, matrix={"ranks": [2, 4]})
    sweep.submit("packed")
    yield sweep
    cluster.exec("scancel", blocker)
    sweep.do("cancel")
    cluster.wait_idle()


def test_nothing_is_submitted_twice_whatever_the_callers_variables_are(cluster, pending):
    before = set(cluster.jobs())
    for variables in HIDING:
        shown = pending.do("status", env=variables).stdout
        assert "2 runs: 2 waiting" in shown, (variables, shown)
        again = pending.do("resume", env=variables).stdout
        assert "2 runs, 0 complete, 2 under way, 0 to be submitted" in again, (variables, again)
    assert set(cluster.jobs()) == before


def test_the_partition_in_the_environment_is_checked_as_that_of_the_command_line(cluster, tmp_path):
    sweep = Sweep(cluster, tmp_path, "wrong", fixed={**SMALL, "algorithm": "param_avg"}, matrix={"ranks": [2]})
    before = set(cluster.jobs())
    too_long = sweep.submit("packed", "--time", "0:20:00", check=False, env={"SBATCH_PARTITION": "short"})
    assert too_long.returncode == 2
    assert "too long" in too_long.stderr and "0:05:00" in too_long.stderr
    nowhere = sweep.submit("packed", check=False, env={"SBATCH_PARTITION": "nowhere"})
    assert nowhere.returncode == 2 and "no partition nowhere" in nowhere.stderr
    assert set(cluster.jobs()) == before


def test_variables_of_sbatch_without_effect_are_named(cluster, tmp_path):
    sweep = Sweep(cluster, tmp_path, "named", fixed={**SMALL, "algorithm": "param_avg"}, matrix={"ranks": [2]})
    done = sweep.submit("packed", "--partition", "main",
                        env={"SBATCH_PARTITION": "short", "SBATCH_TIMELIMIT": "99:00:00", "SBATCH_HOLD": "1", "SBATCH_EXPORT": "NONE"})
    assert "SBATCH_EXPORT, SBATCH_HOLD, SBATCH_TIMELIMIT are not used" in done.stderr
    sweep.wait()
    assert sweep.states() == ["complete"]
    job = cluster.job(sweep.jobs()["named"])
    assert job["partition"] == "main" and job["time_limit"] < 60


def submitted_in_a_job(cluster, sweep, tmp_path, *sbatch, site):
    """sweep submit, called by a job that has asked for memory of its own."""
    words = ["build/bin/sweep", "submit", sweep.spec, "--results", sweep.results, "--site", site]
    job = cluster.sbatch(*sbatch, "--output", tmp_path / "outer.log", "--wrap", " ".join(map(str, words)))
    assert cluster.wait_for(job)["job_state"] == "COMPLETED", (tmp_path / "outer.log").read_text()


@pytest.mark.parametrize("launcher", ["srun", "mpirun"])
def test_the_allocation_that_submit_is_called_in_is_not_inherited(cluster, tmp_path, launcher):
    site = json.loads(SITES[launcher].read_text())
    site["sbatch_args"] = ["--mem=200"]
    (tmp_path / "site.json").write_text(json.dumps(site))
    sweep = Sweep(cluster, tmp_path, "inner", fixed={**SMALL, "algorithm": "param_avg"}, matrix={"ranks": [1, 2]})
    submitted_in_a_job(cluster, sweep, tmp_path, "--mem-per-cpu=50", site=tmp_path / "site.json")
    sweep.wait()
    assert sweep.states() == ["complete"] * 2, sweep.evidence()


def test_a_script_that_a_job_submits_does_not_inherit_what_contradicts_its_own_memory(lockstep):
    inner = ["sbatch", "--parsable", "--wait", "-n", 2, "--mem=200", "--output", lockstep.log_path("inner"), "jobs/train.sbatch",
             "--algorithm=param_avg", *TINY, "--run-id=inner", "--results", lockstep.results]
    job = lockstep.cluster.sbatch("--mem-per-cpu=50", "--output", lockstep.log_path("outer"), "--wrap", " ".join(map(str, inner)),
                                  env={"LOCKSTEP_SITE": str(SITES["srun"])})
    assert lockstep.cluster.wait_for(job)["job_state"] == "COMPLETED", lockstep.log("inner")
    assert lockstep.run_file("inner").status == "complete"


def test_status_shows_why_a_job_made_nothing(cluster, tmp_path):
    site = json.loads(SITES["srun"].read_text())
    reasons = {"fatal": ("launcher_args", ["--mem=1", "--mem-per-cpu=1"], "srun: fatal:"),
               "setup": ("setup", ["exit 3"], "FAILED (NonZeroExitCode)")}
    for name, (key, value, reason) in reasons.items():
        path = tmp_path / f"{name}-site.json"
        path.write_text(json.dumps({**site, key: value}))
        sweep = Sweep(cluster, tmp_path, name, fixed={**SMALL, "algorithm": "param_avg"}, matrix={"ranks": [1, 2]})
        sweep.submit("packed", site=path)
        sweep.wait()
        shown = sweep.do("status").stdout
        assert "2 missing" in shown and reason in shown, shown


@pytest.mark.parametrize("launcher", SITES)
@pytest.mark.parametrize("export", ["NONE", "LOCKSTEP_SITE"])
def test_the_sites_environment_reaches_the_ranks_whatever_sbatch_exports(lockstep, tmp_path, launcher, export):
    site = json.loads(SITES[launcher].read_text())
    site["environment"]["OMPI_MCA_lockstep_mark"] = "42"
    (tmp_path / "site.json").write_text(json.dumps(site))
    name = f"export-{export.lower()}"
    script = tmp_path / "job.sh"  # NONE keeps nothing of the caller's, so the job itself says which site
    script.write_text(f"#!/bin/bash\nexport LOCKSTEP_SITE={tmp_path}/site.json LOCKSTEP_HOME={ROOT}\n"
                      f'exec {ROOT}/jobs/train.sbatch "$@"\n')
    what = export if export == "NONE" else f"LOCKSTEP_SITE={tmp_path}/site.json"
    job = lockstep.wait(lockstep.cluster.sbatch(
        "-N", 2, "-n", 4, f"--export={what}", "--output", lockstep.log_path("%j"),
        script if export == "NONE" else ROOT / "jobs/train.sbatch",
        "--algorithm", "param_avg", *TINY, f"--run-id={name}", "--results", lockstep.results))
    assert job.state == "COMPLETED", job.log
    run = lockstep.run_file(name)
    assert run.environment["OMPI_MCA_lockstep_mark"] == "42" and len(set(run.hosts)) == 2


@pytest.mark.parametrize("mode", ["packed", "spread"])
@pytest.mark.parametrize("name", ["my dir", "it's", 's"q', "new\nline", "caf\u00e9 #1"])
def test_the_folder_of_results_may_have_any_name(cluster, tmp_path, name, mode):
    sweep = Sweep(cluster, tmp_path, "named", fixed={**SMALL, "algorithm": "param_avg"}, matrix={"ranks": [2]})
    sweep.results = tmp_path / name
    sweep.folder = sweep.results / "named"
    sweep.submit(mode)
    sweep.wait()
    assert sweep.states() == ["complete"], sweep.do("status").stdout
    (job,) = sweep.jobs().values()
    assert (sweep.folder / "sweep/log" / f"slurm-{job}{'_0' if mode == 'spread' else ''}.out").exists()
    collect = max(number for number, one in cluster.jobs().items() if one["name"] == "named-collect")
    assert cluster.wait_for(collect)["job_state"] == "COMPLETED"
    assert (sweep.folder / "sweep/log" / f"collect-{collect}.out").exists()
    assert "1 complete" in (sweep.folder / "sweep/summary.txt").read_text()


@pytest.mark.parametrize("name", ["s50%j", "%A %a%", "back\\slash"])
def test_a_folder_whose_name_slurm_would_change_is_refused(cluster, tmp_path, name):
    sweep = Sweep(cluster, tmp_path, "refused", fixed={**SMALL, "algorithm": "param_avg"}, matrix={"ranks": [2]})
    sweep.results = tmp_path / name
    before = set(cluster.jobs())
    refused = sweep.submit("packed", check=False)
    assert refused.returncode == 2
    assert "Slurm cannot write the logs of jobs to" in refused.stderr and "--results" in refused.stderr
    assert set(cluster.jobs()) == before


def test_the_summary_does_not_follow_a_link(cluster, tmp_path):
    sweep = Sweep(cluster, tmp_path, "linked", fixed={**SMALL, "algorithm": "param_avg"}, matrix={"ranks": [2]})
    victim = tmp_path / "precious"
    victim.write_text("precious\n")
    (sweep.folder / "sweep").mkdir(parents=True)
    (sweep.folder / "sweep/summary.txt").symlink_to(victim)
    sweep.submit("packed")
    sweep.wait()
    cluster.wait_idle()
    assert victim.read_text() == "precious\n"
    assert "1 complete" in (sweep.folder / "sweep/summary.txt").read_text()


@pytest.mark.parametrize("name", ["../evil", "a/b", "..", ".hidden", "new\nline"])
def test_a_jobs_name_that_is_no_files_name_is_refused(lockstep, tmp_path, name):
    job = lockstep.run("train.sbatch", "--algorithm", "serial", *TINY, sbatch=["-n", 1, "-J", name])
    assert (job.state, job.status) == ("FAILED", 2), job.log
    assert "cannot name a run" in job.log and "-J" in job.log
    assert not list(tmp_path.rglob("*.h5"))


def test_a_job_may_have_a_partition_of_several(cluster, tmp_path):
    sweep = Sweep(cluster, tmp_path, "several", fixed={**SMALL, "algorithm": "param_avg"}, matrix={"ranks": [2]})
    for partition, known in (("main,nowhere", "no partition nowhere"), ("short,", None)):
        done = sweep.submit("packed", "--partition", partition, "--test-only", check=False)
        assert done.returncode == (2 if known else 0) and (known or "") in done.stderr, done.stderr
    sweep.submit("packed", "--partition", "short,main", "--time", "0:20:00")  # longer than short allows
    sweep.wait()
    assert sweep.states() == ["complete"]


def test_what_is_collected_waits_for_all_jobs_that_still_run(cluster, tmp_path):
    """Of two jobs the second is refused; what resume submits is collected with what still runs of the first."""
    cluster.wait_idle()
    blocker = cluster.sbatch("--nodes", 4, "--exclusive", "--output", "/dev/null", "--wrap", "sleep 600")
    sweep = Sweep(cluster, tmp_path, "partly", fixed={**SMALL, "algorithm": "param_avg"}, matrix={"ranks": [1, 2]})
    commands = tmp_path / "commands"
    commands.mkdir()
    (commands / "sbatch").write_text('#!/bin/bash\ncase "$*" in *test-only* | *n1x1*) exec /usr/bin/sbatch "$@" ;; esac\n'
                                     "echo 'sbatch: error: QOSMaxSubmitJobPerUserLimit' >&2\nexit 1\n")
    (commands / "sbatch").chmod(0o755)
    refused = sweep.submit("spread", check=False, env={"PATH": f"{commands}:{os.environ['PATH']}"})
    assert refused.returncode == 2
    assert "QOSMaxSubmitJobPerUserLimit" in refused.stderr and "1 of 2 jobs are submitted; sweep resume" in refused.stderr
    first = sweep.jobs()["partly-n1x1"]
    resumed = sweep.do("resume")
    assert "2 runs, 0 complete, 1 under way, 1 to be submitted" in resumed.stdout
    second = sweep.jobs()["partly-n2x1"]
    collect = max(number for number, job in cluster.jobs().items() if job["name"] == "partly-collect")
    shown = cluster.exec("scontrol", "show", "job", collect).stdout
    assert f"afterany:{first}" in shown and f"afterany:{second}" in shown, shown
    cluster.exec("scancel", blocker)
    sweep.wait()
    cluster.wait_idle()
    assert "2 runs: 2 complete" in (sweep.folder / "sweep/summary.txt").read_text()


@pytest.mark.parametrize("launcher", [["jobs/local.sh", 2], ["build/bin/sweep", "launch", "--site", "local", "-n", 2],
                                      ["build/bin/sweep", "launch", "--site", SITES["mpirun"], "-n", 2]], ids=["script", "local", "site"])
def test_ranks_may_have_the_cores_of_one_task(lockstep, launcher):
    done = lockstep.cluster.exec("srun", "--mpi=none", "-n", 1, "-c", 2, *launcher, "build/bin/train", "--algorithm=param_avg",
                                 *TINY, "--run-id=one-task", "--results", lockstep.results, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(lockstep.run_file("one-task").hosts) == 2
