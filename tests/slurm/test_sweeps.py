# SPDX-License-Identifier: BSD-3-Clause
"""Sweeps under Slurm: packed and spread, and complete whatever happens to their jobs."""

import json
import signal
import subprocess
from collections import Counter

import pytest
from cluster import wait_until
from conftest import SITES, full_site
from sweeps import LONG, SMALL, Held, Sweep, epochs_for, trainers

MATRIX = {"algorithm": ["parallel_sgd", "param_avg", "w_param_avg"], "ranks": [1, 2, 4, 8]}


def test_packed_and_spread_sweeps_are_made_at_the_same_time(cluster, tmp_path):
    packed = Sweep(cluster, tmp_path, "packed", fixed=SMALL, matrix=MATRIX)
    spread = Sweep(cluster, tmp_path, "spread", fixed=SMALL, matrix=MATRIX)
    packed.submit("packed", site=full_site("mpirun", tmp_path))
    spread.submit("spread", "--at-once", 2, launcher="srun")
    again = spread.submit("spread", launcher="srun")  # all of it is under way already
    assert "12 runs, 0 to be submitted" in again.stdout

    packed.wait()
    spread.wait()
    for sweep in (packed, spread):
        assert sweep.states() == ["complete"] * 12
        assert Counter(run["ranks"] for run in sweep.runs().values()) == {1: 3, 2: 3, 4: 3, 8: 3}
        for run_id in sweep.runs():
            assert sweep.segments(run_id) == 1

    # Packed: one job, and smaller runs on a part of the nodes of larger ones.
    assert len(packed.jobs()) == 1
    nodes = {run["ranks"]: set(packed.hosts(run_id)) for run_id, run in packed.runs().items()}
    assert nodes[1] == nodes[2] == nodes[4] and nodes[4] < nodes[8] and len(nodes[8]) == 2
    # Spread: an array for each shape.
    assert sorted(spread.jobs()) == ["spread-n1x1", "spread-n2x1", "spread-n4x1", "spread-n8x2"]

    for sweep in (packed, spread):
        scripts = sorted((sweep.folder / "sweep/jobs").glob("*.sbatch"))
        checked = subprocess.run(["shellcheck", *map(str, scripts)], capture_output=True, text=True)
        assert checked.returncode == 0, checked.stdout
        wait_for_summary(cluster, sweep)
        assert "12 runs: 12 complete" in (sweep.folder / "sweep/summary.txt").read_text()


def wait_for_summary(cluster, sweep):
    """The job that collects comes by itself, after the others."""
    job = max(number for number, job in cluster.jobs().items() if job["name"] == f"{sweep.folder.name}-collect")
    assert cluster.wait_for(job)["job_state"] == "COMPLETED"


def test_a_sweep_is_complete_after_its_jobs_were_cut_off_requeued_and_killed(cluster, tmp_path):
    """24 runs: one job reaches its time limit, one is requeued by hand, and in one a rank is killed."""
    sweep = Sweep(cluster, tmp_path, "faults", fixed={**SMALL, "eval_acc": False}, time="0:00:20",
                  matrix={"algorithm": ["param_avg", "parallel_sgd", "w_param_avg"], "ranks": [2],
                          "batch_size": [8, 12, 16, 24, 32, 48, 64]},
                  include=[{**LONG, "epochs": epochs_for(15), "algorithm": algorithm, "ranks": ranks}
                           for algorithm, ranks in (("param_avg", 1), ("param_avg", 3), ("w_param_avg", 4))])
    sweep.submit("spread", "--time", "0:01:00", "--split")
    limited = sweep.wait_for_epochs(1, ranks=1)
    held = Held(cluster, sweep.ranks(limited).values())  # until its time ends
    requeued = sweep.wait_for_epochs(2, ranks=3)
    cluster.exec("scontrol", "requeue", sweep.jobs()["faults-n3x1"])
    killed = next(run_id for run_id, run in sweep.runs().items() if run["ranks"] == 4)
    wait_until(lambda: kill_a_rank(cluster, sweep, killed), "no rank to kill")
    wait_until(lambda: held.have_been_told(signal.SIGUSR1), "no word of the time limit", evidence=sweep.evidence)
    held.release()
    sweep.wait()

    broken = sweep.runs()[killed]
    assert broken["state"] == "broken"
    assert "process rank 1" in broken["why"] and "signal 9" in broken["why"]
    assert sweep.states() == ["broken"] + ["complete"] * 23, sweep.evidence()

    resumed = sweep.do("resume")
    assert "24 runs, 23 complete, 0 under way, 1 to be submitted" in resumed.stdout
    sweep.wait()
    assert sweep.states() == ["complete"] * 24
    assert len(list(sweep.folder.glob("*.h5"))) == 24
    assert min(map(sweep.segments, (requeued, killed, limited))) > 1
    for run_id in sweep.runs():
        assert sweep.status(run_id) == "complete"
        assert_nothing_is_made_twice(sweep, run_id, but_after_a_kill=run_id in (requeued, killed))


