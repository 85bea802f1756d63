# SPDX-License-Identifier: BSD-3-Clause
"""Runs that are killed at, or meet an error at, one chosen system call on their files: docs/reliability.md."""

import fcntl
import mmap
import os
import shutil
import signal
import struct
import subprocess
import time
from pathlib import Path

import h5py
import pytest

from conftest import BIN, PATIENCE_S, ROOT
from run_file_checks import check_run_file

RUN = ["--dataset", "synthetic", "--synthetic-train", "600", "--synthetic-test", "50", "--model", "mlp:784-8-10", "--epochs", "4",
       "--checkpoint-epochs", "1", "--eval-acc", "0", "--progress", "off", "--stall-seconds", "0"]
ALGORITHMS = {"serial": 1, "param_avg": 2}


@pytest.fixture(scope="module")
def failing_files(tmp_path_factory):
    library = tmp_path_factory.mktemp("support") / "failing_files.so"
    subprocess.run(["g++", "-std=c++20", "-O1", "-Wall", "-Werror", "-shared", "-fPIC", "-o", library,
                    ROOT / "tests/preload/failing_files.cpp", "-ldl"], check=True)
    return library


class Crashes:
    """Runs of one algorithm in folders of their own, with faults in their calls."""

    def __init__(self, library, folder, algorithm):
        self.library, self.folder, self.algorithm, self.ranks = library, folder, algorithm, ALGORITHMS[algorithm]
        self.count = 0
        unbroken = self.new()
        self.calls_file = folder / "calls"
        status, err = self.run(unbroken, FAULT_COUNT=self.calls_file)
        assert status == 0, err
        self.calls = int(self.calls_file.read_text())
        self.expected = self.parameters(unbroken)

    def new(self):
        self.count += 1
        return self.folder / f"run-{self.count:04}-of-{self.algorithm}"

    def run(self, results, *more, **fault):
        launcher = [] if self.ranks == 1 else [str(ROOT / "jobs/local.sh"), str(self.ranks)]
        command = [*launcher, str(BIN / "train"), "--algorithm", self.algorithm, *RUN, "--results", str(results), "--run-id", "a",
                   *map(str, more)]
        faults = {name: str(value) for name, value in fault.items()}
        if faults:
            faults |= {"LD_PRELOAD": str(self.library), "FAULT_FOLDER": str(results)}
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_S, stdin=subprocess.DEVNULL,
                              env={**os.environ, "LOCKSTEP_CACHE_DIR": str(self.folder / "cache"), **faults})
        return done.returncode, done.stderr

    @staticmethod
    def file(results):
        return results / "runs" / "a.h5"

    def parameters(self, results):
        with h5py.File(self.file(results)) as file:
            return file["provenance/parameters_sha256"].asstr()[()]

    def expect_whole_files(self, results):
        """No file under its final name is ever damaged."""
        files = [path for path in (results / "runs").glob("a.*") if path.suffix != ".partial"] if (results / "runs").exists() else []
        if files:
            done = subprocess.run([BIN / "runfile", "check", *files], capture_output=True, text=True)
            assert done.returncode == 0, done.stdout

    def expect_same_end(self, results):
        status, err = self.run(results, "--resume")
        assert status == 0, err
        assert self.parameters(results) == self.expected
        check_run_file(self.file(results))
        assert [path.name for path in (results / "runs").iterdir()] == ["a.h5"]
        shutil.rmtree(results)


@pytest.fixture(scope="module")
def crashes(failing_files, tmp_path_factory):
    made = {}

    def make(algorithm):
        if algorithm not in made:
            made[algorithm] = Crashes(failing_files, tmp_path_factory.mktemp(algorithm), algorithm)
        return made[algorithm]

    return make


def places(calls, count):
    """So many of the calls from the first to the last, evenly."""
    return sorted({1 + round(i * (calls - 1) / max(count - 1, 1)) for i in range(count)})


# How many kills: of both algorithms 200 by make test-long.
@pytest.mark.parametrize("algorithm, count", [
    pytest.param("serial", 6),
    pytest.param("serial", 150, marks=pytest.mark.long),
    pytest.param("param_avg", 50, marks=pytest.mark.long)])
