# SPDX-License-Identifier: BSD-3-Clause
"""The MPI tests that want ranks on several nodes: `make test-mpi` leaves them to this cluster."""

import json

from cluster import ROOT
from conftest import SITES


def test_mpi_tests_across_nodes_pass(cluster):
    environment = json.loads(SITES["srun"].read_text())["environment"]
    done = cluster.exec("srun", "-N", 4, "-n", 8, ROOT / "build/bin/mpi_tests", "--gtest_filter=*AcrossNodes*", "--gtest_brief=1",
                        env=environment, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "[  PASSED  ] 0 tests" not in done.stdout and "SKIPPED" not in done.stdout, done.stdout


def test_processes_of_a_step_that_do_not_know_each_other_are_refused(cluster, tmp_path):
    train = [ROOT / "build/bin/train", "--dataset", "synthetic", "--synthetic-train", 200, "--synthetic-test", 100, "--epochs", 1,
             "--results", tmp_path]
    done = cluster.exec("srun", "--mpi=none", "-n", 2, *train, check=False)
    assert done.returncode == 2 and done.stderr.count("error: the launcher started 2 processes") == 1, done.stderr
    assert not list(tmp_path.rglob("*.h5"))
    # One rank alone is right in a step of its own, and in an allocation for more.
    environment = json.loads(SITES["srun"].read_text())["environment"]
    for alone in (["srun", "-n", 1], ["salloc", "-n", 2]):
        done = cluster.exec(*alone, *train, env=environment, check=False)
        assert done.returncode == 0, done.stderr
    assert len(list(tmp_path.rglob("*.h5"))) == 2
