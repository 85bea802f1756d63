# SPDX-License-Identifier: BSD-3-Clause
"""Sweeps on simulated clusters: made, several runs at once, interrupted and gone on with, and never mixed with real runs."""

import json
import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import h5py
import pytest

from conftest import PATIENCE_S, ROOT
from processes import program_of

SWEEP = str(Path(os.environ.get("LOCKSTEP_BIN", ROOT / "build/bin")) / "sweep")
SMALL = {"dataset": "mnist", "train_samples": 1003, "test_samples": 200, "epochs": 2, "gemm": "tiled", "allreduce": "ring"}
# Long enough to be caught at work.
LONG = {**SMALL, "epochs": 150, "eval_acc": False}
INTERRUPTED = 75


class Sweep:
    """A sweep's file, and the program on it."""

    def __init__(self, folder, name="trial", **spec):
        self.results, self.file, self.name = folder / "results", folder / f"{name}.json", name
        self.file.write_text(json.dumps({"name": name, **spec}))

    def folder(self, ending="-sim-ethernet_10g"):
        return self.results / f"{self.name}{ending}"

    def run_files(self, ending="-sim-ethernet_10g"):
        return sorted(self.folder(ending).glob("*.h5"))

    def words(self, command, *options, site="sim:ethernet_10g", ending="-sim-ethernet_10g"):
        words = [self.file, "--results", self.results] if command in ("run", "expand") else [self.folder(ending)]
        if site and command in ("run", "expand"):
            words += ["--site", site]
        return [SWEEP, command, *map(str, [*words, *options])]

    def do(self, command, *options, env=None, **place):
        return subprocess.run(self.words(command, *options, **place), cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_S,
                              stdin=subprocess.DEVNULL, env={**os.environ, **(env or {})})

    def start(self, command, *options, **place):
        return subprocess.Popen(self.words(command, *options, **place), cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                text=True, stdin=subprocess.DEVNULL)

    def states(self, **place):
        return sorted(run["state"] for run in json.loads(self.do("status", "--json", **place).stdout))


def cluster_file(folder, name="mine", **values):
    path = folder / f"{name}.json"
    path.write_text(json.dumps({"name": "a test", "alpha_s": 1e-5, "beta_s_per_byte": 1e-9, **values}))
    return path


def home_with(folder):
    """A folder that LOCKSTEP_HOME can name, in which nothing is built."""
    home = folder / "home"
    shutil.copytree(ROOT / "jobs", home / "jobs")
    (home / "data").symlink_to(ROOT / "data")
    return home


def simulation_of(path):
    with h5py.File(path) as file:
        return json.loads(file["provenance/simulation"][()]) if "simulation" in file["provenance"] else None


def recorded_epochs(path):
    with h5py.File(path) as file:
        return len(file["epochs/epoch_s"]) if "epoch_s" in file["epochs"] else 0


def wait_until(holds, process):
    give_up = time.monotonic() + PATIENCE_S
    while not holds():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < give_up, "the sweep does not come on"
        time.sleep(0.05)


def processes_of(run_id):
    """The simulations that make a run."""
    pids = subprocess.run(["pgrep", "-f", "--", f"--run-id={re.escape(run_id)}"], capture_output=True, text=True).stdout.split()
    return [int(pid) for pid in pids if program_of(pid).endswith("/simulate")]


def test_a_sweep_is_made_on_a_simulated_cluster(tmp_path):
    sweep = Sweep(tmp_path, fixed=SMALL, matrix={"algorithm": ["parallel_sgd", "param_avg"], "ranks": [2, 64]})
    shown = sweep.do("expand")
    assert shown.returncode == 0, shown.stderr
    assert "simulated  on ethernet_10g" in shown.stdout and "share the" not in shown.stdout
    assert "4 not known" in shown.stdout and "time       not known" in shown.stdout

    made = sweep.do("run")
    assert made.returncode == 0, made.stdout + made.stderr
    assert "4 runs, simulated on ethernet_10g" in made.stdout and "all complete" in made.stdout
    assert not re.search("warn|note|share|oversubscri", made.stdout + made.stderr, re.IGNORECASE), made.stdout + made.stderr
    assert {simulation_of(path)["cluster"] for path in sweep.run_files()} == {"ethernet_10g"}
    ranks = []
    for path in sweep.run_files():
        with h5py.File(path) as file:
            ranks.append(int(file["provenance/ranks"][()]))
    assert sorted(ranks) == [2, 2, 64, 64]
    for log in (sweep.folder() / "sweep/log").glob("*.log"):
        assert "warning" not in log.read_text().lower(), log.read_text()
    assert "4 runs simulated on ethernet_10g: 4 complete" in sweep.do("status").stdout

    written = [path.stat().st_mtime_ns for path in sweep.run_files()]
    again = sweep.do("run")
    assert again.returncode == 0 and "4 of them complete" in again.stdout
    assert [path.stat().st_mtime_ns for path in sweep.run_files()] == written


