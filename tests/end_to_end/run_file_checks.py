# SPDX-License-Identifier: BSD-3-Clause
"""Checks a run file against docs/run_file.md with h5py, h5dump and h5ls, without any code of Lockstep."""

import json
import re
import subprocess

import h5py
import numpy as np

SCHEMA_VERSION = 1
STATUS = ("running", "complete", "interrupted", "failed")
UTC = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")

# Per group: series -> (shape, unit).
SERIES = {
    "epochs": {
        **dict.fromkeys(("train_loss", "test_loss", "test_accuracy", "learning_rate"), ("epoch", "1")),
        **dict.fromkeys(("epoch_s", "train_clock_s", "wall_clock_s", "step_p50_s", "step_p95_s", "step_p99_s", "step_largest_s"),
                        ("epoch", "s")),
        "step_largest_rank": ("epoch", "1"),
        "samples": ("epoch", "samples"),
        "steps": ("epoch", "steps"),
        **dict.fromkeys(("train_s", "data_s", "compute_s", "exchange_s", "wait_s", "update_s", "evaluate_s",
                         "checkpoint_s"), ("epoch, rank", "s")),
        "rank_samples": ("epoch, rank", "samples"),
    },
    "exchange": {
        "averages": ("epoch", "1"),
        **dict.fromkeys(("drift", "gamma"), ("epoch, rank", "1")),
        "sent_bytes": ("epoch, rank", "bytes"),
    },
}

# Files of 0.1.0 lack these.
LATER = {"step_p50_s", "step_p95_s", "step_p99_s", "step_largest_s", "step_largest_rank"}

TEXT_KEYS = ("lockstep_version", "git_sha", "compiler", "compiler_flags", "build_config", "blas", "hdf5_version",
             "eigen_version", "json_version", "mpi_library", "hostname", "kernel", "cpu_model", "smt", "governor",
             "boost", "command_line", "dataset_sha256")
NUMBER_KEYS = ("online_cpus", "ranks", "nodes", "seed")
RANK_TEXT_KEYS = ("hosts", "bindings")
RANK_NUMBER_KEYS = ("start_private_bytes", "private_bytes", "peak_rss_bytes")


def check_run_file(path, status="complete", epochs=None, ranks=None):
    """Asserts that `path` is a run file as documented; `epochs` and `ranks` are checked where given."""
    check_tools_read(path)
    with h5py.File(path, "r") as run:
        check_attributes(run, status)
        for name in ("config", "model"):
            assert isinstance(json.loads(text(run[name])), dict), name
        assert set(run) >= {"config", "model", "provenance", "epochs", "exchange"}
        recorded_ranks = check_provenance(run["provenance"])
        recorded_epochs = check_series(run, recorded_ranks)
        check_clocks(run["epochs"])
        check_step_times(run["epochs"], recorded_ranks)
        check_segments(run, recorded_epochs)
    assert ranks is None or recorded_ranks == ranks, f"{recorded_ranks} ranks instead of {ranks}"
    assert epochs is None or recorded_epochs == epochs, f"{recorded_epochs} epochs instead of {epochs}"


def check_tools_read(path):
    for command in (["h5dump", "-H", str(path)], ["h5ls", "-r", str(path)]):
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0 and not done.stderr, f"{command}: {done.stderr}"
        assert "epochs" in done.stdout, f"{command} shows no epochs"


def text(dataset):
    """The one text in a data set, as str."""
    assert h5py.check_string_dtype(dataset.dtype) is not None, f"{dataset.name} is not text"
    assert dataset.shape == (), f"{dataset.name} has the shape {dataset.shape}"
    return dataset.asstr()[()]


def check_attributes(run, status):
    attributes = dict(run.attrs)
    assert attributes["schema_version"] == SCHEMA_VERSION
    assert attributes["schema_version"].dtype == np.int32
    assert attributes["status"] in STATUS
    assert status is None or attributes["status"] == status
    assert attributes["creator"].startswith("Lockstep ")
    assert attributes["run_id"]
    assert UTC.fullmatch(attributes["started"])
    if attributes["status"] == "running":
        assert attributes["finished"] == ""
    else:
        assert UTC.fullmatch(attributes["finished"])
        assert attributes["finished"] >= attributes["started"]


