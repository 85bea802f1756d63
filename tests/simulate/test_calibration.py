# SPDX-License-Identifier: BSD-3-Clause
"""A simulated cluster, calibrated, has the numbers of its file; and messages on a calibrated one take as long as they really did."""

import json
import os
import subprocess

import pytest

from conftest import PATIENCE_S, ROOT

SIMULATED = ROOT / "jobs/simulate.sh"
REALLY = ROOT / "jobs/local.sh"
BIN = os.environ.get("LOCKSTEP_BIN", ROOT / "build/bin")


def calibrate(command, path):
    done = subprocess.run([*map(str, command), str(path), "--seconds", "0.002"], cwd=ROOT, capture_output=True, text=True,
                          timeout=PATIENCE_S, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stderr
    return json.loads(path.read_text())


@pytest.mark.parametrize("ranks", [2, 4, 6])
def test_the_calibration_of_a_simulated_cluster_finds_its_file_again(runs, tmp_path, ranks):
    """Long latencies: what the program itself takes between two messages is charged, too."""
    given = {"cores_per_node": 1 if ranks == 2 else 2, "alpha_s": 1e-3, "beta_s_per_byte": 1e-8, "memory_alpha_s": 2e-4,
             "memory_beta_s_per_byte": 2e-9}
    found = calibrate([SIMULATED, ranks, "--cluster", runs.cluster(**given), "calibrate"], tmp_path / "found.json")
    for key in ("alpha_s", "beta_s_per_byte"):
        assert found[key] == pytest.approx(given[key], rel=0.02), key
        if ranks > 2:
            assert found["memory_" + key] == pytest.approx(given["memory_" + key], rel=0.05), key
    assert ("memory_alpha_s" in found) == (ranks > 2)
    assert found["fit"]["between_nodes"]["hosts"] == ["node-0", "node-1"]
    assert found["fit"]["between_nodes"]["largest_error"] < 0.05
    assert "no network" not in found["source"]
    # One cable a node: two ranks share it.
    at_once = {row["what"]: row["times_as_long"] for row in found["fit"]["at_once"]}
    assert at_once == ({} if ranks == 2 else {"all ranks of two nodes": pytest.approx(2, rel=0.1)})


def test_messages_on_a_calibrated_cluster_take_as_long_as_they_really_did(tmp_path):
    """Long ones, within a factor: it is the same line on both sides, and this machine may be busy. In the simulation a message takes
    what the program itself takes for it, too: a few microseconds, as much as the short ones."""
    real = calibrate([REALLY, 2, f"{BIN}/calibrate"], tmp_path / "real.json")
    again = calibrate([SIMULATED, 2, "--cluster", tmp_path / "real.json", "calibrate"], tmp_path / "again.json")
    assert again["beta_s_per_byte"] == pytest.approx(real["beta_s_per_byte"], rel=0.25)
    simulated = {row["bytes"]: row["median_s"] for row in again["fit"]["within_node" if "within_node" in again["fit"] else "between_nodes"]["messages"]}
    for row in real["fit"]["within_node"]["messages"]:
        if row["bytes"] >= 1 << 20:
            assert row["line_s"] / 1.5 < simulated[row["bytes"]] < 1.5 * row["line_s"]