def test_several_runs_are_made_at_once_and_are_stopped_together(tmp_path):
    sweep = Sweep(tmp_path, fixed=LONG, matrix={"algorithm": ["param_avg"], "ranks": [4], "batch_size": [16, 17, 18]})
    process = sweep.start("run", "--at-once", 2)
    wait_until(lambda: len(sweep.run_files()) == 2 and all(recorded_epochs(path) > 0 for path in sweep.run_files()), process)
    at_work = [path.stem for path in sweep.run_files() if processes_of(path.stem)]
    assert len(at_work) == 2
    assert sweep.states() == ["running", "running", "waiting"]
    cancelled = sweep.do("cancel")
    assert cancelled.returncode == 0 and str(process.pid) in cancelled.stdout
    out, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == INTERRUPTED, out
    assert out.count("interrupted, to be resumed") == 2
    assert sweep.states() == ["interrupted", "interrupted", "missing"]

    resumed = sweep.do("resume")  # the place is that of before
    assert resumed.returncode == 0, resumed.stdout + resumed.stderr
    assert sweep.states() == ["complete"] * 3
    assert sorted(len(h5py.File(path)["segments/started"]) for path in sweep.run_files()) == [1, 2, 2]


def test_real_runs_are_made_one_after_another(tmp_path):
    sweep = Sweep(tmp_path, fixed=SMALL, matrix={"algorithm": ["serial"]})
    refused = sweep.do("run", "--at-once", 2, site="local")
    assert refused.returncode == 2 and "one after another" in refused.stderr


def test_a_run_that_is_killed_is_shown_and_continued_from_its_checkpoint(tmp_path):
    cluster = cluster_file(tmp_path, alpha_s=50)  # so slow that there is a checkpoint after every few epochs
    sweep = Sweep(tmp_path, fixed=LONG, matrix={"algorithm": ["param_avg"], "ranks": [4], "batch_size": [16, 17]})
    place = {"site": f"sim:{cluster}", "ending": "-sim-mine"}
    process = sweep.start("run", **place)

    def with_checkpoint():
        return [path for path in sweep.run_files(place["ending"]) if path.with_suffix(".ckpt").exists()]

    wait_until(with_checkpoint, process)
    victim = with_checkpoint()[0]
    (pid,) = processes_of(victim.stem)
    os.kill(pid, signal.SIGKILL)
    out, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 1, out
    assert "FAILED with status 137: " in out and "ended by signal 9" in out
    assert sweep.states(**place) == ["broken", "complete"]
    assert "ended by signal 9 (Killed)" in sweep.do("status", **place).stdout

    assert sweep.do("resume", **place).returncode == 0
    assert sweep.states(**place) == ["complete", "complete"]
    with h5py.File(victim) as file:
        assert len(file["segments/started"]) == 2 and file["segments/first_epoch"][1] + file["segments/first_step"][1] > 0


def test_a_sweep_that_is_killed_takes_its_simulations_with_it_and_goes_on(tmp_path):
    sweep = Sweep(tmp_path, fixed=LONG, matrix={"algorithm": ["param_avg"], "ranks": [4], "batch_size": [16, 17]})
    process = sweep.start("run")
    wait_until(lambda: [path for path in sweep.run_files() if recorded_epochs(path) > 0], process)
    process.kill()
    process.communicate()
    give_up = time.monotonic() + PATIENCE_S
    while any(processes_of(path.stem) for path in sweep.run_files()):
        assert time.monotonic() < give_up
        time.sleep(0.05)
    assert "complete" not in sweep.states() and "running" not in sweep.states()
    resumed = sweep.do("resume")
    assert resumed.returncode == 0, resumed.stdout + resumed.stderr
    assert sweep.states() == ["complete", "complete"]


