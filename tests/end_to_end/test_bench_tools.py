# SPDX-License-Identifier: BSD-3-Clause
"""What is said of benchmarks: the summary, the comparison of two results, and the one with PyTorch. Nothing is timed here."""

import json
import os
import subprocess
import sys

import pytest

from conftest import BIN, PATIENCE_S, ROOT

PYTHON = sys.executable


def call(*command, env=None):
    return subprocess.run([*map(str, command)], cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_S,
                          env={**os.environ, **(env or {})})


def repetition(name, time, index=0, **more):
    return {"name": name, "run_name": name, "run_type": "iteration", "repetition_index": index, "repetitions": 9, "threads": 1,
            "iterations": 3, "real_time": time, "cpu_time": time, "time_unit": "us", **more}


def failure(name, message):
    return {"name": name, "run_name": name, "run_type": "iteration", "error_occurred": True, "error_message": message,
            "real_time": 0.0, "cpu_time": 0.0, "time_unit": "us"}


def result(path, rows, **context):
    path.write_text(json.dumps({"context": {"hostname": "here", "git_sha": "0123456789abcdef", **context}, "benchmarks": rows}))
    return path


def repeated(name, times, **more):
    return [repetition(name, time, index, **more) for index, time in enumerate(times)]


def test_the_summary_sets_backends_side_by_side(tmp_path):
    rows = [*repeated("gemm/cblas/NN/2x3x4", (4.0, 9.0, 5.0), **{"FLOP/s": 50e9}), repetition("gemm/eigen/NN/2x3x4", 2.0, **{"FLOP/s": 100e9}),
            {"name": "gemm/cblas/NN/2x3x4_mean", "run_type": "aggregate", "real_time": 1.0, "cpu_time": 1.0, "time_unit": "us"}]
    said = call("bench/summary.py", result(tmp_path / "gemm_bench.json", rows))
    assert said.returncode == 0, said.stderr
    assert "50.0 (0.50)" in said.stdout and "100.0 (1.00)" in said.stdout
    assert "commit 0123456789ab" in said.stdout and "medians of 3 repetitions" in said.stdout


def test_the_summary_shows_epochs_over_their_floor_and_allreduces_by_bytes(tmp_path):
    rows = [repetition("serial_epoch/model_a/cblas/batch:64/iterations:1/manual_time", 7e5, floor_s=0.5, over_floor=1.4, **{"GFLOP/s": 80.0}),
            repetition("allreduce/mpi/bytes:4/iterations:151/manual_time", 1.5), repetition("allreduce/ring/bytes:4/manual_time", 3.0, over_mpi=2.0)]
    said = call("bench/summary.py", result(tmp_path / "a.json", rows)).stdout
    assert "model_a cblas 64" in said and "1.40" in said and "0.700" in said
    assert "1.5 us" in said and "3 us (2.00)" in said


def test_the_summary_knows_no_name_and_yet_shows_it(tmp_path):
    rows = [repetition("gemm/odd", 2.0), repetition("allreduce", 2.5), repetition("new/thing/8", 4000.0, speed=12.5)]
    said = call("bench/summary.py", result(tmp_path / "a.json", rows))
    assert said.returncode == 0, said.stderr
    for words in ("odd", "allreduce", "thing/8", "speed", "12.5", "4 ms"):
        assert words in said.stdout


def test_the_summary_fails_on_a_wrong_result_and_not_on_one_that_is_skipped(tmp_path):
    skipped = result(tmp_path / "a.json", [failure("allreduce/shm/bytes:4", "skipped: one node only"), repetition("allreduce/mpi/bytes:4", 1.0)])
    said = call("bench/summary.py", skipped)
    assert said.returncode == 0 and "allreduce/shm/bytes:4: skipped: one node only" in said.stdout
    wrong = call("bench/summary.py", result(tmp_path / "b.json", [failure("gemm/eigen/NN/1x1x1", "the product is wrong")]))
    assert wrong.returncode == 1 and "ERROR: gemm/eigen/NN/1x1x1: the product is wrong" in wrong.stdout


