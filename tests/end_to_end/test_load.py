# SPDX-License-Identifier: BSD-3-Clause
"""Many short runs one after another: nothing is left, nothing grows. LOCKSTEP_LOAD_SECONDS says how long (60)."""

import os
import subprocess
import time
from pathlib import Path

import pytest

from conftest import BIN, PATIENCE_S, ROOT
from test_sweep import SMALL, Sweep

DURATION_S = float(os.environ.get("LOCKSTEP_LOAD_SECONDS", "60"))


def surroundings(folder):
    """Folders of our own for all that Open MPI leaves while it runs."""
    places = {name: folder / name for name in ("tmp", "shm")}
    for place in places.values():
        place.mkdir()
    shared = {f"OMPI_MCA_{name}_backing_directory": str(places["shm"]) for name in ("btl_vader", "osc_sm", "osc_rdma")}
    return places, {**os.environ, **shared, "TMPDIR": str(places["tmp"]), "LOCKSTEP_CACHE_DIR": str(folder / "cache")}


def left_in(places):
    sessions = [path for path in places["tmp"].rglob("*") if path.name.startswith("pid.") or path.is_file()]
    return sessions + list(places["shm"].iterdir())


def processes_with(environment):
    """That have our TMPDIR."""
    mark = f"TMPDIR={environment['TMPDIR']}".encode()
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if mark in (process / "environ").read_bytes().split(b"\0") and (process / "stat").read_text().split()[2] != "Z":
                found.append(process.name)
        except OSError:  # it has ended, or is another user's
            continue
    return found


@pytest.mark.long
def test_runs_one_after_another_leave_nothing_but_their_files(tmp_path):
    places, environment = surroundings(tmp_path)
    results = tmp_path / "results"
    options = ["--algorithm", "param_avg", "--progress", "off", "--results", str(results)]
    options += [f"--{key.replace('_', '-')}={value}" for key, value in SMALL.items()]
    end, count = time.monotonic() + DURATION_S, 0
    while time.monotonic() < end or count < 3:
        done = subprocess.run(["jobs/local.sh", "2", BIN / "train", *options, f"--run-id=r{count}", "--checkpoint-epochs=1"], cwd=ROOT,
                              env=environment, capture_output=True, text=True, timeout=PATIENCE_S)
        assert done.returncode == 0, done.stderr
        count += 1
    assert left_in(places) == [] and processes_with(environment) == []
    files = sorted(path.name for path in (results / "runs").iterdir())
    assert files == sorted(f"r{i}.h5" for i in range(count)), "a run leaves one file"
    assert subprocess.run([BIN / "runfile", "check", *(results / "runs").iterdir()], stdout=subprocess.DEVNULL).returncode == 0
    table = subprocess.run(["analysis/lockstep-analysis", "table", results / "runs"], cwd=ROOT, capture_output=True, text=True)
    assert table.returncode == 0 and f" {count} " in table.stdout, table.stdout


@pytest.mark.long
def test_a_sweep_of_many_runs_does_not_grow(tmp_path):
    places, environment = surroundings(tmp_path)
    sweep = Sweep(tmp_path, fixed={**SMALL, "epochs": 1, "algorithm": "serial"}, repeats=2000)
    process = subprocess.Popen(sweep.command("run"), cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                               stdin=subprocess.DEVNULL)
    home = Path(f"/proc/{process.pid}")
    seen = []  # (runs, open files, bytes of memory)
    end = time.monotonic() + DURATION_S
    while time.monotonic() < end or len(sweep.run_files()) < 10:
        assert process.poll() is None
        time.sleep(1)
        pages = int((home / "statm").read_text().split()[1])
        seen.append((len(sweep.run_files()), len(list((home / "fd").iterdir())), pages * os.sysconf("SC_PAGE_SIZE")))
    process.terminate()
    assert process.wait(timeout=PATIENCE_S) == 75
    seen = [row for row in seen if row[0] >= 3]  # by then it has all that it needs
    assert seen[-1][1] <= max(files for _, files, _ in seen[:3]) + 2, seen
    assert seen[-1][2] <= seen[0][2] + (8 << 20), seen
    assert left_in(places) == [] and processes_with(environment) == []


@pytest.mark.slow
def test_of_two_that_make_one_sweep_at_once_one_is_refused(tmp_path):
    sweep = Sweep(tmp_path, fixed={**SMALL, "epochs": 40}, matrix={"algorithm": ["serial"], "batch_size": [8, 16]})
    both = [sweep.start("run") for _ in range(2)]
    said = [process.communicate(timeout=PATIENCE_S)[0] for process in both]
    assert sorted(process.returncode for process in both) == [0, 2], said
    refused = said[[process.returncode for process in both].index(2)]
    assert "is being worked on" in refused
    assert set(sweep.states().values()) == {"complete"} and len(sweep.run_files()) == 2