def test_a_run_that_diverges_is_told_and_the_others_are_made(tmp_path):
    sweep = Sweep(tmp_path, fixed=SMALL, matrix={"algorithm": ["param_avg"], "ranks": [4], "learning_rate": [0.01, 1e20]})
    made = sweep.do("run")
    assert made.returncode == 1 and "the training diverged" in made.stdout, made.stdout
    assert sweep.states() == ["complete", "failed"]


def test_a_deadlock_is_told_and_the_other_runs_are_made(tmp_path):
    library = tmp_path / "deadlock.so"
    include = subprocess.run(["pkg-config", "--variable=includedir", "simgrid"], capture_output=True, text=True, check=True).stdout.strip()
    subprocess.run(["g++", "-std=c++20", "-O1", "-shared", "-fPIC", "-isystem", f"{include}/smpi", "-o", library,
                    ROOT / "tests/preload/deadlock.cpp"], check=True)
    sweep = Sweep(tmp_path, fixed=SMALL, matrix={"algorithm": ["param_avg"], "ranks": [4]}, include=[{"algorithm": "serial", "ranks": 1}])
    simulate = home_with(tmp_path) / "build/sim/bin/simulate"  # with the library for it alone
    simulate.parent.mkdir(parents=True)
    simulate.write_text(f'#!/bin/sh\nLD_PRELOAD={library} DEADLOCK_AFTER=5 exec {ROOT}/build/sim/bin/simulate "$@"\n')
    simulate.chmod(0o755)
    made = sweep.do("run", env={"LOCKSTEP_HOME": str(tmp_path / "home")})
    assert made.returncode == 1 and "FAILED with status" in made.stdout and "Deadlock detected" in made.stdout, made.stdout + made.stderr
    assert len(sweep.states()) == 2 and "complete" in sweep.states() and sweep.states() != ["complete", "complete"]
    shown = sweep.do("status").stdout
    assert "Deadlock detected" in shown and "broken" in shown, shown
    assert sweep.do("resume").returncode == 0
    assert sweep.states() == ["complete", "complete"]


def test_ranks_beyond_the_clusters_are_refused_with_the_file_and_the_key(tmp_path):
    cluster = cluster_file(tmp_path, most_ranks=8, cores_per_node=4)
    sweep = Sweep(tmp_path, fixed=SMALL, matrix={"algorithm": ["param_avg"], "ranks": [8, 9]})
    for command in ("expand", "run"):
        refused = sweep.do(command, site=f"sim:{cluster}")
        assert refused.returncode == 2 and refused.stderr.count("error:") == 1
        for said in ("ranks=9", "at most 8", "most_ranks", str(cluster), str(sweep.file)):
            assert said in refused.stderr
    assert not sweep.results.exists()


@pytest.mark.parametrize("nodes, accepted", [(2, True), (1, False), (4, False)])
def test_nodes_are_those_that_ranks_fill_one_after_another(tmp_path, nodes, accepted):
    cluster = cluster_file(tmp_path, cores_per_node=4)
    sweep = Sweep(tmp_path, fixed={**SMALL, "nodes": nodes}, matrix={"algorithm": ["param_avg"], "ranks": [8]})
    shown = sweep.do("expand", site=f"sim:{cluster}")
    assert (shown.returncode == 0) == accepted
    if not accepted:
        assert "nodes 2 for 8 ranks" in shown.stderr and f"cores_per_node is 4 in {cluster}" in shown.stderr


@pytest.mark.parametrize("command", ["run", "doctor"])
def test_a_build_that_is_not_there_is_named(tmp_path, command):
    home = home_with(tmp_path)
    sweep = Sweep(tmp_path, fixed=SMALL, matrix={"algorithm": ["serial"]})
    words = sweep.words("run") if command == "run" else [SWEEP, "doctor", "--site", "sim:ethernet_10g", "--results", str(tmp_path)]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_S,
                          env={**os.environ, "LOCKSTEP_HOME": str(home)})
    assert done.returncode == (2 if command == "run" else 1), done.stdout + done.stderr
    assert "build/sim/bin/simulate" in done.stdout + done.stderr
    assert "make deps DEPS=simulate && make simulate" in done.stdout + done.stderr
    assert not sweep.results.exists()


