# SPDX-License-Identifier: BSD-3-Clause
"""A stopped rank on another node: the job ends and names it, although no message of MPI's says so."""

import re

import pytest

from cluster import wait_until
from sweeps import trainers


@pytest.mark.parametrize("launcher, culprit", [("srun", 3), pytest.param("mpirun", 3, marks=pytest.mark.long), pytest.param("srun", 0, marks=pytest.mark.long)])
def test_a_stopped_rank_is_named_across_nodes(lockstep, launcher, culprit):
    cluster = lockstep.cluster
    number = lockstep.submit("train.sbatch", "--algorithm", "parallel_sgd", "--exchange", "allreduce", "--dataset", "synthetic",
                             "--model", "mlp:784-16-10", "--epochs", "4000", "--eval-acc", "0", "--stall-seconds", "6",
                             "--run-id=stalls", sbatch=["--nodes=4", "--ntasks=4"], launcher=launcher)
    wait_until(lambda: lockstep.epochs("stalls") > 0, "the run does not come on", evidence=lambda: lockstep.log(number))
    node = lockstep.run_file("stalls").hosts[culprit]
    for pid in trainers(cluster, node, "stalls"):
        if cluster.on(node, "readlink", f"/proc/{pid}/exe", check=False).stdout.strip().endswith("/train"):
            cluster.on(node, "kill", "-STOP", pid)
    job = lockstep.wait(number)
    assert job.state == "FAILED", job.log
    text = job.log[job.log.index("error: no rank has made progress for"):]
    named = re.findall(r"^ *rank (\d+) on (\w+)(?: \(process \d+\))?: (.*)$", text[:text.index("hint:")], re.MULTILINE)
    assert named and {(int(rank), host) for rank, host, _ in named} == {(culprit, node)}, text
    assert named[0][2].startswith(("stopped by a signal", "not heard of")), text
    assert re.search(r"waiting: ranks? " + ("0-2" if culprit == 3 else r"\d"), text), text
