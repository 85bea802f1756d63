# SPDX-License-Identifier: BSD-3-Clause
"""Runs the programs as a user does: under the local launcher, on real files, in a folder of their own."""

import os
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import h5py
import pytest

ROOT = Path(__file__).resolve().parents[2]
# What takes longer hangs. On a machine with other work all that several ranks do may take fifty times as long as without.
PATIENCE_S = 300
BIN = Path(os.environ.get("LOCKSTEP_BIN", ROOT / "build/bin"))
SMALL = ["--dataset", "synthetic", "--synthetic-train", "1003", "--synthetic-test", "200", "--epochs", "2",
         "--model", "mlp:784-16-10"]

BEFORE = pytest.StashKey[set]()  # what was there before the tests


@dataclass
class Result:
    status: int
    out: str
    err: str


class Lockstep:
    """The programs, with results going to a temporary folder."""

    def __init__(self, folder):
        self.folder = folder

    def run(self, *arguments, ranks=1, program="train", timeout=PATIENCE_S, env=None):
        """On so many ranks; with None the program alone, without a launcher (which takes two seconds to see that a rank failed)."""
        launcher = [] if ranks is None else [str(ROOT / "jobs/local.sh"), str(ranks)]
        command = [*launcher, str(BIN / program), *map(str, arguments)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=timeout, stdin=subprocess.DEVNULL,
                              env={**os.environ, "LOCKSTEP_CACHE_DIR": str(self.folder / "cache"), **(env or {})})
        return Result(done.returncode, done.stdout, done.stderr)

    def train(self, *arguments, ranks=1, program="train", **options):
        """Trains and returns the path of the new run file."""
        before = set(self.files())
        result = self.run(*arguments, "--results", self.folder, ranks=ranks, program=program, **options)
        assert result.status == 0, result.err
        new = set(self.files()) - before
        assert len(new) == 1, new
        return new.pop()

    def files(self):
        return sorted(self.folder.rglob("*.h5"))


@pytest.fixture
def lockstep(tmp_path):
    return Lockstep(tmp_path / "results")


@pytest.fixture(scope="session")
def datasets():
    """The real data sets that are here; Fashion-MNIST must be."""
    here = [name for name in ("fashion_mnist", "mnist") if (ROOT / "data" / name / "train-images-idx3-ubyte").exists()]
    assert "fashion_mnist" in here, "run `make data` first"
    return here


def series(path, name):
    with h5py.File(path) as file:
        return file[name][()]


def recorded_epochs(path):
    if not path.exists():
        return 0
    with h5py.File(path) as file:
        return len(file["epochs/train_loss"]) if "train_loss" in file["epochs"] else 0


def wait_for_epochs(process, path, epochs):
    """Until the run file has so many. What a run prints comes sooner: where writing takes long, not every epoch is written at once."""
    give_up = time.monotonic() + PATIENCE_S
    while recorded_epochs(path) < epochs:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < give_up, "the run does not come on"
        time.sleep(0.02)


def left_behind():
    """What runs must not leave: shared memory, and programs that go on."""
    programs = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            program = (process / "exe").readlink()
        except OSError:
            continue  # it has ended, or is not ours
        if program.parent == BIN.resolve():
            programs.append(f"{program.name} (process {process.name})")
    return [*programs, *(str(path) for name in ("vader_*", "osc_*", "lockstep*") for path in Path("/dev/shm").glob(name))]


def pytest_configure():
    """Programs inherit which signals are ignored, and `nohup make test &` ignores two that tests send."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_sessionstart(session):
    session.config.stash[BEFORE] = set(left_behind())


def pytest_sessionfinish(session):
    """After all tests, those of other workers too: nothing may be there that was not there before."""
    if hasattr(session.config, "workerinput"):
        return
    give_up = time.monotonic() + 20.0
    while left := set(left_behind()) - session.config.stash[BEFORE]:
        if time.monotonic() > give_up:
            print("\nleft behind by these tests:", *sorted(left), sep="\n  ")
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
            return
        time.sleep(0.2)
