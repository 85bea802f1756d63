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