@pytest.mark.parametrize("text,words", [(None, "No such file"), ("{", "is not JSON"), ("{}", "not a result of Google Benchmark")])
@pytest.mark.parametrize("tool", ["summary", "compare"])
def test_a_file_that_is_no_result_is_named(tmp_path, tool, text, words):
    path = tmp_path / "odd.json"
    if text is not None:
        path.write_text(text)
    said = call(f"bench/{tool}.py", *[path] * (2 if tool == "compare" else 1))
    assert said.returncode == 2 and "odd.json" in said.stderr and words in said.stderr


@pytest.mark.parametrize("given", [[], ["BASE=a.json"], ["NEW=a.json"]])
def test_make_bench_compare_says_what_it_wants(given):
    # Whether the tool is installed is another matter: a deps.sh that finds all would need it.
    base, new = (next((g.split("=")[1] for g in given if g.startswith(key)), "") for key in ("BASE", "NEW"))
    said = call("bench/compare.py", base, new)
    assert said.returncode == 2 and "make bench-compare BASE=a.json NEW=b.json" in said.stderr


# Writes the report that Google Benchmark's tool would, with a made-up p: so nothing needs to be installed for this test.
TOOL = """
import json, sys
out, base, new = sys.argv[sys.argv.index("-d") + 1], *sys.argv[-2:]
base, new = (json.load(open(f))["benchmarks"] for f in (base, new))
names = dict.fromkeys(row["name"] for row in base)
rows = [{"name": name, "run_type": "iteration", "time_unit": "us", "utest": {"time_pvalue": 0.001 if name != "c" else 0.5},
         "measurements": [{"real_time": a["real_time"], "real_time_other": b["real_time"]} for a, b in zip(
             [r for r in base if r["name"] == name], [r for r in new if r["name"] == name])]} for name in names]
json.dump([row for row in rows if row["measurements"]], open(out, "w"))
"""


@pytest.fixture
def with_tool(tmp_path):
    (tmp_path / "gbench.py").write_text(TOOL)
    (tmp_path / "scipy.py").write_text("")
    return {"GBENCH_COMPARE": str(tmp_path / "gbench.py"), "PYTHONPATH": str(tmp_path)}


def test_the_comparison_says_what_is_faster_slower_or_neither(tmp_path, with_tool):
    base = result(tmp_path / "base.json", repeated("a", [10.0] * 9) + repeated("b", [10.0] * 9) + repeated("c", [10.0] * 9) + repeated("gone", [1.0]))
    new = result(tmp_path / "new.json", repeated("a", [8.0] * 9) + repeated("b", [12.0] * 9) + repeated("c", [10.1] * 9)
                 + [failure("gone", "the product is wrong")], hostname="there")
    said = call("bench/compare.py", base, new, env=with_tool)
    assert said.returncode == 0, said.stderr
    lines = {line.split()[0]: line for line in said.stdout.splitlines() if line}
    assert "-20.0%" in lines["a"] and "faster" in lines["a"]
    assert "+20.0%" in lines["b"] and "slower" in lines["b"]
    assert "no change seen" in lines["c"]
    assert "hostname differs: here -> there" in said.stdout and "only in the base: gone" in said.stdout


def test_too_few_repetitions_are_told(tmp_path, with_tool):
    path = result(tmp_path / "a.json", repeated("a", [10.0] * 3))
    assert "only 3 repetitions; the test wants 9" in call("bench/compare.py", path, path, env=with_tool).stdout


def test_a_missing_tool_is_named(tmp_path):
    path = result(tmp_path / "a.json", repeated("a", [10.0] * 9))
    call_without = "import importlib.util, sys; sys.path.insert(0, 'bench'); import compare; compare.DEBIAN = '/nonexistent'; "
    call_without += "importlib.util.find_spec = lambda name: {finds}; sys.argv[0] = 'x'\n"
    call_without += "try: compare.main(sys.argv[1:])\nexcept compare.CannotCompare as error: print(error)"
    for finds, words in (("None", "python3-scipy"), ("1", "libbenchmark-tools")):
        said = call(PYTHON, "-c", call_without.replace("{finds}", finds), path, path, env={"PATH": "/nonexistent"})
        assert words in said.stdout, said.stderr


