# SPDX-License-Identifier: BSD-3-Clause
"""Calibration of this machine: what it writes can be simulated on and predicted for. Nothing here depends on how fast anything is."""

import json
import os
import subprocess
import sys

import pytest

from conftest import PATIENCE_S, ROOT

QUICK = ["--seconds", "0.002"]


def calibrate(lockstep, ranks, *words, **options):
    lockstep.folder.mkdir(parents=True, exist_ok=True)
    path = lockstep.folder / "mine.json"
    result = lockstep.run(path, *QUICK, *words, ranks=ranks, program="calibrate", **options)
    assert result.status == 0, result.err
    return path, json.loads(path.read_text()), result.out


def predict(path, folder):
    """What the analysis makes of a cluster's file."""
    read = "import sys; from pathlib import Path; from lockstep_analysis.model.cluster import read_cluster; print(read_cluster(Path(sys.argv[1])))"
    return subprocess.run([sys.executable, "-c", read, str(path)], capture_output=True, text=True, timeout=PATIENCE_S, cwd=folder,
                          env={**os.environ, "PYTHONPATH": str(ROOT / "analysis")})


@pytest.mark.parametrize("ranks", [2, 3, 4])
def test_a_machine_is_measured(lockstep, ranks):
    path, cluster, said = calibrate(lockstep, ranks)
    assert cluster["alpha_s"] == cluster["memory_alpha_s"] > 0
    assert cluster["beta_s_per_byte"] == cluster["memory_beta_s_per_byte"] > 0
    assert cluster["core_speed"] == 1 and cluster["cores_per_node"] >= 1
    for words in ("measured with calibrate", f"{ranks} ranks", "no network was measured"):
        assert words in cluster["source"]

    fit = cluster["fit"]
    assert "no network was measured" in fit["notes"][0] and "note: all ranks are on one node" in said
    assert any("ranks shared cores" in note for note in fit["notes"]) == (ranks > cluster["cores_per_node"])
    messages = fit["within_node"]["messages"]
    assert messages[0]["bytes"] == 0 and messages[-1]["bytes"] == 8 << 20
    for row in messages:
        low, high = row["quartiles_s"]
        assert 0 < low <= row["median_s"] <= high and row["both_ways_s"] > 0
        assert row["line_s"] == pytest.approx(cluster["alpha_s"] + row["bytes"] * cluster["beta_s_per_byte"], rel=2e-3)
    errors = sorted(abs(row["line_s"] / row["median_s"] - 1) for row in messages)
    assert fit["within_node"]["median_error"] == pytest.approx(errors[len(errors) // 2], abs=5e-3)
    assert fit["within_node"]["largest_error"] == pytest.approx(errors[-1], abs=5e-3)
    assert [row["pairs"] for row in fit["at_once"]] == ([2] if ranks == 4 else [])
    for stream in ("copy", "add"):
        assert fit["streams"][stream]["one_rank_bytes_per_s"] > 0 and fit["streams"][stream]["ranks_of_node"] == ranks
    noise = fit["noise"]
    assert len(noise["speeds_of_ranks"]) == ranks and noise["quanta"] >= 50
    assert 1 <= noise["p99_over_median"] <= noise["largest_over_median"] and noise["mean_delay"] >= 0

    predicted = predict(path, lockstep.folder)
    assert predicted.returncode == 0 and repr(cluster["alpha_s"]) in predicted.stdout, predicted.stderr


def test_name_and_cores_may_be_given(lockstep):
    _, cluster, _ = calibrate(lockstep, 2, "--name", "our cluster, blau", "--cores-per-node", "48")
    assert cluster["name"] == "our cluster, blau" and cluster["cores_per_node"] == 48


BAD = {
    "one rank": (1, ["c.json"], ["at least 2 ranks", "1 rank", "srun -N 2"]),
    "no file": (2, [], ["output"]),
    "another ending": (2, ["c.txt"], ["ends in .json", "c.txt"]),
    "a folder that cannot be": (2, ["/proc/nowhere/c.json"], ["/proc/nowhere"]),
    "an unknown option": (3, ["c.json", "--secs", "1"], ["--secs"]),
    "no time": (2, ["c.json", "--seconds", "0"], ["--seconds", "above 0"]),
    "no end": (2, ["c.json", "--seconds", "inf"], ["--seconds"]),
    "no number": (2, ["c.json", "--seconds", "nan"], ["--seconds"]),
    "a name that commands the terminal": (2, ["c.json", "--name", "a\x1b[2J"], ["--name", "control characters"]),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_refused_once_before_anything_is_measured(lockstep, name, tmp_path):
    ranks, words, said = BAD[name]
    words = [str(tmp_path / word) if word in ("c.json", "c.txt") else word for word in words]
    result = lockstep.run(*words, ranks=ranks, program="calibrate")
    assert result.status == 2 and result.err.count("error:") == 1, result.err
    assert "measuring" not in result.out and not list(tmp_path.glob("c.*"))
    for text in said:
        assert text in result.err


def test_help_is_printed_once(lockstep):
    result = lockstep.run("--help", ranks=2, program="calibrate")
    assert result.status == 0 and result.out.count("--cores-per-node") == 1
