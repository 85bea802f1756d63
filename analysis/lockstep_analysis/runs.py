# SPDX-License-Identifier: BSD-3-Clause
"""Reading of run files (docs/run_file.md)."""

import json
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

NEWEST_SCHEMA = 1


class NoRuns(Exception):
    """There is nothing to analyse."""


class NotARun(Exception):
    """A file that cannot be used; the message says why."""


@dataclass
class Run:
    """One run: its configuration and its series, "group/name" -> array [epoch] or [epoch, rank]."""

    path: Path
    run_id: str
    config: dict
    ranks: int
    hosts: list
    series: dict

    @property
    def algorithm(self):
        return self.config["algorithm"]

    @property
    def final_accuracy(self):
        """Test accuracy after the last epoch; NaN when it was not evaluated."""
        return float(self.series["epochs/test_accuracy"][-1])

    def settings(self):
        """All that makes runs repetitions of each other: the configuration but for the seed, and the ranks."""
        kept = {key: value for key, value in self.config.items() if key not in ("seed", "experiment")}
        return json.dumps({**kept, "ranks": self.ranks}, sort_keys=True)


def read_run(path):
    """The Run in a file; raises NotARun."""
    try:
        file = h5py.File(path, "r")
    except OSError:
        raise NotARun("not a readable HDF5 file") from None
    with file:
        if "schema_version" not in file.attrs:
            raise NotARun("HDF5, but not a run file (no schema_version)")
        if file.attrs["schema_version"] > NEWEST_SCHEMA:
            raise NotARun(f"schema {file.attrs['schema_version']} is newer than this analysis ({NEWEST_SCHEMA})")
        status = text(file.attrs["status"])
        if status != "complete":
            raise NotARun(f"its status is {status}")
        series = {f"{group}/{name}": values[()] for group in ("epochs", "exchange") if group in file
                  for name, values in file[group].items()}
        provenance = file["provenance"]
        return Run(path=Path(path), run_id=text(file.attrs["run_id"]), config=json.loads(text(file["config"][()])),
                   ranks=int(provenance["ranks"][()]), hosts=[text(h) for h in provenance["hosts"][()]], series=series)


def text(value):
    return value.decode() if isinstance(value, bytes) else str(value)


def load_runs(paths):
    """(runs, left_out): all complete runs below the paths, and [(path, reason)] for the rest. Raises NoRuns."""
    files = []
    for path in map(Path, paths):
        if not path.exists():
            raise NoRuns(f"{path} does not exist")
        files += sorted(path.rglob("*.h5")) if path.is_dir() else [path]
    runs, left_out = [], []
    for file in files:
        try:
            runs.append(read_run(file))
        except NotARun as reason:
            left_out.append((file, str(reason)))
    if not runs:
        reasons = "".join(f"\n  {file}: {reason}" for file, reason in left_out)
        raise NoRuns(f"no complete run file in {', '.join(map(str, paths))}{reasons}")
    return runs, left_out


def epoch_seconds(runs):
    """Training time of every epoch of every run, slowest rank, in seconds."""
    return np.concatenate([run.series["epochs/epoch_s"] for run in runs])


def phase_share(runs, phase):
    """Share of the ranks' training time that a phase took, over all epochs and ranks."""
    in_phase = sum(run.series[f"epochs/{phase}_s"].sum() for run in runs)
    return in_phase / sum(run.series["epochs/train_s"].sum() for run in runs)