def peers(*arguments, env=None):
    paths = f"{ROOT}/bench:{ROOT}/analysis"
    env = {**(env or {})}
    env["PYTHONPATH"] = f"{env.get('PYTHONPATH', '')}:{paths}".lstrip(":")
    return call(PYTHON, "-m", "peers", "--bin", BIN, *arguments, env=env)


@pytest.fixture
def without_torch(tmp_path):
    folder = tmp_path / "no_torch"
    folder.mkdir()
    (folder / "torch.py").write_text("raise ModuleNotFoundError(\"No module named 'torch'\")")
    return {"PYTHONPATH": str(folder)}


@pytest.mark.slow
def test_without_pytorch_lockstep_runs_and_the_table_says_what_is_missing(tmp_path, datasets, without_torch):
    said = peers("--rounds", "1", "--cases", "model_a/64", "--dataset", "fashion_mnist", "--lockstep-args=--train-samples 3000",
                 "--out", tmp_path / "peers.json", env={**without_torch, "OPENBLAS_CORETYPE": "Nehalem"})
    assert said.returncode == 0, said.stderr
    assert "OPENBLAS_CORETYPE=Nehalem is left out" in said.stderr
    assert "torch (1 rank): not installed: apt install python3-torch" in said.stdout
    assert "torch DDP (2 ranks): not installed: apt install python3-torch" in said.stdout
    written = json.loads((tmp_path / "peers.json").read_text())
    [case] = written["cases"]
    rows = {row["name"]: row for row in case["contestants"]}
    assert rows["torch"]["absent"].startswith("not installed") and "epoch_s" not in rows["torch"]
    assert len(rows["lockstep param_avg"]["rounds"][0]["epoch_s"]) == case["epochs_a_round"] == 3
    assert [(r["over"], r["under"]) for r in case["ratios"]] == [("lockstep serial", "lockstep parallel_sgd"), ("lockstep serial", "lockstep param_avg")]
    assert written["context"]["lockstep"]["cpu_model"] and written["context"]["environment"]["OPENBLAS_NUM_THREADS"] == "1"
    assert "torch" not in written["context"]
    assert "OPENBLAS_CORETYPE" not in written["context"]["environment"]
    assert "Nehalem" not in written["context"]["lockstep"]["blas_library"]


@pytest.mark.parametrize("arguments,words", [(["--cases", "model_b/*"], "there are: model_a/64"),
                                             (["--data-dir", "nowhere"], "`make data` fetches it"),
                                             (["--rounds", "0"], "at least 1")])
def test_the_comparison_with_pytorch_refuses_what_it_cannot_do(tmp_path, without_torch, datasets, arguments, words):
    said = peers("--dataset", "fashion_mnist", "--out", tmp_path / "peers.json", *arguments, env=without_torch)
    assert said.returncode == 2 and words in said.stderr
    assert not (tmp_path / "peers.json").exists()


def test_a_training_that_does_not_learn_is_no_peer():
    sys.path[:0] = [str(ROOT / "bench"), str(ROOT / "analysis")]
    from peers.cases import all_cases
    from peers.report import summarize, table

    def run(seconds, last_loss, accuracy):
        return {"epoch_s": [9.0, seconds, seconds], "train_loss": [1.0, last_loss], "accuracy": [accuracy], "outside_s": 1.0}

    case = all_cases(2)[2]
    good = summarize(case, {"lockstep serial": [run(1.0, 0.5, 0.96)] * 6, "torch": [run(2.0, 0.5, 0.965)] * 6}, {})
    assert good["ratios"] == [{"over": "torch", "under": "lockstep serial", "median": 2.0, "low": 2.0, "high": 2.0, "of": "95%"}]
    assert "WARNING" not in table(good)
    bad = summarize(case, {"lockstep serial": [run(1.0, 0.5, 0.96)], "torch": [run(2.0, 1.0, 0.1)]}, {})
    assert bad["ratios"] == []
    assert "torch does not learn" in table(bad) and "is it the same training?" in table(bad)
