# SPDX-License-Identifier: BSD-3-Clause
"""The closing lines of `make test`."""

import subprocess

import pytest

from conftest import ROOT

GTEST = """<testsuites><testsuite name="A">{cases}</testsuite></testsuites>"""
PASSED = """<testcase name="{name}" classname="A" status="run" result="completed" />"""
SKIPPED = """<testcase name="{name}" classname="A" status="run" result="skipped">
<skipped message="/src/a_test.cpp:12&#x0A;{why}"><![CDATA[]]></skipped></testcase>"""


def summary(folder, *arguments):
    *options, groups = arguments
    return subprocess.run([ROOT / "tests/summary.py", *options, folder, *groups.split()], capture_output=True, text=True)


@pytest.fixture
def results(tmp_path):
    """Of GoogleTest at two rank counts: one test passes at both, one at the second alone, one at neither."""
    both, once, never = PASSED.format(name="both"), PASSED.format(name="once"), SKIPPED.format(name="never", why="no such disk")
    (tmp_path / "mpi-1.xml").write_text(GTEST.format(cases=both + SKIPPED.format(name="once", why="one rank") + never))
    (tmp_path / "mpi-2.xml").write_text(GTEST.format(cases=both + once + never))
    (tmp_path / "unit.xml").write_text(GTEST.format(cases=both))
    return tmp_path


def test_a_test_is_left_out_if_no_run_has_tried_it(results):
    said = summary(results, "unit mpi")
    assert said.returncode == 0
    assert said.stdout.split("\n")[1:] == ["== 3 tests passed; not everything was tried",
                                           "== LEFT OUT: 1 of the tests of mpi: no such disk", ""]


def test_a_group_that_did_not_run_is_left_out_as_a_whole(results):
    (results / "slurm.left_out").write_text("only root can\n")
    said = summary(results, "unit slurm")
    assert "== LEFT OUT: all tests of slurm: only root can\n" in said.stdout
    (results / "slurm.xml").write_text((results / "unit.xml").read_text())  # later, it did
    assert "nothing was left out" in summary(results, "unit slurm").stdout


def test_what_is_left_out_fails_only_where_all_is_wanted(results):
    assert summary(results, "--complete", "unit").returncode == 0
    assert summary(results, "--complete", "unit mpi").returncode == 1


def test_a_group_without_results_or_a_reason_is_an_error(results):
    said = summary(results, "unit analysis")
    assert said.returncode == 1 and "the group analysis" in said.stderr


def test_skips_and_other_data_of_pytest_are_told(tmp_path):
    tests = tmp_path / "test_it.py"
    tests.write_text("""
import pytest
@pytest.mark.parametrize("i", range(3))
def test_a(i): pytest.skip("no browser")
def test_b(record_property): record_property("instead", "synthetic instead of MNIST")
def test_c(): pass
""")
    options = ["-q", "-p", "no:cacheprovider", "-o", "junit_family=xunit1", f"--junitxml={tmp_path}/it.xml"]
    done = subprocess.run(["/usr/bin/python3", "-m", "pytest", *options, tests], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    assert summary(tmp_path, "it").stdout.split("\n")[1:] == [
        "== 2 tests passed; not everything was tried", "== LEFT OUT: 3 of the tests of it: no browser",
        "== OTHER DATA: 1 of the tests of it: synthetic instead of MNIST", ""]