def test_bad_sites_are_refused_before_anything_is_made(tmp_path):
    sweep = Sweep(tmp_path, fixed=SMALL, matrix={"algorithm": ["serial"]})
    for site, said in [("sim:ethernet_11g", "did you mean 'ethernet_10g'"), ("sim:", "ethernet_10g"),
                       (f"sim:{cluster_file(tmp_path, core_sped=2)}", "did you mean 'core_speed'"),
                       ("sim:ethernet_10g --computin x", "--computin"),
                       (f"sim:{cluster_file(tmp_path, name='a b')}", "bad cluster name")]:
        refused = sweep.do("run", site=site)
        assert refused.returncode == 2 and said in refused.stderr and refused.stderr.count("error:") == 1, refused.stderr
    submitted = subprocess.run([SWEEP, "submit", sweep.file, "--site", "sim:ethernet_10g"], cwd=ROOT, capture_output=True, text=True)
    assert submitted.returncode == 2 and "has no Slurm" in submitted.stderr
    assert not sweep.results.exists()


def test_real_and_simulated_runs_of_a_file_are_kept_apart(tmp_path):
    sweep = Sweep(tmp_path, fixed=SMALL, matrix={"algorithm": ["param_avg"], "ranks": [2]})
    cluster = cluster_file(tmp_path)
    for site, ending, name in [("local", "", None), ("sim:ethernet_10g", "-sim-ethernet_10g", "ethernet_10g"),
                               (f"sim:{cluster}", "-sim-mine", "mine")]:
        made = sweep.do("run", site=site)
        assert made.returncode == 0 and "of them complete" not in made.stdout, made.stdout + made.stderr
        (path,) = sweep.run_files(ending)
        assert (simulation_of(path) or {}).get("cluster") == name
        folder = subprocess.run(sweep.words("expand", "--folder", site=site), cwd=ROOT, capture_output=True, text=True).stdout
        assert folder.strip() == str(path.parent)
    run_ids = {path.stem for ending in ("", "-sim-ethernet_10g", "-sim-mine") for path in sweep.run_files(ending)}
    assert len(run_ids) == 3

    for site in ("local", "sim:ethernet_10g"):  # not what the sweep was begun on
        refused = sweep.do("resume", "--site", site, ending="-sim-mine")
        assert refused.returncode == 2 and "begun elsewhere" in refused.stderr, refused.stderr
    refused = sweep.do("resume", "--site", "sim:ethernet_10g", ending="")
    assert refused.returncode == 2 and "begun elsewhere" in refused.stderr

    # The cluster's file now says something else.
    cluster_file(tmp_path, alpha_s=2e-5)
    for command, options in [("resume", []), ("run", []), ("run", ["--extend"])]:
        refused = sweep.do(command, *options, site=f"sim:{cluster}", ending="-sim-mine")
        assert refused.returncode == 2 and "begun elsewhere" in refused.stderr and "2e-05" in refused.stderr, refused.stderr
    # What times do not depend on may change.
    cluster_file(tmp_path, most_ranks=100, source="nowhere")
    assert "1 of them complete" in sweep.do("run", site=f"sim:{cluster}").stdout

    # A file of another kind under a run's name is no run of the sweep.
    (real,), (simulated,) = sweep.run_files(""), sweep.run_files("-sim-mine")
    real_bytes, simulated_bytes = real.read_bytes(), simulated.read_bytes()
    for path, content, site, ending in [(real, simulated_bytes, "local", ""),
                                        (simulated, real_bytes, f"sim:{cluster}", "-sim-mine")]:
        path.write_bytes(content)
        shown = sweep.do("status", ending=ending)
        assert "1 failed" in shown.stdout, shown.stdout
        refused = sweep.do("run", site=site)
        assert refused.returncode == 2 and "is no run of this sweep" in refused.stderr


