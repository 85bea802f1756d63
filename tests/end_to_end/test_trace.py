# SPDX-License-Identifier: BSD-3-Clause
"""Traces of real runs, and the step times in their run files: each confirms the other."""

import gzip
import json
import os
import shutil
import signal
import subprocess

import h5py
import pytest
from trace_checks import check_step_times, check_trace_of_run, read_trace, rows_of

from conftest import ROOT, SMALL
from run_file_checks import check_run_file
from test_resume import EPOCHS, INTERRUPTED, Job

RING = ["--allreduce", "ring"]
RUNS = {
    "serial": (1, "serial", ["--algorithm", "serial"]),
    "one rank that averages": (1, "", ["--algorithm", "param_avg", "--avg-steps", "3"]),
    "ring": (2, "ring", ["--algorithm", "parallel_sgd", "--exchange", "allreduce", *RING]),
    "ZeRO 1": (3, "allgather", ["--algorithm", "parallel_sgd", "--exchange", "zero1"]),
    "node-sharded": (2, "shared", ["--algorithm", "parallel_sgd", "--exchange", "shared"]),
    "bf16": (2, "encoded", ["--algorithm", "parallel_sgd", "--exchange", "allreduce", "--compress", "bf16"]),
    "averages": (3, "recursive_doubling", ["--algorithm", "param_avg", "--avg-steps", "3", "--allreduce", "recursive_doubling"]),
    "drift": (2, "ring", ["--algorithm", "drift_avg", "--drift-threshold", "0.01", "--check-steps", "2", *RING]),
    "an average an epoch": (2, "shared_memory", ["--algorithm", "w_param_avg", "--allreduce", "shared_memory"]),
}


@pytest.mark.parametrize("name", RUNS)
def test_a_trace_says_what_the_run_file_says(lockstep, tmp_path, name):
    ranks, exchange, words = RUNS[name]
    run_file = lockstep.train(*SMALL, *words, "--checkpoint-epochs", "1", "--trace", tmp_path / "trace.json", ranks=ranks)
    trace = read_trace(tmp_path / "trace.json")
    check_trace_of_run(trace, run_file, epochs=2, ranks=ranks)
    check_run_file(run_file, epochs=2, ranks=ranks)
    names = {e["args"]["algorithm"] for e in trace["traceEvents"] if e["name"] == "exchange" and "args" in e}
    assert names == set() if ranks == 1 else exchange in names
    assert len({e["pid"] for e in trace["traceEvents"]}) == 1
    assert trace["otherData"]["ranks"] == ranks and "CLOCK_MONOTONIC" in trace["otherData"]["clock"]
    with h5py.File(run_file) as file:
        assert not {key for key in json.loads(file["config"].asstr()[()]) if key.startswith("trace")}


def test_a_trace_ends_after_its_last_step_and_says_so(lockstep, tmp_path):
    """16 steps an epoch, so that the limit is in the second one."""
    words = ["--algorithm", "parallel_sgd", "--trace", tmp_path / "t.json.gz", "--trace-steps", "20"]
    result = lockstep.run(*SMALL, *words, "--results", lockstep.folder, ranks=2)
    assert result.status == 0, result.err
    assert "has the first 20 of 32 steps" in result.err and "--trace-steps" in result.err
    trace = read_trace(tmp_path / "t.json.gz")
    assert trace["otherData"]["steps_recorded"] == 20 and trace["otherData"]["steps_left_out"] == 12
    for row in rows_of(trace).values():
        steps, epochs = row.of("step"), row.epochs()
        assert len(steps) == 20 and list(epochs) == [1, 2]
        assert epochs[2][1] == steps[-1][1] == max(end for _, end in row.of("phase"))


def test_ranks_share_a_clock(lockstep, tmp_path):
    """No rank ends an average before all have begun it."""
    lockstep.train(*SMALL, "--algorithm", "param_avg", "--avg-steps", "2", *RING, "--trace", tmp_path / "t.json", ranks=2)
    one, other = (row.of("average") for row in rows_of(read_trace(tmp_path / "t.json")).values())
    assert len(one) == len(other) >= 8
    for (begin, end), (other_begin, other_end) in zip(one, other):
        assert begin <= other_end and other_begin <= end


