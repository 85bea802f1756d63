# SPDX-License-Identifier: BSD-3-Clause
"""Reading: every layout that was ever written, and every kind of file that is none."""

import re
import shutil
import time

import h5py
import numpy as np
import pytest
from made_runs import ROOT, add_segments, analysis, changing, copy  # also finds the package

from lockstep_analysis.points import group_points
from lockstep_analysis.runs import NEWEST_SCHEMA, NotARun, load_runs, read_run


def reason(path):
    with pytest.raises(NotARun) as refused:
        read_run(path)
    return str(refused.value)


def test_a_run_is_read_as_it_was_written(serial_run):
    run = read_run(serial_run)
    with h5py.File(serial_run) as file:
        for name in ("epochs/epoch_s", "epochs/compute_s", "epochs/test_accuracy"):
            assert np.array_equal(run.series[name], file[name][()], equal_nan=True)
        assert run.run_id == file.attrs["run_id"] and run.provenance["git_sha"] == file["provenance/git_sha"].asstr()[()]
    assert run.ranks == 1 and run.epochs == 7 and run.config["algorithm"] == "serial"


def test_segments_tell_of_the_attempts(serial_run, tmp_path):
    run = read_run(serial_run)
    assert run.lost_s == 0 and len(run.segments["started"]) == 1
    run = read_run(add_segments(copy(serial_run, tmp_path / "two.h5")))
    assert run.lost_s == 4.5 and len(run.segments["started"]) == 2


def test_a_file_from_before_there_were_segments_is_read(serial_run, tmp_path):
    path = copy(serial_run, tmp_path / "old.h5")
    with changing(path) as file:
        del file["segments"]
    run = read_run(path)
    assert run.lost_s == 0 and not run.segments and run.epochs == 7


def test_writer_analysis_and_description_have_one_schema_version(serial_run):
    """What the program really writes, what its source and docs/run_file.md say, and what the analysis reads."""
    with h5py.File(serial_run) as file:
        written = int(file.attrs["schema_version"])
    assert read_run(serial_run).schema == written == NEWEST_SCHEMA
    for name, said in (
        ("src/record/run_record.hpp", r"^inline constexpr int schema_version = (\d+);$"),
        ("docs/run_file.md", r"^\| `schema_version` \| int32 \| version of this layout: (\d+) \|$"),
    ):
        assert re.findall(said, (ROOT / name).read_text(), re.MULTILINE) == [str(NEWEST_SCHEMA)], name


def test_a_newer_schema_is_refused_by_name(serial_run, tmp_path):
    newer = NEWEST_SCHEMA + 1
    said = reason(copy(serial_run, tmp_path / "new.h5", schema_version=newer))
    assert f"newer Lockstep: its schema_version is {newer}, and this analysis reads {NEWEST_SCHEMA} or older" in said


def test_torn_and_foreign_files_say_what_they_are(serial_run, tmp_path):
    whole = serial_run.read_bytes()
    for length in (100, 3000, len(whole) // 2, len(whole) - 1):
        (tmp_path / "torn.h5").write_bytes(whole[:length])
        assert "torn" in reason(tmp_path / "torn.h5") or "damaged" in reason(tmp_path / "torn.h5")
    (tmp_path / "empty.h5").touch()
    assert "empty" in reason(tmp_path / "empty.h5")
    (tmp_path / "text.h5").write_text("no HDF5")
    assert "something else" in reason(tmp_path / "text.h5")
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["x"] = 1
    assert "not a run file" in reason(tmp_path / "other.h5")


def test_a_damaged_file_is_never_read_whatever_byte_is_changed(serial_run, tmp_path):
    whole = serial_run.read_bytes()
    path = tmp_path / "damaged.h5"
    for at in range(0, len(whole), 211):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 4]) + whole[at + 1 :])
        assert "checksum" in reason(path) or "something else" in reason(path), at


