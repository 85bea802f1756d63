# SPDX-License-Identifier: BSD-3-Clause
"""The comparison table, as README and `make demo` show it: what it says of real runs and of files that are none."""

import json
import subprocess
import sys

import h5py
import numpy as np
import pytest

from conftest import PATIENCE_S, ROOT, SMALL, series

sys.path.insert(0, str(ROOT / "analysis"))
from lockstep_analysis.model.compute import divide  # noqa: E402


@pytest.mark.slow
@pytest.mark.parametrize("batch_size, ranks", [(16, 2), (64, 2), (200, 3), (400, 2), (3000, 2)])
def test_the_performance_model_shards_the_layers_that_the_program_shards(lockstep, batch_size, ranks):
    """The rule stands in C++ and, for rank counts that were never run, in the model: they must agree."""
    path = lockstep.train("--algorithm", "parallel_sgd", "--exchange", "shared", "--dataset", "synthetic", "--synthetic-train", 3000,
                          "--synthetic-test", 10, "--epochs", 1, "--batch-size", batch_size, ranks=ranks)
    with h5py.File(path) as file:
        layers, forward = (file[f"provenance/sharded_{name}_choice"].asstr()[()] for name in ("layers", "forward"))
    predicted = divide([(784, 256), (256, 64), (64, 10)], batch_size, ranks)
    names = linear_layer_names(path)
    assert layers == (", ".join(name for name, is_sharded in zip(names, predicted.gradients) if is_sharded) or "none")
    assert forward == (names[0] if predicted.forward else "none")


def linear_layer_names(path):
    with h5py.File(path) as file:
        layers = json.loads(file["model"].asstr()[()])["layers"]
    return [layer.get("name", f"linear{i}") for i, layer in enumerate(layers) if layer["type"] == "linear"]


def table(*paths):
    command = [ROOT / "analysis/lockstep-analysis", "table", *paths]
    return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S)


def test_compares_runs_with_the_serial_base(lockstep):
    base = lockstep.train(*SMALL, "--epochs", "7")
    other = lockstep.train("--algorithm", "param_avg", *SMALL, "--epochs", "7", ranks=2)
    result = table(lockstep.folder)
    assert result.returncode == 0, result.stderr
    rows = {line.split()[0]: line.split() for line in result.stdout.splitlines() if line.startswith(("serial", "param_avg"))}
    base_s, other_s = (float(np.median(series(path, "epochs/epoch_s"))) for path in (base, other))
    accuracy = 100 * series(other, "epochs/test_accuracy")[-1]
    assert rows["param_avg"][1:5] == ["2", "64", "1", f"{accuracy:.2f}"]
    assert f"{base_s / other_s:.2f}" in rows["param_avg"]
    assert "speed-up base, batch 64: serial on 1 rank" in result.stdout


@pytest.mark.slow
def test_repetitions_by_seed_share_a_row(lockstep):
    for seed in (1, 2, 3):
        lockstep.train(*SMALL, "--seed", seed)
    rows = [line.split() for line in table(lockstep.folder).stdout.splitlines() if line.startswith("serial")]
    assert len(rows) == 1 and rows[0][3] == "3" and "±" in rows[0]


def test_says_what_it_left_out_and_why(lockstep):
    path = lockstep.train(*SMALL)
    (path.parent / "torn.h5").write_bytes(path.read_bytes()[:3000])
    (path.parent / "text.h5").write_text("no HDF5")
    result = table(lockstep.folder)
    assert result.returncode == 0
    assert "torn.h5: damaged" in result.stderr
    assert "text.h5: not a readable HDF5 file" in result.stderr


@pytest.mark.parametrize("make,words", [(False, "does not exist"), (True, "no complete run file")])
def test_nothing_to_compare_is_an_error(tmp_path, make, words):
    folder = tmp_path / "empty"
    if make:
        folder.mkdir()
    result = table(folder)
    assert result.returncode == 2 and words in result.stderr
