# SPDX-License-Identifier: BSD-3-Clause
"""Run files of version 0.1.0 (tests/files/0.1.0) in tables, the report, comparisons and checks, with the numbers that are in them."""

import csv
import io
import json

import h5py
import numpy as np
import pytest
from made_runs import ROOT, analysis

FILES = ROOT / "tests/files/0.1.0"
LONG = "train_samples=20003"  # those of the same problem: the two short runs have fewer samples


def stored(path):
    """What a table says of a run, from its file by h5py alone."""
    with h5py.File(path) as file:
        config = json.loads(file["config"].asstr()[()])
        trained_s = file["epochs/train_s"][()].sum()
        return {
            "algorithm": config["algorithm"],
            "ranks": int(file["provenance/ranks"][()]),
            "batch": config["batch_size"],
            "runs": 1,
            "accuracy %": 100 * file["epochs/test_accuracy"][-1],
            "epoch s": np.median(file["epochs/epoch_s"][()]),
            "compute %": 100 * file["epochs/compute_s"][()].sum() / trained_s,
            "exchange %": 100 * file["epochs/exchange_s"][()].sum() / trained_s,
            "wait %": 100 * file["epochs/wait_s"][()].sum() / trained_s,
        }


def expect_row(row, values):
    for column, value in values.items():
        assert row[column] == value if isinstance(value, str) else float(row[column]) == pytest.approx(value), column


def test_tables_have_the_numbers_of_its_runs():
    said = analysis("table", FILES / "complete", "--where", LONG, "--format", "csv")
    assert said.returncode == 0, said.stderr
    rows = {row["algorithm"]: row for row in csv.DictReader(io.StringIO(said.stdout))}
    assert set(rows) == {"serial", "parallel_sgd", "param_avg"}
    serial_s = stored(FILES / "complete/serial.h5")["epoch s"]
    for name in ("serial", "parallel_sgd_ring", "param_avg"):
        values = stored(FILES / f"complete/{name}.h5")
        expect_row(rows[values["algorithm"]], values | {"speed-up": serial_s / values["epoch s"]})


@pytest.mark.parametrize("name", ["complete/parallel_sgd_shared.h5", "complete/w_param_avg.h5", "averaging", "failed"])
def test_every_kind_of_run_is_a_row(name):
    files = [path for path in sorted((FILES / name).glob("*.h5")) or [FILES / name] if "averaging/param" not in str(path)]
    said = analysis("table", FILES / name, "--format", "csv")
    assert said.returncode == 0, said.stderr
    [row] = csv.DictReader(io.StringIO(said.stdout))
    expect_row(row, stored(files[0]))
    if name == "averaging":
        assert "its status is interrupted" in said.stderr


def test_runs_that_were_interrupted_count_as_far_as_they_came():
    said = analysis("table", FILES / "interrupted", "--incomplete", "--format", "csv")
    assert said.returncode == 0, said.stderr
    rows = {row["algorithm"]: row for row in csv.DictReader(io.StringIO(said.stdout))}
    for path in (FILES / "interrupted").glob("*.h5"):
        values = stored(path)
        expect_row(rows[values["algorithm"]], values)


@pytest.mark.slow
def test_the_report_shows_them(tmp_path):
    said = analysis("report", FILES, "--out", tmp_path, "--page-only", "--bench", tmp_path)
    assert said.returncode == 0, said.stderr
    assert "7 runs" in said.stdout
    page = (tmp_path / "index.html").read_text()
    accuracy = stored(FILES / "complete/serial.h5")["accuracy %"]
    assert f"{accuracy:.2f}" in page
    assert page.count("its status is interrupted") == 4 and "diverged" in page
    assert "c830b74" in page and "drift_avg" in page and "w_param_avg" in page


def test_a_comparison_with_themselves_finds_no_change(tmp_path):
    said = analysis("compare", FILES / "complete", FILES / "complete")
    assert said.returncode == 0 and "5 no change seen" in said.stdout, said.stderr
    accuracy = stored(FILES / "complete/serial.h5")["accuracy %"]
    assert f"{accuracy:.2f} -> {accuracy:.2f}" in said.stdout
    saved = analysis("compare", FILES / "complete", "--save", tmp_path / "reference.json")
    assert saved.returncode == 0, saved.stderr
    assert analysis("compare", tmp_path / "reference.json", FILES / "complete").returncode == 0


def test_they_are_checked():
    said = analysis("check", FILES)
    assert said.returncode == 0, said.stderr
    assert "complete: fashion_mnist" in said.stdout and "5 runs, 5 points" in said.stdout
    assert "1 run diverged: parallel_sgd on 2 ranks" in said.stdout and "error:" not in said.stdout