def assert_nothing_is_made_twice(sweep, run_id, but_after_a_kill):
    """Each segment begins where the one before ended. Any run may have several: the signal before the time limit comes up to
    half a minute early, which here is half of the limit, and hits whichever run its job is at."""
    with sweep.run_file(run_id) as file:
        *earlier, last = file["segments/status"].asstr()[()]
        lost = file["segments/lost_s"][()]
        begins = list(zip(file["segments/first_epoch"][()], file["segments/first_step"][()]))
    assert last == "complete", run_id
    assert set(earlier) <= ({"interrupted", "killed"} if but_after_a_kill else {"interrupted"}), run_id
    assert begins[0] == (0, 0) and begins == sorted(begins), run_id
    assert but_after_a_kill or not lost.any(), run_id


def test_a_job_told_that_its_time_ends_before_its_work_has_begun_is_queued_again(cluster, tmp_path):
    site = json.loads(SITES["mpirun"].read_text())
    site["setup"] = [*site.get("setup", []), '[ "${SLURM_RESTART_COUNT:-0}" -gt 0 ] || kill -USR1 $$']
    (tmp_path / "site.json").write_text(json.dumps(site))
    sweep = Sweep(cluster, tmp_path, "early", fixed={**SMALL, "algorithm": "param_avg"}, matrix={"ranks": [2]})
    sweep.submit("packed", site=tmp_path / "site.json")
    sweep.wait()
    assert sweep.states() == ["complete"], sweep.evidence()
    assert cluster.job(sweep.jobs()["early"])["restart_cnt"] == 1


def kill_a_rank(cluster, sweep, run_id):
    """Kills rank 1 of a run that has recorded an epoch; False if it is not at work (its job may just be queued again)."""
    run = sweep.runs()[run_id]
    if run["state"] != "running" or run["epochs_done"] == 0:
        return False
    node, pid = sweep.ranks(run_id).get(1, (None, None))
    return node is not None and cluster.on(node, "kill", "-9", pid, check=False).returncode == 0


def test_a_packed_sweep_survives_the_loss_of_a_node_and_its_cancellation(cluster, tmp_path):
    sweep = Sweep(cluster, tmp_path, "lost", fixed={**SMALL, **LONG, "epochs": epochs_for(15)},
                  matrix={"algorithm": ["param_avg", "w_param_avg"], "ranks": [5]})
    sweep.submit("packed")
    first = sweep.wait_for_epochs(2, ranks=5)
    node = sweep.hosts(first)[-1]
    cluster.crash(node)
    try:
        set_down(cluster, node)
        goes_on_without(cluster, sweep, node, first)
        sweep.do("cancel")
        sweep.wait()
        assert sweep.runs()[first]["state"] in ("interrupted", "broken")
        assert "missing" in sweep.states()
        sweep.do("resume")
        sweep.wait()
        assert sweep.states() == ["complete"] * 2
        assert sweep.segments(first) == 3
    finally:
        cluster.boot(node)
        cluster.exec("scontrol", "update", f"nodename={node}", "state=resume", check=False)
        cluster.wait_idle()


