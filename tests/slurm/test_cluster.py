# SPDX-License-Identifier: BSD-3-Clause
"""The private Slurm itself: what the other tests stand on."""

import json
import subprocess
import sys
from pathlib import Path

from cluster import clear_leftovers, wait_until
from process import Process

HERE = Path(__file__).resolve().parent


def test_every_node_is_a_host_of_its_own(cluster):
    assert sorted(cluster.exec("srun", "-N4", "hostname").stdout.split()) == ["n1", "n2", "n3", "n4"]
    cluster.on("n1", "touch", "/dev/shm/mine")
    assert cluster.on("n1", "ls", "/dev/shm").stdout.split() == ["mine"]
    assert cluster.on("n2", "ls", "/dev/shm").stdout.split() == []


def test_a_crashed_node_takes_its_job_along_and_comes_back(cluster):
    number = cluster.sbatch("-w", "n4", "--no-requeue", "--output", "/dev/null", "--wrap", "sleep 60")
    cluster.wait_for(number, "RUNNING")
    cluster.crash("n4")
    # The controller would find out by itself, after half a minute.
    cluster.exec("scontrol", "update", "nodename=n4", "state=down", "reason=crashed")
    assert cluster.wait_for(number)["job_state"] == "NODE_FAIL"
    cluster.boot("n4")
    cluster.wait_idle()
    assert cluster.exec("srun", "-w", "n4", "hostname").stdout == "n4\n"


def test_slurmd_can_be_killed_and_started(cluster):
    number = cluster.sbatch("-w", "n3", "--output", "/dev/null", "--wrap", "sleep 1")
    cluster.wait_for(number, "RUNNING")
    cluster.kill_slurmd("n3")
    cluster.start_slurmd("n3")
    assert cluster.wait_for(number)["job_state"] == "COMPLETED"


def test_a_cluster_whose_owner_was_killed_is_gone_and_its_folder_is_cleared_later(cluster):
    # It tells of its hosts itself: any other start of a cluster may clear its folder at once.
    owner = ("import os, signal; from cluster import Cluster; cluster = Cluster(nodes=1).up(); "
             "print(cluster.folder); print((cluster.folder / 'cluster.json').read_text(), flush=True); os.kill(os.getpid(), signal.SIGKILL)")
    folder, state = subprocess.run([sys.executable, "-c", owner], cwd=HERE, capture_output=True, text=True).stdout.split("\n", 1)
    folder = Path(folder)
    hosts = [Process(*process) for process in json.loads(state)["hosts"].values()]
    assert len(hosts) == 2
    wait_until(lambda: not any(host.alive() for host in hosts), "hosts outlive their owner")
    clear_leftovers()
    assert not folder.exists()
    assert cluster.folder.exists()  # ours, which is alive, stays
    assert cluster.exec("sinfo", "-h").stdout


def test_a_number_that_came_to_mean_another_process_is_not_killed():
    other = subprocess.Popen(["sleep", "30"])
    try:
        process = Process.of(other.pid)
        Process(process.pid, process.started - 1).kill()
        assert other.poll() is None and process.alive()
        process.kill()
        assert not process.alive()
    finally:
        other.kill()
        other.wait()
