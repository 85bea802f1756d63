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


def test_the_allocator_that_tests_count_with_serves_sanitizers(tmp_path):
    """A test program built with one ends at once if new and delete are not of one kind, nothrow too."""
    (tmp_path / "main.cpp").write_text("#include <algorithm>\n#include <new>\n#include <vector>\nint main() {\n"
                                       "  delete new (std::nothrow) int;\n  delete[] new (std::nothrow) int[3];\n"
                                       "  std::vector<int> v(1000);\n  std::stable_sort(v.begin(), v.end());\n}\n")
    subprocess.run(["g++", "-std=c++20", "-fsanitize=address", f"-I{ROOT}/src", f"-I{ROOT}/tests", ROOT / "tests/support/counted_new.cpp",
                    tmp_path / "main.cpp", "-o", tmp_path / "program"], check=True)
    done = subprocess.run([tmp_path / "program"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
