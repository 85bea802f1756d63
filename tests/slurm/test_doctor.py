# SPDX-License-Identifier: BSD-3-Clause
"""sweep doctor on a cluster: a sound one is called so, and each thing that is broken is named, with the node."""

import json

import pytest

from cluster import ROOT
from conftest import SITES


@pytest.fixture
def doctor(cluster, tmp_path):
    """Runs it on a site that differs from the tests' own in `changes`."""
    def run(launcher="mpirun", setup=(), results=None, arguments=(), **changes):
        site = json.loads(SITES[launcher].read_text())
        site.update(changes, setup=[*site["setup"], *setup])
        (tmp_path / "here.json").write_text(json.dumps(site))
        done = cluster.exec(ROOT / "build/bin/sweep", "doctor", "--site", tmp_path / "here.json", "--results", results or tmp_path / "results",
                            *arguments, check=False)
        assert done.stderr == "", done.stderr
        return done
    return run


def test_a_sound_cluster_is_called_so(doctor):
    done = doctor()
    assert done.returncode == 0 and "nothing bad was found at the site here" in done.stdout, done.stdout
    assert "4 ranks on 2 nodes train together" in done.stdout
    assert done.stdout.count("two ranks train together") == 2, "each node by itself"


@pytest.mark.long
def test_a_launcher_that_starts_no_ranks_is_named(doctor):
    done = doctor("srun", launcher_args=["--mpi=none"], arguments=["--nodes", "1"])
    assert done.returncode == 1, done.stdout
    assert "BAD   a training on 2 ranks ends with status 2" in done.stdout, done.stdout


def test_a_node_that_differs_is_named(doctor, cluster):
    cluster.on("n2", "mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", "/dev/shm")
    try:
        done = doctor()
    finally:
        cluster.on("n2", "umount", "/dev/shm")
    first, second = done.stdout.index("\nn1, "), done.stdout.index("\nn2, ")
    assert done.returncode == 1 and "BAD   /dev/shm has 1 MB free" in done.stdout[second:], done.stdout
    assert "BAD" not in done.stdout[first:second]


@pytest.mark.long
def test_results_that_the_nodes_do_not_share_are_named(doctor, cluster, tmp_path):
    """The nodes of the lab share this machine's files, so a folder is hidden from the job by its own name."""
    elsewhere = tmp_path / "elsewhere"
    done = doctor(setup=[f'mv "{elsewhere}/doctor" "{elsewhere}/hidden"'], results=elsewhere, arguments=["--nodes", "1"])
    assert done.returncode == 1 and "file system that all share" in done.stdout, done.stdout