def test_a_damaged_file_is_named_and_the_others_are_read(small, tmp_path):
    folder = tmp_path / "sweep"
    shutil.copytree(small, folder)
    damaged = sorted(folder.glob("*.h5"))[0]
    data = bytearray(damaged.read_bytes())
    data[len(data) // 2] ^= 1
    damaged.write_bytes(data)
    told = analysis("table", folder)
    assert told.returncode == 0 and f"{damaged.name}: damaged: its checksum is wrong" in told.stderr
    assert len(load_runs([folder])[0]) == len(list(small.glob("*.h5"))) - 1


def test_a_file_from_before_there_were_checksums_is_read(small, serial_run):
    [old] = (ROOT / "tests/files/0.1.0/complete").glob("serial.h5")
    assert b"SHA-256 of all" not in old.read_bytes() and b"SHA-256 of all" in serial_run.read_bytes()
    assert read_run(old).epochs > 0


@pytest.mark.parametrize("gone", ["config", "provenance", "provenance/ranks", "epochs", "epochs/epoch_s", "model"])
def test_a_file_that_lacks_something_says_what(serial_run, tmp_path, gone):
    path = copy(serial_run, tmp_path / "part.h5")
    with changing(path) as file:
        del file[gone]
    assert "lacks" in reason(path) and gone.split("/")[-1] in reason(path)


def test_what_is_left_out_is_told_with_the_reason(small, serial_run, tmp_path):
    folder = tmp_path / "sweep"
    shutil.copytree(small, folder)
    copy(serial_run, folder / "running.h5", status="running")
    copy(serial_run, folder / "stopped.h5", status="interrupted")
    (folder / "text.h5").write_text("no HDF5")
    runs, left_out = load_runs([folder])
    assert len(runs) == len(list(small.glob("*.h5")))
    told = {path.name: why for path, why in left_out}
    assert (
        "running" in told["running.h5"]
        and "7 of 7 epochs" in told["running.h5"]
        and "interrupted" in told["stopped.h5"]
        and "text.h5" in told
    )
    runs, left_out = load_runs([folder], incomplete=True)
    assert {path.name for path, _ in left_out} == {"text.h5"}
    runs, left_out = load_runs([folder], {"algorithm": "serial,param_avg", "ranks": "1"})
    assert {r.algorithm for r in runs} == {"serial", "param_avg"} and {r.ranks for r in runs} == {1}
    assert any("other configuration: ranks is 2, not 1" in why for _, why in left_out)


def test_a_run_that_diverged_is_a_result(serial_run, tmp_path):
    path = copy(serial_run, tmp_path / "diverged.h5", status="failed")
    assert load_failed(path)[0] == []
    with changing(path) as file:
        file["epochs/train_loss"][-1] = np.nan
    runs, _ = load_failed(path)
    assert len(runs) == 1
    copy(serial_run, tmp_path / "good.h5")
    [point] = group_points(load_runs([tmp_path])[0])
    assert len(point.runs) == 1 and len(point.diverged) == 1


def load_failed(path):
    from lockstep_analysis.errors import NoRuns

    try:
        return load_runs([path])
    except NoRuns:
        return [], []


def test_runs_repeat_each_other_whatever_does_not_matter(serial_run, tmp_path):
    for i, config in enumerate(({}, {"seed": 9}, {"experiment": "x"}, {"checkpoint_minutes": 5}, {"batch_size": 32})):
        copy(serial_run, tmp_path / f"{i}.h5", config=config)
    assert sorted(len(p.runs) for p in group_points(load_runs([tmp_path])[0])) == [1, 4]


@pytest.mark.parametrize("command", [["table"], ["check"], ["report"], ["figure", "phases"]])
def test_nothing_to_analyse_is_an_error_that_says_what_to_do(tmp_path, command):
    (tmp_path / "empty").mkdir()
    said = analysis(*command, tmp_path / "empty")
    assert said.returncode == 2 and "no complete run file" in said.stderr and "results/table2" in said.stderr
    said = analysis(*command, tmp_path / "nowhere")
    assert said.returncode == 2 and "does not exist" in said.stderr


@pytest.mark.slow
def test_a_thousand_runs_take_ten_times_as_long_as_a_hundred(small, tmp_path):
    originals = sorted(small.glob("*.h5"))

    def processor_s(count):  # how long others keep the machine busy is not what is tested
        folder = tmp_path / str(count)
        folder.mkdir()
        for i in range(count):
            shutil.copy(originals[i % len(originals)], folder / f"{i}.h5")
        start = time.process_time()
        runs, _ = load_runs([folder])
        summaries = [(p.epoch_s, p.accuracy, p.phases_s) for p in group_points(runs)]
        assert len(runs) == count and summaries
        return time.process_time() - start

    processor_s(10)  # imports, and what is made once
    few, many = processor_s(100), processor_s(1000)
    assert many < 20 * few, f"{few:.2f} s, {many:.1f} s"