def test_a_sweep_whose_node_is_lost_sight_of_goes_on_elsewhere_and_once(cluster, tmp_path):
    """A dead slurmd: its node's ranks go on, while Slurm starts the job again without it."""
    sweep = Sweep(cluster, tmp_path, "unseen", fixed={**SMALL, "algorithm": "param_avg"}, matrix={"ranks": [2]},
                  include=[{"ranks": 3, **LONG, "epochs": epochs_for(20)}])
    sweep.submit("packed")
    run_id = sweep.wait_for_epochs(2, ranks=3)
    node = sweep.hosts(run_id)[0]
    held = Held(cluster, sweep.ranks(run_id).values())
    cluster.kill_slurmd(node)
    try:
        set_down(cluster, node)
        job = sweep.jobs()["unseen"]
        wait_until(lambda: cluster.job(job)["restart_cnt"] == 1 and cluster.job(job)["job_state"] == "RUNNING",
                   "the job is not made again", evidence=sweep.evidence)
        held.release()  # from here on both are at work
        goes_on_without(cluster, sweep, node, run_id)
        wait_until(lambda: not trainers(cluster, node, run_id), "two process groups make one run")
        assert sweep.runs()[run_id]["state"] == "running", "the older one ended by itself"
        assert "another process has continued this run" in sweep.log(run_id)
        sweep.wait()
        assert sweep.states() == ["complete"] * 2
        for made in sweep.runs():
            assert sweep.segments(made) == (2 if made == run_id else 1)
            assert_nothing_is_made_twice(sweep, made, but_after_a_kill=True)
    finally:
        cluster.start_slurmd(node)
        cluster.exec("scontrol", "update", f"nodename={node}", "state=resume", check=False)
        cluster.wait_idle()


def set_down(cluster, node):
    """As the controller would by itself after a while."""
    cluster.exec("scontrol", "update", f"nodename={node}", "state=down", "reason=test")


def goes_on_without(cluster, sweep, node, run_id):
    wait_until(lambda: sweep.segments(run_id) == 2, "the run is not gone on with", evidence=sweep.evidence)
    assert sweep.wait_for_epochs(1, ranks=sweep.runs()[run_id]["ranks"]) == run_id
    assert node not in sweep.hosts(run_id)


@pytest.mark.parametrize("launcher", ["srun", pytest.param("mpirun", marks=pytest.mark.long)])
def test_a_sweep_that_more_urgent_work_pushes_aside_goes_on_afterwards(cluster, tmp_path, launcher):
    sweep = Sweep(cluster, tmp_path, "preempted", fixed={**SMALL, **LONG, "epochs": epochs_for(15)},
                  matrix={"algorithm": ["param_avg"], "ranks": [5]})
    sweep.submit("packed", launcher=launcher)
    run_id = sweep.wait_for_epochs(2, ranks=5)
    held = Held(cluster, sweep.ranks(run_id).values())  # so that it is not complete before
    urgent = cluster.sbatch("--partition", "urgent", "--nodes", 4, "--exclusive", "--output", "/dev/null", "--wrap", "sleep 1")
    wait_until(lambda: is_preempted(cluster, sweep), "it is not pushed aside", evidence=sweep.evidence)
    held.release()
    assert cluster.wait_for(urgent)["job_state"] == "COMPLETED"
    sweep.wait()
    assert sweep.states() == ["complete"]
    assert sweep.segments(run_id) == 2
    # srun's ranks have the whole time of grace for their checkpoint, mpirun's a second.
    assert_nothing_is_made_twice(sweep, run_id, but_after_a_kill=launcher == "mpirun")


def is_preempted(cluster, sweep):
    told = cluster.exec("scontrol", "show", "job", *sweep.jobs().values()).stdout
    return "PreemptTime=" in told and "PreemptTime=None" not in told


def test_what_slurm_would_not_take_is_told_before_anything_is_submitted(cluster, tmp_path):
    sweep = Sweep(cluster, tmp_path, "wrong", fixed=SMALL, matrix={"algorithm": ["param_avg"], "ranks": [2, 64]})
    before = set(cluster.jobs())
    too_many = sweep.submit("packed", check=False)
    assert too_many.returncode == 2
    assert "64 ranks on 16 nodes" in too_many.stderr and "at most 4 nodes of 4 cores" in too_many.stderr

    sweep = Sweep(cluster, tmp_path, "wrong", fixed=SMALL, matrix={"algorithm": ["param_avg"], "ranks": [2, 4]})
    nowhere = sweep.submit("packed", "--partition", "nowhere", check=False)
    assert nowhere.returncode == 2
    assert "nowhere" in nowhere.stderr and "main" in nowhere.stderr
    too_long = sweep.submit("packed", "--partition", "short", "--time", "1:00:00", check=False)
    assert too_long.returncode == 2
    assert "too long" in too_long.stderr and "0:05:00" in too_long.stderr

    judged = sweep.submit("spread", "--test-only")
    assert judged.stdout.count("to start at") == 2, judged.stdout
    assert set(cluster.jobs()) == before
