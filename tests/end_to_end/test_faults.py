# SPDX-License-Identifier: BSD-3-Clause
"""Machines that compute or send wrongly: the run says so, and ends."""

import subprocess

import h5py
import pytest

from conftest import ROOT, SMALL


@pytest.fixture(scope="module")
def faulty_network(tmp_path_factory):
    library = tmp_path_factory.mktemp("support") / "faulty_network.so"
    subprocess.run(["mpicxx", "-std=c++20", "-O1", "-shared", "-fPIC", "-o", library, ROOT / "tests/preload/faulty_network.cpp"],
                   check=True)
    return library


@pytest.mark.parametrize("ranks, culprit", [(3, 1), pytest.param(2, 0, marks=pytest.mark.slow)])
def test_ranks_whose_parameters_differ_are_named_after_the_epoch(lockstep, faulty_network, ranks, culprit):
    options = ["--algorithm", "parallel_sgd", "--exchange", "allreduce", "--allreduce", "mpi"]
    # Rank R has one flipped bit in the gradient of step 20: 16 steps are an epoch.
    result = lockstep.run(*options, *SMALL, "--results", lockstep.folder, ranks=ranks,
                          env={"LD_PRELOAD": str(faulty_network), "FAULTY_RANK": str(culprit), "FAULTY_CALL": "20"})
    assert result.status == 1
    assert "error: the ranks' parameters differ after epoch 2" in result.err, result.err
    if ranks > 2:  # of two, no one knows which is right
        assert f"  rank {culprit} on " in result.err and result.err.count("has others") == 1
    with h5py.File(lockstep.files()[0]) as file:
        assert file.attrs["status"] == "failed"