def test_a_run_that_is_stopped_leaves_a_trace_and_its_epoch_counts_all_steps(lockstep, tmp_path):
    job = Job(lockstep, "stopped", "--algorithm", "param_avg", "--epochs", EPOCHS, "--trace-steps", "100000")
    job.start("--trace", tmp_path / "first.json").wait_for_epochs(1)
    os.kill(job.rank_pids()[0], signal.SIGTERM)
    status, _, err = job.end()
    assert status == INTERRUPTED, err
    first = read_trace(tmp_path / "first.json")
    done = job.recorded_epochs()
    status, _, err = job.resume("--trace", tmp_path / "second.json", "--trace-steps", "3000")
    assert status == 0, err
    second = read_trace(tmp_path / "second.json")
    broken = done + 1
    before = {rank: row.step_seconds(broken) for rank, row in rows_of(first).items()}
    after = {rank: row.step_seconds(broken) for rank, row in rows_of(second).items()}
    assert all(before.values()) and all(after.values())
    with h5py.File(job.run_file) as file:
        for rank in before:
            assert len(before[rank]) + len(after[rank]) == file["epochs/steps"][broken - 1]
        check_step_times(file, broken, {rank: before[rank] + after[rank] for rank in before})
        for epoch in range(1, done + 1):
            check_step_times(file, epoch, {rank: row.step_seconds(epoch) for rank, row in rows_of(first).items()})


def test_a_training_that_diverges_leaves_a_trace(lockstep, tmp_path):
    words = ["--algorithm", "parallel_sgd", "--learning-rate", "1e30", "--trace", tmp_path / "t.json"]
    result = lockstep.run(*SMALL, *words, "--results", lockstep.folder, ranks=2)
    assert result.status == 3, result.err
    assert rows_of(read_trace(tmp_path / "t.json"))[1].of("step")


@pytest.mark.parametrize("ranks", (None, 2))
@pytest.mark.parametrize("path", ("/proc/none/t.json", "a_folder", "a_file/t.json"))
def test_a_file_that_cannot_be_written_is_refused_before_the_training(lockstep, tmp_path, path, ranks):
    (tmp_path / "a_folder").mkdir()
    (tmp_path / "a_file").write_text("")
    result = lockstep.run(*SMALL, "--algorithm", "param_avg", "--trace", tmp_path / path, "--results", lockstep.folder, ranks=ranks)
    assert result.status == 2 and result.err.count("error:") == 1, result.err
    assert path.split("/")[0] in result.err or "/proc/none" in result.err
    assert not lockstep.files()


@pytest.mark.parametrize("words, said", [
    (["--trace-steps", "0"], ["trace_steps", "at least 1"]),
    (["--trace-steps", "100001"], ["trace_steps", "at most 100000"]),
])
def test_a_bad_limit_is_refused(lockstep, words, said):
    result = lockstep.run(*SMALL, *words, "--results", lockstep.folder, ranks=None)
    assert result.status == 2 and all(text in result.err for text in said), result.err


def test_a_folder_that_is_gone_at_the_end_costs_the_trace_alone(lockstep, tmp_path):
    job = Job(lockstep, "gone", "--algorithm", "param_avg", "--epochs", EPOCHS)
    job.start("--trace", tmp_path / "folder/t.json").wait_for_epochs(1)
    shutil.rmtree(tmp_path / "folder")
    status, _, err = job.end()
    assert status == 0 and "warning: the trace could not be written" in err, err
    check_run_file(job.run_file)


def test_a_picture_shows_a_trace(lockstep, tmp_path):
    lockstep.train(*SMALL, "--algorithm", "param_avg", "--avg-steps", "5", "--trace", tmp_path / "t.json.gz", ranks=2)

    def timeline(*words):
        command = [ROOT / "analysis/lockstep-analysis", "timeline", *words]
        return subprocess.run([*map(str, command)], cwd=tmp_path, capture_output=True, text=True, timeout=120)

    done = timeline("t.json.gz")
    assert done.returncode == 0 and "steps 9 to 16 of 16" in done.stdout, done.stderr + done.stdout
    assert (tmp_path / "t.png").read_bytes().startswith(b"\x89PNG")
    done = timeline("t.json.gz", "-o", "chosen.svg", "--steps", "3:6")
    assert done.returncode == 0 and "steps 3 to 6 of 16" in done.stdout
    svg = (tmp_path / "chosen.svg").read_text()
    assert all(word in svg for word in ("compute", "update", "average", "param_avg on 2 ranks"))
    (tmp_path / "broken.json.gz").write_bytes(gzip.compress(b"{}")[:-4])
    (tmp_path / "other.json").write_text("[1]")
    for words, said in ((["t.json.gz", "--steps", "14:17"], "the trace has the steps 1:16"), (["t.json.gz", "-o", "t.bmp"], ".png"),
                        (["none.json"], "none.json"), (["broken.json.gz"], "is no trace"), (["other.json"], "is no trace")):
        done = timeline(*words)
        assert done.returncode == 2 and said in done.stderr and "Traceback" not in done.stderr, done.stderr
