# SPDX-License-Identifier: BSD-3-Clause
"""Ranks that are stopped, killed, slow or in an endless loop: no job hangs without a word, and none ends that makes progress."""

import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

from conftest import BIN, PATIENCE_S, ROOT

RUN = ["--dataset", "synthetic", "--synthetic-train", "4000", "--synthetic-test", "100", "--model", "mlp:784-32-10",
       "--batch-size", "16", "--epochs", "4000", "--checkpoint-minutes", "0", "--progress", "off"]
STALLED = 5
LIMIT_S = int(os.environ.get("STALL_LIMIT_S", 3))  # longer for programs that a sanitizer slows down


def names(option):
    """What the tables of the program hold: all rows but `auto`."""
    command = [str(BIN / "train"), "--algorithm", "parallel_sgd", *(["--exchange", "?"] if option == "exchange" else []),
               *(["--algorithm", "?"] if option == "algorithm" else [])]
    text = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "OMPI_MCA_btl": "self"}).stderr
    return [name for name in re.search(r"expected: one of (.*)", text)[1].split(", ") if name not in ("auto", "serial")]


def ways():
    """Every algorithm, and parallel_sgd with every exchange."""
    for algorithm in names("algorithm"):
        if algorithm != "parallel_sgd":
            yield ["--algorithm", algorithm, "--avg-steps", "20"]
    for exchange in names("exchange"):
        yield ["--algorithm", "parallel_sgd", "--exchange", exchange]
    yield ["--algorithm", "parallel_sgd", "--exchange", "allreduce", "--allreduce", "mpi", "--overlap", "on"]


PRODUCT = [(way, disturbance, ranks) for way in ways() for disturbance in ("stop", "kill", "spin") for ranks in (2, 3, 5)]
IN_SHORT = [(["--algorithm", "param_avg", "--avg-steps", "20"], "stop", 3),
            (["--algorithm", "parallel_sgd", "--exchange", "shared"], "stop", 2),
            (["--algorithm", "parallel_sgd", "--exchange", "allreduce"], "spin", 3),
            (["--algorithm", "parallel_sgd", "--exchange", "zero1"], "kill", 2)]


@pytest.fixture(scope="module")
def disturbed_clock(tmp_path_factory):
    library = tmp_path_factory.mktemp("support") / "disturbed_clock.so"
    subprocess.run(["g++", "-std=c++20", "-O1", "-shared", "-fPIC", "-o", library, ROOT / "tests/preload/disturbed_clock.cpp", "-ldl"],
                   check=True)
    return library


class Job:
    def __init__(self, lockstep, way, ranks, limit_s=LIMIT_S, environment=None, epochs=4000):
        command = [ROOT / "jobs/local.sh", ranks, BIN / "train", *RUN, *way, "--epochs", epochs, "--stall-seconds", limit_s,
                   "--results", lockstep.folder, "--run-id", "job"]
        self.run_file, self.ranks = lockstep.folder / "runs/job.h5", ranks
        self.process = subprocess.Popen([*map(str, command)], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                        stdin=subprocess.DEVNULL, start_new_session=True, env={**os.environ, **(environment or {})})

    def processes(self):
        """Of the ranks, by their numbers, once all of them train."""
        give_up = time.monotonic() + PATIENCE_S
        while time.monotonic() < give_up:
            assert self.process.poll() is None, self.process.communicate()
            found = {}
            for pid in filter(str.isdigit, os.listdir("/proc")):
                try:
                    session = os.getsid(int(pid))
                    program = os.path.basename(os.readlink(f"/proc/{pid}/exe"))
                    environment = open(f"/proc/{pid}/environ", "rb").read().split(b"\0")
                except OSError:
                    continue
                rank = [e.partition(b"=")[2] for e in environment if e.startswith(b"OMPI_COMM_WORLD_RANK=")]
                if session == self.process.pid and program == "train" and rank:
                    found[int(rank[0])] = int(pid)
            if len(found) == self.ranks and self.run_file.exists():  # the training has begun
                time.sleep(0.3)
                return found
            time.sleep(0.05)
        raise AssertionError("the ranks do not start")

    def stop(self):
        """In good order, after it has had time to make progress."""
        time.sleep(1)
        self.process.send_signal(signal.SIGTERM)
        return self.end()[1]

    def end(self):
        text, _ = self.process.communicate(timeout=PATIENCE_S)
        return self.process.returncode, text


def wait_for_the_last_process_of(session):
    """mpiexec may return a little earlier."""
    give_up = time.monotonic() + 30
    while has_process_of(session):
        assert time.monotonic() < give_up, "processes are left behind"
        time.sleep(0.05)


def has_process_of(session):
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            if os.getsid(int(pid)) == session and open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()[0] not in "ZX":
                return True
        except OSError:
            pass
    return False