def test_a_run_that_is_killed_at_any_call_on_its_files_resumes_to_the_same_end(crashes, algorithm, count):
    runs = crashes(algorithm)
    killed = 0
    # There may be fewer calls than kills: then a resumed run is killed, too.
    for round_ in range(1 + (count - 1) // runs.calls):
        for at in places(runs.calls, min(count - round_ * runs.calls, runs.calls)):
            results = runs.new()
            for attempt in range(round_ + 1):
                status, err = runs.run(results, *(["--resume"] if attempt else []), FAULT="kill", FAULT_AT=at if attempt == 0 else 1 + at // 2)
                assert status in (0, -signal.SIGKILL, 128 + signal.SIGKILL), (at, status, err)
                killed += status != 0
                runs.expect_whole_files(results)
            runs.expect_same_end(results)
    # Where the disk is slow a snapshot may be skipped: then the last calls are not made.
    assert killed >= 0.8 * min(count, runs.calls)


FAULTS = ["EIO", "ENOSPC", "EDQUOT", "EROFS"]


@pytest.mark.parametrize("fault, lasts, count", [
    pytest.param("EIO", 0, 5),
    pytest.param("EROFS", 1, 3, marks=pytest.mark.slow),
    *[pytest.param(fault, lasts, 25, marks=pytest.mark.long) for fault in FAULTS for lasts in (0, 1)]])
def test_a_run_whose_disk_fails_ends_well_or_says_why_and_resumes_to_the_same_end(crashes, fault, lasts, count):
    runs = crashes("serial")
    for at in places(runs.calls, count):
        results = runs.new()
        status, err = runs.run(results, FAULT=fault, FAULT_AT=at, FAULT_LASTS=lasts)
        assert status in (0, 1, 2), (at, status, err)
        assert "Segmentation" not in err and "terminate" not in err and err.count("warning:") <= 4, (at, err)
        if status == 0:
            assert runs.parameters(results) == runs.expected
        else:
            assert "error:" in err, at
        runs.expect_whole_files(results)
        runs.expect_same_end(results)


def test_a_checkpoint_that_cannot_be_written_is_named_once_and_the_run_completes(crashes):
    runs = crashes("serial")
    results = runs.new()
    status, err = runs.run(results, FAULT="EIO", FAULT_AT=1, FAULT_LASTS=1, FAULT_CALLS="link,fallocate")
    assert status == 0, err
    assert err.count("warning:") == 1 and "no checkpoint could be written, and there is no older one" in err, err
    assert runs.parameters(results) == runs.expected


def test_trouble_that_ends_is_said_twice(crashes):
    runs = crashes("serial")
    results = runs.new()
    status, err = runs.run(results, FAULT="ENOSPC", FAULT_AT=2, FAULT_CALLS="fallocate")
    assert status == 0, err
    assert err.count("no checkpoint could be written, and the older one is kept") == 1, err
    assert err.count("checkpoints are written again") == 1, err


def test_a_folder_that_cannot_be_synced_is_no_sign_of_another_process(crashes):
    runs = crashes("serial")
    for at in (3, 6, 9):
        results = runs.new()
        status, err = runs.run(results, FAULT="EIO", FAULT_AT=at, FAULT_CALLS="fsync")
        assert status in (0, 1) and "another process" not in err, err
        runs.expect_same_end(results)


def test_what_killed_launchers_left_is_removed_by_the_next_launch():
    host = f"{os.uname().nodename.split('.')[0]}.{os.getuid()}"
    launcher = subprocess.Popen([ROOT / "jobs/local.sh", "1", "sleep", "30"], cwd=ROOT)
    session = Path(os.environ.get("TMPDIR", "/tmp"), f"ompi.{host}", f"pid.{launcher.pid}")
    give_up = time.monotonic() + PATIENCE_S
    while not (session / "contact.txt").exists():
        assert time.monotonic() < give_up and launcher.poll() is None
        time.sleep(0.05)
    unused, recent, mapped = (Path("/dev/shm", f"vader_segment.{host}.test{os.getpid()}.{i}") for i in range(3))
    for segment in (unused, recent, mapped):
        segment.write_bytes(b"x" * 4096)
    family, used_family = (session.parent / f"jf.test{os.getpid()}.{i}" for i in range(2))
    family.mkdir()
    (used_family / "0").mkdir(parents=True)
    for old in (unused, mapped, family, used_family):
        os.utime(old, (0, 0))
    try:
        with open(mapped, "r+b") as file, mmap.mmap(file.fileno(), 4096):
            subprocess.run([ROOT / "jobs/local.sh", "1", "true"], check=True, cwd=ROOT)
        assert session.exists(), "its launcher lives"
        children = Path(f"/proc/{launcher.pid}/task/{launcher.pid}/children").read_text().split()
        launcher.kill()
        launcher.wait()
        for child in children:
            os.kill(int(child), signal.SIGKILL)
        os.utime(mapped, (0, 0))
        with open(mapped, "r+b") as file, mmap.mmap(file.fileno(), 4096):
            subprocess.run([ROOT / "jobs/local.sh", "1", "true"], check=True, cwd=ROOT)
        assert session.exists(), "it is recent: its launcher may live in a container whose processes are not seen here"
        for old in (mapped, session):
            os.utime(old, (0, 0))
        with open(mapped, "r+b") as file, mmap.mmap(file.fileno(), 4096):
            subprocess.run([ROOT / "jobs/local.sh", "1", "true"], check=True, cwd=ROOT)
        assert not session.exists() and not unused.exists() and recent.exists() and mapped.exists()
        assert not family.exists() and used_family.exists()
    finally:
        shutil.rmtree(used_family)
        for segment in (unused, recent, mapped):
            segment.unlink(missing_ok=True)


class Disk:
    """A small disk in a file, whose power can be cut."""

    def __init__(self, folder):
        self.image, self.folder = folder / "disk.img", folder / "disk"
        self.folder.mkdir()
        with open(self.image, "wb") as file:
            file.truncate(128 << 20)
        subprocess.run(["mkfs.ext4", "-q", "-F", self.image], check=True)
        self.mount()

    def mount(self):
        # Without auto_da_alloc a rename of a file that was not synced leaves an empty one.
        subprocess.run(["mount", "-o", "loop,noauto_da_alloc,commit=300", self.image, self.folder], check=True, capture_output=True)

    def cut_power(self):
        """Nothing that is not on the disk yet will ever be. A sync of any file brings all names there, but not the bytes behind them."""
        with open(self.folder / "other", "wb") as other:
            os.fsync(other.fileno())
        shutdown, without_flush = 0x8004587D, 2  # EXT4_IOC_SHUTDOWN
        folder = os.open(self.folder, os.O_RDONLY)
        fcntl.ioctl(folder, shutdown, struct.pack("I", without_flush))
        os.close(folder)

    def restore_power(self):
        for _ in range(100):
            subprocess.run(["umount", self.folder], check=True)
            self.mount()
            try:
                (self.folder / "other").write_bytes(b"x")
                return
            except OSError:  # it was mounted in another name space of this machine, too, and is still without power
                time.sleep(0.3)
        pytest.skip("another process keeps the disk mounted")


@pytest.fixture
def disk(tmp_path):
    if os.geteuid() != 0 or not shutil.which("mkfs.ext4"):
        pytest.skip("only root can make a disk, with mkfs.ext4")
    try:
        disk = Disk(tmp_path)
    except subprocess.CalledProcessError:
        pytest.skip("no disk can be mounted here")
    yield disk
    subprocess.run(["umount", disk.folder], capture_output=True)


@pytest.mark.parametrize("cuts", [1, pytest.param(12, marks=pytest.mark.long)])
def test_a_run_resumes_after_a_power_cut_to_the_same_end(crashes, disk, cuts):
    runs = crashes("serial")
    options = ["--epochs", 400, "--checkpoint-epochs", 3]
    unbroken = runs.new()
    assert runs.run(unbroken, *options)[0] == 0
    for cut in range(cuts):
        results = disk.folder / f"{cut}"
        process = subprocess.Popen([BIN / "train", "--algorithm", "serial", *RUN, "--results", results, "--run-id", "a", *map(str, options)],
                                   cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        give_up = time.monotonic() + PATIENCE_S
        while not (results / "runs/a.ckpt.previous").exists():
            assert time.monotonic() < give_up and process.poll() is None
            time.sleep(0.01)
        time.sleep(0.03 * cut)
        disk.cut_power()
        process.kill()
        process.wait()
        disk.restore_power()
        runs.expect_whole_files(results)
        status, err = runs.run(results, *options, "--resume")
        assert status == 0, err
        assert "starting anew" not in err
        assert runs.parameters(results) == runs.parameters(unbroken)
        with h5py.File(runs.file(results)) as file:
            assert file["segments/first_epoch"][-1] > 0, "the checkpoint was of no use"


def test_a_stop_on_a_full_disk_says_what_is_lost(failing_files, tmp_path):
    results = tmp_path / "results"
    process = subprocess.Popen([BIN / "train", "--algorithm", "serial", *RUN, "--results", results, "--run-id", "a", "--epochs", "100000",
                                "--checkpoint-epochs", "0"], cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                               env={**os.environ, "LD_PRELOAD": str(failing_files), "FAULT_FOLDER": str(results), "FAULT": "ENOSPC",
                                    "FAULT_AT": "1", "FAULT_LASTS": "1", "FAULT_CALLS": "fallocate"})
    give_up = time.monotonic() + PATIENCE_S
    while not (results / "runs/a.h5").exists():
        assert time.monotonic() < give_up and process.poll() is None
        time.sleep(0.01)
    process.terminate()
    _, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 75
    assert "the parameters are lost" in err and "No space left" in err and "continue from the last one" not in err, err


@pytest.mark.parametrize("at", [1, 2, 4])
def test_a_scratch_file_in_memory_that_fails_costs_the_checkpoint_alone(failing_files, tmp_path, at):
    """HDF5 lays a checkpoint out in /dev/shm, and would crash at the end of the run."""
    done = subprocess.run([BIN / "train", "--algorithm", "serial", *RUN, "--results", tmp_path, "--run-id", "a"], cwd=ROOT, text=True,
                          capture_output=True, timeout=PATIENCE_S,
                          env={**os.environ, "LD_PRELOAD": str(failing_files), "FAULT_FOLDER": "/dev/shm/lockstep", "FAULT": "ENOSPC",
                               "FAULT_AT": str(at), "FAULT_LASTS": "1", "FAULT_CALLS": "write",
                               # HDF5 keeps the memory of a file that it could not write.
                               "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0"})
    assert done.returncode == 0 and done.stderr.count("no checkpoint could be written") == 1, (done.returncode, done.stderr)
