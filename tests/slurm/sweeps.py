# SPDX-License-Identifier: BSD-3-Clause
"""A sweep on the private Slurm, driven by the sweep program as a user drives it."""

import json
import subprocess

import h5py

from cluster import ROOT, wait_until
from conftest import SITES

SMALL = {"dataset": "synthetic", "synthetic_train": 1003, "synthetic_test": 200, "epochs": 2, "model": "mlp:784-16-10"}
# Epochs that take a moment each, and no end in sight: somebody has to stop it.
LONG = {"synthetic_train": 4000, "batch_size": 4, "epochs": 400, "eval_acc": False}


def epochs_for(seconds, folder):
    """How many epochs of LONG one rank makes here in that time."""
    words = [ROOT / "build/bin/train", "--results", folder, "--run-id", "speed", "--progress", "off"]
    for key, value in {**SMALL, **LONG, "epochs": 30}.items():
        words.append(f"--{key.replace('_', '-')}={str(value).lower() if isinstance(value, bool) else value}")
    subprocess.run([str(word) for word in words], check=True, cwd=ROOT)
    with h5py.File(folder / "runs/speed.h5") as file:
        return round(seconds / sorted(file["epochs/epoch_s"])[15])


class Sweep:
    def __init__(self, cluster, folder, name, **spec):
        self.cluster, self.results = cluster, folder / "results"
        self.folder = self.results / name
        self.spec = folder / f"{name}.json"
        self.spec.write_text(json.dumps({"name": name, **spec}))

    def do(self, command, *arguments, check=True):
        """sweep COMMAND on the login host."""
        words = [ROOT / "build/bin/sweep", command]
        words += [self.spec, "--results", self.results] if command == "submit" else [self.folder]
        return self.cluster.exec(*words, *arguments, check=check)

    def submit(self, mode, *arguments, launcher="mpirun", site=None, check=True):
        return self.do("submit", "--site", site or SITES[launcher], "--mode", mode, *arguments, check=check)

    def runs(self):
        """What status says of each run, by the part of its name before the seed."""
        return {run["run_id"]: run for run in json.loads(self.do("status", "--json").stdout)}

    def states(self):
        return sorted(run["state"] for run in self.runs().values())

    def jobs(self):
        """The numbers of its jobs that make runs, by name."""
        return {job["name"]: int(job["id"]) for job in json.loads((self.folder / "sweep/jobs.json").read_text()) if job["tasks"]}

    def wait(self, timeout=90):
        """Until nothing is under way."""
        wait_until(lambda: not {"running", "waiting"} & set(self.states()), timeout, "the sweep does not end",
                   evidence=self.evidence)

    def evidence(self):
        """What a user would look at when it is not as wanted: the status, and what its jobs have said."""
        logs = [f"{path.name}:\n{path.read_text()}" for path in sorted((self.folder / "sweep/log").glob("*.out"))]
        return "\n".join([self.do("status", "--all").stdout, *logs])

    def wait_for_epochs(self, epochs, ranks):
        """Until the run on so many ranks is running and has recorded so many epochs; returns its id."""
        def found():
            return [r["run_id"] for r in self.runs().values()
                    if r["ranks"] == ranks and r["state"] == "running" and r["epochs_done"] >= epochs]
        wait_until(found, 60, f"no run on {ranks} ranks comes on", evidence=self.evidence)
        return found()[0]

    def run_file(self, run_id):
        return h5py.File(self.folder / f"{run_id}.h5")

    def log(self, run_id):
        """What train has said, in all attempts."""
        return next(self.folder.glob(f"**/{run_id}.log")).read_text()

    def segments(self, run_id):
        with self.run_file(run_id) as file:
            return len(file["segments/started"])

    def status(self, run_id):
        with self.run_file(run_id) as file:
            return file.attrs["status"]

    def hosts(self, run_id):
        with self.run_file(run_id) as file:
            return list(file["provenance/hosts"].asstr()[()])