def marked(cases):
    return [pytest.param(*case, marks=[] if case in IN_SHORT else pytest.mark.long, id=f"{'-'.join(case[0][1::2])}-{case[1]}-{case[2]}")
            for case in cases]


@pytest.mark.parametrize("way, disturbance, ranks", marked([*IN_SHORT, *(c for c in PRODUCT if c not in IN_SHORT)]))
def test_a_rank_that_others_wait_for_is_named_and_the_job_ends(lockstep, disturbed_clock, way, disturbance, ranks):
    culprit = ranks - 1
    environment = {"LD_PRELOAD": str(disturbed_clock), "DISTURBED_RANK": str(culprit), "DISTURBANCE": "spin",
                   "DISTURBED_FROM": "4000"} if disturbance == "spin" else {}
    job = Job(lockstep, way, ranks, environment=environment)
    if disturbance != "spin":
        os.kill(job.processes()[culprit], {"stop": signal.SIGSTOP, "kill": signal.SIGKILL}[disturbance])
    started = time.monotonic()
    status, text = job.end()
    assert time.monotonic() - started < 20 * LIMIT_S
    if disturbance == "kill":  # the launcher sees that, and says it
        assert status not in (0, STALLED) and "exited on signal 9" in text, text
    else:
        assert status == STALLED, text
        assert f"error: no rank has made progress for {LIMIT_S}" in text
        named = re.findall(r"^  rank (\d+) on (\S+) \(process \d+\): (.*); in (\w+), epoch \d+, after step \d+$",
                           text[text.index("error: no rank"):], re.MULTILINE)
        assert [int(rank) for rank, *_ in named] == [culprit], text
        assert named[0][2].startswith("stopped by a signal" if disturbance == "stop" else "no progress for"), text
        waiting = re.search(r"^  waiting: ranks? ([\d, -]+);", text, re.MULTILINE)[1]
        assert waiting == {2: "0", 3: "0, 1", 5: "0-3"}[ranks]
        assert text.count("error: no rank") == 1
    wait_for_the_last_process_of(job.process.pid)


@pytest.mark.slow
def test_rank_0_is_named_by_the_others(lockstep):
    job = Job(lockstep, ["--algorithm", "param_avg", "--avg-steps", "20"], 3)
    os.kill(job.processes()[0], signal.SIGSTOP)
    status, text = job.end()
    assert status == STALLED and text.count("error: no rank") == 1, text
    assert re.search(r"^  rank 0 on \S+ \(process \d+\): stopped by a signal", text, re.MULTILINE), text
    assert "waiting: ranks 1, 2;" in text


def test_a_slow_rank_is_no_stall_and_is_named_at_the_end(lockstep, disturbed_clock):
    environment = {"LD_PRELOAD": str(disturbed_clock), "DISTURBED_RANK": "1", "DISTURBANCE": "slow", "DISTURBED_FROM": "4000"}
    job = Job(lockstep, ["--algorithm", "parallel_sgd", "--exchange", "allreduce", "--progress", "plain"], 2, environment=environment, epochs=4)
    status, text = job.end()
    assert status == 0, text
    assert "no rank has made progress" not in text
    assert re.search(r"^rank 1 on \S+ was the slowest: the other ranks waited \d+% of their time for it", text, re.MULTILINE), text


@pytest.mark.slow
def test_a_job_that_was_suspended_as_a_whole_goes_on(lockstep):
    job = Job(lockstep, ["--algorithm", "parallel_sgd", "--exchange", "allreduce"], 2, limit_s=2)
    pids = job.processes().values()
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    time.sleep(5)
    for pid in pids:
        os.kill(pid, signal.SIGCONT)
    text = job.stop()
    assert "all work is saved" in text and "no rank has made progress" not in text, text


@pytest.mark.slow
def test_there_is_a_warning_first_and_a_word_when_it_is_over(lockstep):
    job = Job(lockstep, ["--algorithm", "parallel_sgd", "--exchange", "allreduce"], 2, limit_s=30)
    pid = job.processes()[1]
    os.kill(pid, signal.SIGSTOP)
    time.sleep(5)
    os.kill(pid, signal.SIGCONT)
    text = job.stop()
    assert "all work is saved" in text, text
    assert "warning: no rank has made progress for 3" in text and "the job ends when this has lasted 30 s" in text
    assert "note: the ranks make progress again" in text


@pytest.mark.long
def test_nobody_watches_with_0(lockstep):
    threads = {}
    for limit_s in (0, 600):
        job = Job(lockstep, ["--algorithm", "param_avg"], 2, limit_s=limit_s)
        pids = job.processes().values()
        threads[limit_s] = [[comm.read_text() for comm in Path(f"/proc/{pid}/task").glob("*/comm")].count("watchdog\n") for pid in pids]
        job.stop()
        for file in job.run_file.parent.iterdir():
            file.unlink()
    assert threads == {0: [0, 0], 600: [1, 1]}
