# SPDX-License-Identifier: BSD-3-Clause
"""Sweeps on this machine when something is wrong: another process, damaged files, links, no locks, a closed terminal."""

import errno
import fcntl
import json
import os
import pty
import re
import shlex
import signal
import subprocess
import time

import pytest

from conftest import PATIENCE_S, ROOT
from processes import program_of
from test_sweep import INTERRUPTED, LONG, SMALL, Sweep, segments_of, status_of, without_slurm


def two_runs(folder, **settings):
    return Sweep(folder, fixed={**SMALL, **settings}, matrix={"algorithm": ["serial"], "batch_size": [32, 64]})


def ranks_of(sweep, run_id):
    """The processes of a run's ranks."""
    words = f"--results={re.escape(str(sweep.results))} --run-id={run_id}"
    pids = map(int, subprocess.run(["pgrep", "-f", "--", words], capture_output=True, text=True).stdout.split())
    return [pid for pid in pids if program_of(pid).endswith("/train")]


def test_a_run_that_another_process_takes_over_does_not_end_the_sweep(tmp_path):
    sweep = Sweep(tmp_path, fixed=LONG, matrix={"algorithm": ["serial"], "batch_size": [4, 5]})
    process = sweep.start("run")
    path = sweep.wait_for_epochs(1, process)
    words = shlex.split((sweep.folder / "sweep/log" / f"{path.stem}.log").read_text().splitlines()[0])
    train = next(i for i, word in enumerate(words) if word.endswith("/train"))
    other = subprocess.Popen(words[train:], cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
    out, _ = process.communicate(timeout=PATIENCE_S)
    assert other.wait(timeout=PATIENCE_S) == 0
    assert process.returncode == 1, out
    assert "taken over by another process" in out
    assert set(sweep.states().values()) == {"complete"}, out


def damage(path, how):
    data = path.read_bytes()
    path.write_bytes({"empty": b"", "half": data[:len(data) // 2], "text": b"not HDF5 " * 400}[how])


@pytest.mark.parametrize("how", ["empty", "half", "text"])
@pytest.mark.parametrize("command", ["run", "resume"])
def test_a_damaged_run_file_is_named_and_made_again(tmp_path, how, command):
    sweep = two_runs(tmp_path)
    assert sweep.do("run").returncode == 0
    bad, good = sweep.run_files()
    written = good.stat().st_mtime_ns
    damage(bad, how)
    shown = sweep.do("status")
    assert shown.returncode == 0
    assert "1 complete, 1 failed" in shown.stdout and bad.stem in shown.stdout and "damaged" in shown.stdout

    again = sweep.do(command)
    assert again.returncode == 0, again.stdout + again.stderr
    assert "its run file is damaged" in again.stdout
    assert status_of(bad) == "complete" and good.stat().st_mtime_ns == written
    assert bad.with_name(bad.name + ".damaged-1").exists()
    assert set(sweep.states().values()) == {"complete"}


def test_a_damaged_run_file_whose_checkpoint_is_left_is_made_again(tmp_path):
    sweep = Sweep(tmp_path, fixed=LONG, matrix={"algorithm": ["serial"], "batch_size": [4]})
    process = sweep.start("run")
    path = sweep.wait_for_epochs(2, process)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=PATIENCE_S)
    assert process.returncode == INTERRUPTED
    damage(path, "half")
    sweep_again = sweep.do("resume")
    assert sweep_again.returncode == 0, sweep_again.stdout
    assert status_of(path) == "complete"


def test_the_folder_is_locked_before_anything_is_written(tmp_path):
    sweep = two_runs(tmp_path)
    state = sweep.folder / "sweep"
    state.mkdir(parents=True)
    with open(state / "lock", "w") as lock:
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        fcntl.flock(lock, fcntl.LOCK_EX)
        for command in ("run", "resume"):
            if command == "resume":
                (state / "sweep.json").write_text("{}")
            refused = sweep.do(command)
            assert refused.returncode == 2
            assert "is being worked on" in refused.stderr and str(os.getpid()) in refused.stderr
            assert refused.stderr.count("error:") == 1
            assert not sweep.run_files() and not list((state / "log").iterdir())
            assert command == "resume" or not (state / "sweep.json").exists()


@pytest.fixture(scope="module")
def no_locks(tmp_path_factory):
    library = tmp_path_factory.mktemp("preload") / "no_locks.so"
    subprocess.run(["g++", "-std=c++20", "-O1", "-shared", "-fPIC", "-o", library, ROOT / "tests/preload/no_locks.cpp"], check=True)
    return library


@pytest.mark.parametrize("number, cause", [(errno.ENOLCK, "No locks available"), (errno.EOPNOTSUPP, "not supported"),
                                           (errno.EAGAIN, "locks do not work")])
def test_a_file_system_without_locks_is_an_error_that_says_what_to_do(tmp_path, no_locks, number, cause):
    sweep = two_runs(tmp_path)
    environment = {"LD_PRELOAD": str(no_locks), "LOCK_ERROR": str(number)}
    refused = sweep.do("run", env=environment)
    assert refused.returncode == 2
    assert cause in refused.stderr and "--results" in refused.stderr
    assert not (sweep.folder / "sweep/sweep.json").exists()
    assert sweep.do("run").returncode == 0
    shown = sweep.do("status", env=environment)  # reading needs none
    assert shown.returncode == 0 and "2 runs: 2 complete" in shown.stdout


def test_links_in_the_sweeps_folder_are_not_followed(tmp_path):
    sweep = two_runs(tmp_path)
    assert sweep.do("run").returncode == 0
    first, second = sweep.run_files()
    first.unlink()
    second.unlink()
    victim = tmp_path / "precious"
    victim.write_text("precious\n")
    lock, log = sweep.folder / "sweep/lock", sweep.folder / "sweep/log" / f"{first.stem}.log"
    lock.unlink()
    lock.symlink_to(victim)
    refused = sweep.do("run")
    assert refused.returncode == 2 and "lock is a symbolic link" in refused.stderr
    assert victim.read_text() == "precious\n"

    lock.unlink()
    log.unlink()
    log.symlink_to(victim)
    done = sweep.do("run")
    assert done.returncode == 1 and f"{log.name} is a symbolic link" in done.stdout
    assert victim.read_text() == "precious\n"
    assert second.exists() and not first.exists()


def test_a_run_that_writes_nothing_shows_no_cheerful_time(tmp_path):
    sweep = Sweep(tmp_path, fixed=LONG, matrix={"algorithm": ["serial"], "batch_size": [4]})
    process = sweep.start("run")
    path = sweep.wait_for_epochs(2, process)
    assert re.search(r"running .* left \d+:\d\d", sweep.do("status").stdout)
    pids = ranks_of(sweep, path.stem)
    assert len(pids) == 1
    os.kill(pids[0], signal.SIGSTOP)
    try:
        time.sleep(0.2)
        then = time.time() - 130
        for file in [path, sweep.folder / "sweep/log" / f"{path.stem}.log", *sweep.folder.glob("*checkpoint*")]:
            os.utime(file, (then, then))
        shown = sweep.do("status").stdout
        assert re.search(r"running .* no sign of life for 2:1\d", shown) and "left" not in shown, shown
    finally:
        os.kill(pids[0], signal.SIGCONT)
        process.terminate()
        process.communicate(timeout=PATIENCE_S)


def test_a_stalled_run_shows_the_reason_that_train_gives(tmp_path):
    sweep = Sweep(tmp_path, fixed=SMALL, matrix={"algorithm": ["serial"]})
    assert sweep.do("run").returncode == 0
    run_id = sweep.run_files()[0].stem
    log = sweep.folder / "sweep/log" / f"{run_id}.log"
    log.write_text("== now mpirun ...\nerror: no rank has made progress for 6.1 s\n    rank 3 on n4: stopped by a signal\n"
                        "  hint: ...\nsrun: error: n4: task 3: Exited with exit code 5\n")
    sweep.run_files()[0].unlink()
    (sweep.folder / "sweep/jobs.json").write_text(json.dumps(
        [{"id": "1", "name": "small", "is_array": False, "tasks": [[run_id]]}]))
    shown = sweep.do("status", env=with_slurm_that_has_forgotten(tmp_path)).stdout
    assert "no rank has made progress for 6.1 s: rank 3 on n4: stopped by a signal" in shown, shown


def with_slurm_that_has_forgotten(tmp_path):
    """Slurm's commands, that know of no job."""
    folder = tmp_path / "slurm"
    folder.mkdir()
    for name in ("sbatch", "squeue", "scontrol", "scancel", "sinfo"):
        (folder / name).write_text("#!/bin/sh\n")
        (folder / name).chmod(0o755)
    return {"PATH": f"{folder}:{os.environ['PATH']}"}


def test_status_without_slurm_shows_what_the_files_say(tmp_path):
    sweep = two_runs(tmp_path)
    assert sweep.do("run").returncode == 0
    run_ids = [path.stem for path in sweep.run_files()]
    sweep.run_files()[1].unlink()
    (sweep.folder / "sweep/jobs.json").write_text(json.dumps(
        [{"id": "1", "name": "small", "is_array": False, "tasks": [run_ids]}]))
    silent = tmp_path / "slurm"
    silent.mkdir()
    for name in ("sbatch", "squeue", "scontrol", "scancel", "sinfo"):
        (silent / name).write_text("#!/bin/sh\necho 'Unable to contact slurm controller (connect failure)' >&2\nexit 1\n")
        (silent / name).chmod(0o755)
    for environment, cause in ((without_slurm(tmp_path), "there is no Slurm"), ({"PATH": f"{silent}:/usr/bin:/bin"}, "Unable to contact")):
        shown = sweep.do("status", env=environment)
        assert shown.returncode == 0, shown.stderr
        assert "2 runs: 1 complete, 1 missing" in shown.stdout
        assert "note: this is what the files say" in shown.stderr and cause in shown.stderr
        assert json.loads(sweep.do("status", "--json", env=environment).stdout)


def test_a_closed_connection_stops_the_sweep_in_good_order(tmp_path):
    """The terminal goes, with the hang-up that the kernel sends then; what is printed afterwards cannot be."""
    sweep = Sweep(tmp_path, fixed=LONG, matrix={"algorithm": ["param_avg"], "ranks": [2], "batch_size": [4, 5]})
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(ROOT)
        words = sweep.command("run")
        os.execv(words[0], words)
    give_up = time.monotonic() + PATIENCE_S
    while not [path for path in sweep.run_files() if status_of(path) == "running"]:
        assert time.monotonic() < give_up
        time.sleep(0.1)
    os.close(terminal)
    _, status = os.waitpid(pid, 0)
    assert os.WIFEXITED(status) and os.WEXITSTATUS(status) == INTERRUPTED, status
    (path,) = sweep.run_files()
    assert status_of(path) == "interrupted"


def test_nohup_is_respected(tmp_path):
    sweep = Sweep(tmp_path, fixed=LONG, matrix={"algorithm": ["serial"], "batch_size": [8]})
    process = subprocess.Popen(["nohup", *sweep.command("run")], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                               stdin=subprocess.DEVNULL)
    path = sweep.wait_for_epochs(1, process)
    process.send_signal(signal.SIGHUP)
    out, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, out
    assert status_of(path) == "complete" and segments_of(path) == 1


@pytest.mark.parametrize("option", ["--partition", "--account"])
@pytest.mark.parametrize("value", ["main\nrm -rf x", 'a"b', "a'b", "a b", "a#b"])
def test_what_no_job_script_can_hold_is_refused(tmp_path, option, value):
    sweep = two_runs(tmp_path)
    refused = sweep.do("submit", "--dry-run", option, value, env=without_slurm(tmp_path))
    assert refused.returncode == 2
    assert f"a job script cannot hold {option}" in refused.stderr
    assert not list(sweep.folder.glob("**/*.sbatch"))


@pytest.mark.parametrize("name", ["my dir", "it's", 's"q', "new\nline", "#SBATCH --hold"])
def test_no_folders_name_is_in_a_line_for_sbatch(tmp_path, name):
    sweep = two_runs(tmp_path)
    sweep.results = tmp_path / name
    shown = sweep.do("submit", "--dry-run", env=without_slurm(tmp_path))
    assert shown.returncode == 0, shown.stderr
    (script,) = (sweep.folder / "sweep/dry-run").glob("*.sbatch")
    head, _, commands = script.read_text().partition("set -euo pipefail\n")
    assert name not in head and "\n#SBATCH --output=slurm-%j.out\n" in head
    words = shlex.split(commands.splitlines()[-1] if "\n" not in name else commands[commands.index("exec "):])
    assert str(sweep.folder) in words


@pytest.mark.parametrize("name", ["s50%j", "back\\slash"])
def test_a_folder_whose_name_slurm_would_change_is_refused(tmp_path, name):
    sweep = two_runs(tmp_path)
    sweep.results = tmp_path / name
    refused = sweep.do("submit", "--dry-run", env=without_slurm(tmp_path))
    assert refused.returncode == 2
    assert "Slurm cannot write the logs of jobs to" in refused.stderr and "--results" in refused.stderr


def test_a_dry_run_removes_only_its_own_files(tmp_path):
    sweep = two_runs(tmp_path)
    folder = tmp_path / "home"
    folder.mkdir()
    (folder / "thesis.tex").write_text("years of work")
    (folder / "old.sbatch").write_text("")
    done = sweep.do("submit", "--dry-run", "--dry-run-folder", folder, env=without_slurm(tmp_path))
    assert done.returncode == 0
    assert (folder / "thesis.tex").read_text() == "years of work"
    assert len(list(folder.glob("*.sbatch"))) == 1
