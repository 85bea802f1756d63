# SPDX-License-Identifier: BSD-3-Clause
"""Files that were cut short or changed: named as damaged, and never a wrong number."""

import json
import os
import random
import shutil
import subprocess
import sys

import h5py
import numpy as np
import pytest

from conftest import BIN, ROOT, SMALL

sys.path.insert(0, str(ROOT / "analysis"))
from lockstep_analysis.runs import NotARun, read_run  # noqa: E402

OLD = ROOT / "tests/files/0.1.0"


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """(a finished run file, a checkpoint)."""
    folder = tmp_path_factory.mktemp("whole")
    options = [*SMALL, "--progress", "off", "--results", folder, "--algorithm", "serial"]
    # A kill at the last of four renames leaves the checkpoint after the first epoch.
    subprocess.run([BIN / "train", *options, "--run-id", "a"], check=True, cwd=ROOT)
    library = folder / "failing_files.so"
    subprocess.run(["g++", "-std=c++20", "-shared", "-fPIC", "-o", library, ROOT / "tests/preload/failing_files.cpp", "-ldl"], check=True)
    subprocess.run([BIN / "train", *options, "--run-id", "b", "--checkpoint-epochs", "1"], cwd=ROOT,
                   env={**os.environ, "LD_PRELOAD": str(library), "FAULT_FOLDER": str(folder), "FAULT": "kill", "FAULT_AT": "4",
                        "FAULT_CALLS": "rename"})
    return folder / "runs/a.h5", folder / "runs/b.ckpt"


def check(*paths):
    done = subprocess.run([BIN / "runfile", "check", *paths], capture_output=True, text=True)
    assert done.returncode in (0, 1), (done.returncode, done.stderr)
    lines = done.stdout.splitlines()
    assert len(lines) == len(paths) and (done.returncode == 1) == any(": damaged: " in line for line in lines)
    return [line.split(": ")[1] for line in lines]


def repair(path):
    return subprocess.run([BIN / "runfile", "repair", path], capture_output=True, text=True)


def damaged(data, number):
    """Number 0, 1, ...: a cut, or a changed bit, somewhere; always the same for a number."""
    choose = random.Random(number)
    if number % 4 == 0:
        return data[: choose.randrange(len(data))]
    changed = bytearray(data)
    changed[choose.randrange(len(data))] ^= 1 << choose.randrange(8)
    return bytes(changed)


def test_check_says_what_each_file_is(files, tmp_path):
    run, checkpoint = files
    (tmp_path / "text.h5").write_text("no HDF5")
    (tmp_path / "empty.h5").touch()
    assert check(run, checkpoint) == ["good", "good"]
    assert check(OLD / "complete/serial.h5") == ["no checksum (older version)"]
    assert check(run, tmp_path / "text.h5", tmp_path / "empty.h5", tmp_path / "gone.h5") == ["good", "damaged", "damaged", "damaged"]


@pytest.mark.parametrize("count", [pytest.param(20), pytest.param(1000, marks=pytest.mark.long)])
def test_no_damage_of_a_run_file_becomes_a_number(files, tmp_path, count):
    data = files[0].read_bytes()
    for number in range(count):
        path = tmp_path / f"{number}.h5"
        path.write_bytes(damaged(data, number))
        with pytest.raises(NotARun):
            read_run(path)
    paths = sorted(tmp_path.glob("*.h5"))
    assert set(check(*paths)) == {"damaged"}
    for path in paths[:: max(1, count // 200)]:
        done = subprocess.run([BIN / "train", "--config", path, "--print-config"], capture_output=True, text=True)
        assert done.returncode == 2 and path.name in done.stderr, (path, done.returncode, done.stderr)


@pytest.mark.parametrize("count", [pytest.param(40), pytest.param(1000, marks=pytest.mark.long)])
def test_no_damage_of_a_checkpoint_is_accepted(files, tmp_path, count):
    data = files[1].read_bytes()
    for number in range(count):
        (tmp_path / f"{number}.ckpt").write_bytes(damaged(data, number))
    assert set(check(*tmp_path.glob("*.ckpt"))) == {"damaged"}


@pytest.mark.parametrize("count", [pytest.param(30), pytest.param(1000, marks=pytest.mark.long)])
def test_what_repair_saves_are_the_numbers_that_were_written(files, tmp_path, count):
    whole = read_run(files[0])
    data = files[0].read_bytes()
    saved = 0
    for number in range(count):
        path = tmp_path / f"{number}.h5"
        path.write_bytes(damaged(data, number))
        before = path.read_bytes()
        done = repair(path)
        assert done.returncode in (0, 2) and path.read_bytes() == before, (number, done)
        if done.returncode == 2:
            assert "error:" in done.stderr, number
            continue
        saved += 1
        repaired = read_run(tmp_path / f"{number}.repaired.h5")
        assert repaired.status == "failed" and 0 < repaired.epochs <= whole.epochs
        for name, values in repaired.series.items():
            assert np.array_equal(values, whole.series[name][: repaired.epochs], equal_nan=True), (number, name)
    assert saved > count // 10


def test_repair_says_where_a_file_comes_from_and_refuses_what_it_cannot_do(files, tmp_path):
    run = tmp_path / "a.h5"
    shutil.copy(files[0], run)
    done = repair(run)
    assert done.returncode == 2 and "is not damaged" in done.stderr
    run.write_bytes(run.read_bytes()[:-10])
    done = repair(run)
    assert done.returncode == 0 and "2 of 2 epochs are saved" in done.stdout, done
    with h5py.File(tmp_path / "a.repaired.h5") as file:
        note = json.loads(file["provenance/repaired"].asstr()[()])
    assert note["from"] == "a.h5" and note["epochs"] == note["epochs_before"] == 2 and note["verified"]
    assert check(tmp_path / "a.repaired.h5") == ["good"]
    assert repair(run).returncode == 2, "the new file is there already"
    (tmp_path / "text.h5").write_text("no HDF5")
    done = repair(tmp_path / "text.h5")
    assert done.returncode == 2 and "nothing of" in done.stderr
