# SPDX-License-Identifier: BSD-3-Clause
"""A sweep on the private Slurm, driven by the sweep program as a user drives it."""

import functools
import json
import resource
import subprocess
import tempfile

import h5py

from cluster import ROOT, wait_until
from conftest import SITES

SMALL = {"dataset": "synthetic", "synthetic_train": 1003, "synthetic_test": 200, "epochs": 2, "model": "mlp:784-16-10"}
# Epochs of many small steps, for algorithms that let ranks alone for an epoch; how many of them: epochs_for().
LONG = {"synthetic_train": 8000, "batch_size": 2, "eval_acc": False}


def options_of(settings):
    return [f"--{key.replace('_', '-')}={str(value).lower() if isinstance(value, bool) else value}" for key, value in settings.items()]


@functools.cache
def cpu_seconds_an_epoch():
    """Of LONG here. What others do on this machine meanwhile does not count."""
    epochs = 20
    with tempfile.TemporaryDirectory() as folder:
        words = [ROOT / "build/bin/train", *options_of({**SMALL, **LONG, "epochs": epochs, "results": folder, "progress": "off"})]
        before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
        subprocess.run([str(word) for word in words], check=True, cwd=ROOT)
        return (resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before) / epochs


def epochs_for(cpu_seconds):
    """How many epochs of LONG a core makes here in that time. All ranks of the lab's nodes share this machine's cores."""
    return max(20, round(cpu_seconds / cpu_seconds_an_epoch()))


class Sweep:
    def __init__(self, cluster, folder, name, **spec):
        self.cluster, self.results = cluster, folder / "results"
        self.folder = self.results / name
        self.spec = folder / f"{name}.json"
        self.spec.write_text(json.dumps({"name": name, **spec}))

    def do(self, command, *arguments, check=True, env=None):
        """sweep COMMAND on the login host."""
        words = [ROOT / "build/bin/sweep", command]
        words += [self.spec, "--results", self.results] if command == "submit" else [self.folder]
        return self.cluster.exec(*words, *arguments, check=check, env=env)

    def submit(self, mode, *arguments, launcher="mpirun", site=None, check=True, env=None):
        return self.do("submit", "--site", site or SITES[launcher], "--mode", mode, *arguments, check=check, env=env)

    def runs(self):
        """What status says of each run, by the part of its name before the seed."""
        return {run["run_id"]: run for run in json.loads(self.do("status", "--json").stdout)}

    def states(self):
        return sorted(run["state"] for run in self.runs().values())

    def jobs(self):
        """The numbers of its jobs that make runs, by name."""
        return {job["name"]: int(job["id"]) for job in json.loads((self.folder / "sweep/jobs.json").read_text()) if job["tasks"]}

    def wait(self):
        """Until nothing is under way."""
        wait_until(lambda: not {"running", "waiting"} & set(self.states()), "the sweep does not end",
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
        return wait_until(found, f"no run on {ranks} ranks comes on", evidence=self.evidence)[0]

    def ranks(self, run_id):
        """The processes of a run that is at work: node and number, by rank."""
        found = {}
        for node in sorted(set(self.hosts(run_id))):
            for pid in trainers(self.cluster, node, run_id):
                program = self.cluster.on(node, "readlink", f"/proc/{pid}/exe", check=False).stdout.strip()
                environment = self.cluster.on(node, "cat", f"/proc/{pid}/environ", check=False).stdout.split("\0")
                told = [word.partition("=")[2] for word in environment if word.startswith("PMIX_RANK=")]
                if program.endswith("/train") and told:
                    found[int(told[0])] = (node, pid)
        return found

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


def trainers(cluster, node, run_id):
    """Processes of a run on a node, and those that have started them."""
    return cluster.on(node, "pgrep", "-f", f"bin/train .*run-id={run_id}", check=False).stdout.split()


class Held:
    """Processes on nodes that stand still: they are there, and take no time of this machine."""

    def __init__(self, cluster, processes):
        self.cluster, self.processes = cluster, list(processes)
        self._signal("STOP")

    def have_been_told(self, number):
        """A signal waits for each of them."""
        return all(int(self._status(node, pid, "ShdPnd"), 16) >> (number - 1) & 1 for node, pid in self.processes)

    def release(self):
        self._signal("CONT")

    def _signal(self, name):
        for node, pid in self.processes:
            self.cluster.on(node, "kill", f"-{name}", pid)

    def _status(self, node, pid, key):
        lines = self.cluster.on(node, "cat", f"/proc/{pid}/status").stdout.splitlines()
        return next(line.split()[1] for line in lines if line.startswith(f"{key}:"))
