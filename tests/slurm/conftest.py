# SPDX-License-Identifier: BSD-3-Clause
"""One private Slurm for all tests, and jobs on it as a user submits them."""

import json
from dataclasses import dataclass
from pathlib import Path

import h5py
import pytest

import requirements
from cluster import ROOT, Cluster

HERE = Path(__file__).resolve().parent
# A job that collects a sweep makes no table and no report in these: they take longer than the runs. full_site() is for who wants them.
SITES = {"mpirun": HERE / "site.json", "srun": HERE / "site_srun.json"}
TINY = ["--dataset", "synthetic", "--synthetic-train", "1003", "--synthetic-test", "200", "--epochs", "2",
        "--model", "mlp:784-16-10", "--progress", "plain"]


@pytest.fixture(scope="session")
def cluster():
    requirements.check()
    with Cluster(nodes=4, cpus=4) as cluster:
        yield cluster


def full_site(launcher, folder):
    """A site whose jobs do all that a user's do."""
    site = json.loads(SITES[launcher].read_text())
    del site["setup"]
    path = folder / f"{launcher}.json"
    path.write_text(json.dumps(site))
    return path


@dataclass
class Job:
    """A job that has ended."""

    number: int
    state: str
    status: int  # exit status of the batch script
    log: str


class Lockstep:
    """Batch scripts of this checkout on the cluster; logs and results in a folder of the test's own."""

    def __init__(self, cluster, folder):
        self.cluster, self.folder = cluster, folder
        self.results = folder / "results"

    def submit(self, script, *arguments, sbatch=(), launcher="mpirun", cwd=ROOT, env=None):
        """Submits a batch script and returns the job's number."""
        return self.cluster.sbatch("--output", self.log_path("%j"), *sbatch, ROOT / "jobs" / script, *arguments,
                                   "--results", self.results, cwd=cwd, env={"LOCKSTEP_SITE": str(SITES[launcher]), **(env or {})})

    def wait(self, number):
        job = self.cluster.wait_for(number)
        return Job(number, job["job_state"], job["exit_code"] >> 8, self.log(number))

    def run(self, script, *arguments, **options):
        return self.wait(self.submit(script, *arguments, **options))

    def log_path(self, number):
        return self.folder / f"{number}.log"

    def log(self, number):
        return self.log_path(number).read_text()

    def epochs(self, run_id):
        """How many epochs a run has recorded so far."""
        return self.run_file(run_id).epochs if (self.results / "runs" / f"{run_id}.h5").exists() else 0

    def run_file(self, run_id, experiment="runs"):
        return RunFile(self.results / experiment / f"{run_id}.h5")


class RunFile:
    """What the tests ask of a run file."""

    def __init__(self, path):
        with h5py.File(path) as file:
            self.status = file.attrs["status"]
            self.config = json.loads(file["config"].asstr()[()])
            self.hosts = list(file["provenance/hosts"].asstr()[()])
            self.environment = json.loads(file["provenance/environment"].asstr()[()])
            self.epochs = len(file["epochs"].get("epoch_s", ()))  # none in the file that a run begins with
            self.segments = list(file["segments/status"].asstr()[()])
            self.lost_s = file["segments/lost_s"][()].sum()


@pytest.fixture
def lockstep(cluster, tmp_path):
    cluster.wait_idle()  # whatever of the test before still runs, Slurm would place the jobs of this one around it
    return Lockstep(cluster, tmp_path)
