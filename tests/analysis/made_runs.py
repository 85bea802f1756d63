# SPDX-License-Identifier: BSD-3-Clause
"""Run files for these tests: real ones, made by `train`, and copies of them with something changed."""

import hashlib
import os
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(os.environ.get("LOCKSTEP_BIN", ROOT / "build/bin"))
SMALL = [
    "--dataset",
    "synthetic",
    "--synthetic-test",
    "200",
    "--epochs",
    "7",
    "--model",
    "mlp:784-16-10",
    "--learning-rate",
    "0.01",
    "--gradient",
    "mean",
]

sys.path.insert(0, str(ROOT / "analysis"))


def train(results, experiment, ranks, seed, *arguments):
    command = [
        ROOT / "jobs/local.sh",
        ranks,
        BIN / "train",
        *SMALL,
        "--results",
        results,
        "--experiment",
        experiment,
        "--progress",
        "off",
        "--seed",
        seed,
        *arguments,
    ]
    done = subprocess.run([*map(str, command)], cwd=ROOT, capture_output=True, text=True, timeout=300, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stderr


def analysis(*arguments, cwd=ROOT):
    """The command as a user types it."""
    command = [ROOT / "analysis/lockstep-analysis", *arguments]
    return subprocess.run([*map(str, command)], cwd=cwd, capture_output=True, text=True, timeout=300)


@contextmanager
def changing(path):
    """The open run file, to be changed; then it gets the checksum of what it has become."""
    with h5py.File(path, "r+") as file:
        yield file
    with open(path, "r+b") as raw:
        raw.write(hashlib.sha256(raw.read()).hexdigest().encode())


def copy(path, to, provenance=None, config=None, scale=None, **attributes):
    """A copy of a run file with other attributes, provenance, configuration, or series times a factor."""
    import json

    to = Path(to)
    to.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(path, to)
    with changing(to) as file:
        for key, value in attributes.items():
            file.attrs[key] = value
        for key, value in (provenance or {}).items():
            if key in file["provenance"]:
                del file["provenance"][key]
            file["provenance"][key] = value
        for name, factor in (scale or {}).items():
            file[name][...] = file[name][()] * factor
        if config:
            values = json.loads(file["config"].asstr()[()]) | config
            del file["config"]
            file["config"] = json.dumps(values)
    return to


def add_segments(path):
    """Makes it a run of two attempts."""
    with changing(path) as file:
        if "segments" in file:
            del file["segments"]
        group = file.create_group("segments")
        group["started"] = ["2026-01-01T00:00:00Z", "2026-01-01T01:00:00Z"]
        group["finished"] = ["2026-01-01T00:10:00Z", "2026-01-01T01:10:00Z"]
        group["status"] = ["interrupted", "complete"]
        group["first_epoch"], group["first_step"] = [0, 3], [0, 12]
        group["lost_s"], group["restart_count"] = [4.5, 0.0], [0, 1]
        group["job"], group["hosts"] = ["12", "12"], ["n1,n1", "n2,n2"]
    return path


def rename(path, to, algorithm, **exchange):
    """A copy of a run file as an algorithm of another name and other options would have left it, which declares no more than
    that it is deterministic: of /exchange it has `exchange` alone, each a number of every epoch and rank, or without that what
    every algorithm that averages tells."""
    import json

    to = copy(path, to, config={"algorithm": algorithm}, provenance={"capabilities": ["deterministic"]})
    with changing(to) as file:
        values = json.loads(file["config"].asstr()[()])
        for option in ("avg_freq", "avg_steps", "exchange", "overlap", "bucket_floats", "compress"):
            values.pop(option, None)
        del file["config"]
        file["config"] = json.dumps(values)
        kept = ("sent_bytes", "averages") if not exchange else ()
        for name in set(file["exchange"]) - {*kept}:
            del file["exchange"][name]
        for name, value in exchange.items():
            file["exchange"][name] = np.full(file["epochs/train_s"].shape, float(value))
    return to