def check_provenance(provenance):
    """Checks every documented key; returns the number of ranks."""
    for key in TEXT_KEYS:
        assert text(provenance[key]), f"{key} is empty"
    for key in NUMBER_KEYS:
        assert provenance[key].shape == () and provenance[key].dtype.kind in "iuf", key
    assert provenance["git_dirty"].dtype == np.int8 and provenance["git_dirty"][()] in (0, 1)
    assert provenance["environment"].attrs["encoding"] == "json"
    assert isinstance(json.loads(text(provenance["environment"])), dict)
    ranks = int(provenance["ranks"][()])
    assert ranks >= 1 and 1 <= provenance["nodes"][()] <= ranks
    for key in RANK_TEXT_KEYS:
        assert provenance[key].shape == (ranks,), key
        assert all(provenance[key].asstr()[:]), f"{key} has an empty text"
    for key in RANK_NUMBER_KEYS:
        assert provenance[key].shape == (ranks,) and provenance[key].dtype.kind in "iuf", key
    return ranks


def check_series(run, ranks):
    """Checks every series, also those that are not documented; returns the number of epochs."""
    lengths = set()
    for group, documented in SERIES.items():
        # What is exchanged depends on the algorithm; the epochs' series are always all there.
        later = LATER if not LATER & set(run[group]) else set()
        missing = set(documented) - set(run[group]) - later if group == "epochs" else None
        assert not missing, f"/{group} lacks {missing}"
        for name, dataset in run[group].items():
            shape, unit = check_one_series(dataset, ranks)
            assert (shape, unit) == documented.get(name, (shape, unit)), f"{dataset.name}: [{shape}], {unit}"
            lengths.add(dataset.shape[0])
    assert len(lengths) == 1, f"series of different lengths: {lengths}"
    return lengths.pop()


def check_one_series(dataset, ranks):
    """Returns the shape, "epoch" or "epoch, rank", and the unit."""
    labels = [dimension.label for dimension in dataset.dims]
    assert labels in (["epoch"], ["epoch", "rank"]), f"{dataset.name} has the dimensions {labels}"
    assert dataset.shape[1:] == (ranks,)[: len(labels) - 1], f"{dataset.name} has the shape {dataset.shape}"
    assert dataset.dtype == np.float64, dataset.name
    assert dataset.maxshape[0] is None and dataset.chunks is not None, f"{dataset.name} cannot grow"
    assert np.isnan(dataset.fillvalue), dataset.name
    assert isinstance(dataset.attrs["unit"], str) and dataset.attrs["unit"], dataset.name
    assert isinstance(dataset.attrs["description"], str) and dataset.attrs["description"], dataset.name
    return ", ".join(labels), dataset.attrs["unit"]


def check_step_times(epochs, ranks):
    """Percentiles grow, and the longest step is no longer than its epoch; epochs and files of older versions have none."""
    if not LATER & set(epochs):
        return
    names = ("step_p50_s", "step_p95_s", "step_p99_s", "step_largest_s")
    p50, p95, p99, largest = (epochs[name][:] for name in names)
    timed = ~np.isnan(p50)
    for fewer, more in ((p50, p95), (p95, p99), (p99, largest), (largest, epochs["epoch_s"][:] * (1 + 1e-6) + 1e-6)):
        assert np.all(fewer[timed] <= more[timed])
    assert np.all(np.isin(epochs["step_largest_rank"][timed], np.arange(ranks)))


SEGMENT_TEXTS = ("started", "finished", "status", "job", "hosts")
SEGMENT_NUMBERS = ("first_epoch", "first_step", "lost_s", "restart_count")


def check_segments(run, epochs):
    """One segment or more, in order; the last one's state is the run's."""
    segments = run["segments"]
    assert set(segments) >= {*SEGMENT_TEXTS, *SEGMENT_NUMBERS}
    assert len({column.shape for column in segments.values()}) == 1 and len(segments["status"]) >= 1
    texts = {name: segments[name].asstr()[:].tolist() for name in SEGMENT_TEXTS}
    assert texts["status"][-1] == run.attrs["status"] and texts["finished"][-1] == run.attrs["finished"]
    assert texts["started"][0] == run.attrs["started"] and all(map(UTC.fullmatch, texts["started"]))
    assert all(texts["hosts"])
    first = segments["first_epoch"][:]
    assert first[0] == 0 and first[-1] <= epochs
    assert (segments["lost_s"][:] >= 0).all()


def check_clocks(epochs):
    """The clocks never go back, and the wall clock is never behind the training clock."""
    train, wall = epochs["train_clock_s"][:], epochs["wall_clock_s"][:]
    assert np.all(np.diff(train) >= 0) and np.all(np.diff(wall) >= 0)
    assert np.all(wall >= train * (1 - 1e-6) - 1e-3), "the wall clock is behind the training clock"
    accuracy = epochs["test_accuracy"][:]
    assert np.all(np.isnan(accuracy) | ((accuracy >= 0) & (accuracy <= 1))), "an accuracy outside 0 to 1"