def test_estimates_are_the_time_that_complete_runs_took_here(tmp_path):
    # A cluster so slow that its time is days.
    cluster = cluster_file(tmp_path, name="slow", alpha_s=1000)
    sweep = Sweep(tmp_path, fixed={**SMALL, "epochs": 1}, matrix={"algorithm": ["param_avg"], "ranks": [2, 4]}, repeats=2)
    place = {"site": f"sim:{cluster}", "ending": "-sim-slow"}

    def estimates():
        return [(run["ranks"], run["estimate_source"], run["estimate_s"])
                for run in json.loads(sweep.do("expand", "--json", **place).stdout)]

    assert estimates() == [(ranks, "unknown", None) for ranks in (2, 4, 2, 4)]
    assert sweep.do("run", **place).returncode == 0
    path = next(path for path in sweep.run_files("-sim-slow") if "-n4-" in path.name)
    with h5py.File(path) as file:
        assert file["epochs/epoch_s"][0] > 1000
    assert all(source == "measured" and seconds < PATIENCE_S for _, source, seconds in estimates())

    for path in sweep.run_files("-sim-slow"):  # another seed's run tells, too; other ranks' do not
        if "-s2-" in path.name or "-n4-" in path.name:
            path.unlink()
    assert [source for _, source, _ in estimates()] == ["measured", "unknown", "measured", "unknown"]
    shown = sweep.do("expand", **place).stdout
    assert "time       2 of 4 runs: " in shown and "2 not known" in shown and "1 of 4 in" in shown and "3 to go" in shown


def test_what_is_left_of_a_run_is_real_time(tmp_path):
    cluster = cluster_file(tmp_path, name="slow", alpha_s=1000)
    sweep = Sweep(tmp_path, fixed=LONG, matrix={"algorithm": ["param_avg"], "ranks": [4], "batch_size": [16]})
    place = {"site": f"sim:{cluster}", "ending": "-sim-slow"}
    process = sweep.start("run", **place)
    wait_until(lambda: any(recorded_epochs(path) > 20 for path in sweep.run_files("-sim-slow")), process)
    shown = sweep.do("status", **place).stdout
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=PATIENCE_S)
    assert re.search(r"left (0:)?\d?\d:\d\d\b", shown), shown  # and not the days of the cluster
    assert not re.search(r"left \d+:\d\d:\d\d", shown), shown


def test_options_of_the_simulation_are_part_of_what_a_run_is(tmp_path):
    """Any option of `simulate`: here one that names the cluster again, and wins."""
    sweep = Sweep(tmp_path, fixed=SMALL, matrix={"algorithm": ["param_avg"], "ranks": [2]})
    plain = json.loads(sweep.do("expand", "--json").stdout)
    options = json.loads(sweep.do("expand", "--json", site="sim:ethernet_10g --computing modelled").stdout)
    assert plain[0]["run_id"] != options[0]["run_id"] and plain[0]["settings"] != options[0]["settings"]
    shown = sweep.do("expand", "--folder", site="sim:ethernet_10g --computing modelled").stdout
    assert shown.strip().endswith("trial-sim-ethernet_10g-computing-modelled")


def test_the_doctor_tries_the_simulation(tmp_path):
    def doctor(site):
        return subprocess.run([SWEEP, "doctor", "--site", site, "--results", str(tmp_path)], cwd=ROOT, capture_output=True, text=True,
                              timeout=PATIENCE_S)
    done = doctor(f"sim:{cluster_file(tmp_path, cores_per_node=4)}")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "good  5 simulated ranks train together" in done.stdout and "nothing bad was found" in done.stdout
    assert "mpiexec" not in done.stdout
    assert "good  4 simulated ranks" in doctor(f"sim:{cluster_file(tmp_path, cores_per_node=4, most_ranks=4)}").stdout
    bad = doctor("sim:ethernet_10g --computin x")
    assert bad.returncode == 1 and "BAD   a training on 17 simulated ranks fails" in bad.stdout and "--computin" in bad.stdout


def test_launch_starts_a_program_there(tmp_path):
    done = subprocess.run([SWEEP, "launch", "--site", "sim:ethernet_10g", "-n", "64", "--", "train", "--algorithm", "param_avg",
                           "--train-samples", "1003", "--test-samples", "100", "--epochs", "1", "--results", tmp_path, "--run-id", "x"],
                          cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_S)
    assert done.returncode == 0, done.stderr
    assert simulation_of(tmp_path / "runs/x.h5")["cluster"] == "ethernet_10g"
