# SPDX-License-Identifier: BSD-3-Clause
"""The analysis works wherever it is: without file locks, with a user's plotting settings, with names that hold anything."""

import errno
import os
import subprocess

import pytest
from made_runs import ROOT, analysis, copy


def analysis_in(environment, *arguments):
    command = [ROOT / "analysis/lockstep-analysis", *arguments]
    return subprocess.run([*map(str, command)], cwd=ROOT, capture_output=True, text=True, timeout=300, env={**os.environ, **environment})


@pytest.mark.parametrize("code", [errno.ENOLCK, errno.EOPNOTSUPP, errno.EAGAIN])
def test_a_file_system_without_locks_is_read(small, tmp_path, code):
    library = tmp_path / "no_locks.so"
    subprocess.run(
        ["g++", "-std=c++20", "-O1", "-shared", "-fPIC", "-o", library, ROOT / "tests/preload/no_locks.cpp", "-ldl"], check=True
    )
    environment = {"LD_PRELOAD": str(library), "LOCK_ERROR": str(code), "HDF5_USE_FILE_LOCKING": "TRUE"}
    said = analysis_in(environment, "table", small)
    assert said.returncode == 0 and said.stderr == "", said.stderr
    assert said.stdout == analysis("table", small).stdout


def test_the_users_plotting_settings_change_no_figure(tmp_path):
    settings = ["text.usetex: True", "backend: nothing_of_that_name", "axes.prop_cycle: cycler('color', ['ff0000'])", "font.size: 40"]
    (tmp_path / "matplotlibrc").write_text("\n".join(settings) + "\n")
    svg = "import sys; from lockstep_analysis.chart import *; from lockstep_analysis.draw import to_svg; " \
          "print(to_svg(Panel('a_b', 'x', 'y', [Series('a', 'serial', [1, 2], [1, 2])]), 'p'))"
    drawn = []
    for environment in ({}, {"MATPLOTLIBRC": str(tmp_path), "MPLBACKEND": "nothing_of_that_name"}):
        said = subprocess.run([os.environ.get("PYTHON", "/usr/bin/python3"), "-c", svg], capture_output=True, text=True, cwd=ROOT,
                              env={**os.environ, "PYTHONPATH": str(ROOT / "analysis"), **environment}, check=False)
        assert said.returncode == 0, said.stderr
        drawn.append(said.stdout)
    assert "a_b" in drawn[0] and drawn[1] == drawn[0]


def test_names_cannot_command_the_terminal(serial_run, tmp_path):
    for name in ("a\x1b[2Jb\x9b\r", os.fsdecode(b"r_caf\xe9")):
        folder = tmp_path / name
        copy(serial_run, folder / "run.h5")
        (folder / "torn.h5").write_bytes(b"")
        said = analysis("table", folder)
        assert said.returncode == 0, said.stderr
        for shown in (said.stdout, said.stderr):
            assert shown.isprintable() or not set(shown) & {"\x1b", "\x9b", "\r"}
        assert ("\\x1b[2J" in said.stderr) if "\x1b" in name else ("r_caf\\xe9" in said.stderr)
    copy(serial_run, tmp_path / "named" / "run.h5", config={"experiment": "x\x1b[2Jy", "model": "m\x1b[31m"})
    said = analysis("table", tmp_path / "named")
    assert said.returncode == 0 and "\x1b" not in said.stdout + said.stderr, said.stderr


@pytest.mark.parametrize(
    "text, words",
    [
        ('{"name": "a", "name": "b"}', "given twice"),
        ('{"name": "a", "alpha_s": 1e999}', "1e999 is no number"),
        ('{"name": "a", "alpha_s": NaN}', "NaN is no number"),
        ("[" * 80000, "nested too deeply"),
        ('{"name": "a", "cores_per_node": "4", "alpha_s": 1, "beta_s_per_byte": 1}', "cores_per_node"),
        ("[1]", "describes no cluster"),
    ],
)
def test_a_clusters_file_is_read_strictly(tmp_path, text, words):
    from lockstep_analysis.errors import AnalysisError
    from lockstep_analysis.model.cluster import read_cluster

    (tmp_path / "cluster.json").write_text(text)
    with pytest.raises(AnalysisError, match=words) as error:
        read_cluster(tmp_path / "cluster.json")
    assert "cluster.json" in str(error.value)


def test_data_that_are_not_what_they_say_are_in_check_and_in_captions(serial_run, small, tmp_path):
    note = "the files called mnist are those of fashion_mnist"
    for path in small.glob("*.h5"):
        copy(path, tmp_path / "runs" / path.name, provenance={"dataset_note": note})
    said = analysis("check", tmp_path / "runs")
    assert said.returncode == 1 and f"error: rule 9: {note}" in said.stdout
    said = analysis("figure", "strong_scaling", tmp_path / "runs", "--out", tmp_path / "out")
    assert said.returncode == 0 and note in said.stdout, said.stderr
    assert note not in analysis("check", small).stdout
