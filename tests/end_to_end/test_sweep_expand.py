# SPDX-License-Identifier: BSD-3-Clause
"""sweep expand, as a user runs it: the experiments that come along, large sweeps, mistakes."""

import hashlib
import json
import re
import subprocess

import pytest

from conftest import BIN, PATIENCE_S, ROOT, SMALL

EXPERIMENT_FILES = sorted((ROOT / "jobs/experiments").glob("*.json"))
EXPERIMENTS = [path for path in EXPERIMENT_FILES if not path.is_symlink()]
OLDER_NAMES = [path for path in EXPERIMENT_FILES if path.is_symlink()]
OLD_REPORT = ["table1", "table2", "table3", "table4", "table5", "figure9", "figure10", "figure11", "figure12", "figure13",
              "figure14", "figure15", "figure17"]


def expand(*arguments, cwd=ROOT):
    return subprocess.run([BIN / "sweep", "expand", *map(str, arguments)], cwd=cwd, capture_output=True, text=True, timeout=PATIENCE_S)


def runs_of(*arguments, **options):
    done = expand(*arguments, "--json", **options)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def results_of(path):
    """The folder in results/ of an experiment's file."""
    return re.search(r'^  "name": "([^"]+)",$', path.read_text(), re.MULTILINE).group(1)


def write(path, sweep):
    path.write_text(sweep if isinstance(sweep, str) else json.dumps(sweep))
    return path


def test_every_table_and_figure_of_the_old_report_is_there():
    names = {path.stem for path in EXPERIMENT_FILES}
    assert names >= {*OLD_REPORT, "first", "strong-scaling", "weak-scaling"}
    assert {path.stem for path in OLDER_NAMES} >= {*OLD_REPORT}


def test_every_table_and_figure_of_the_old_report_has_its_place_in_the_study():
    places = re.findall(r"^<!-- lockstep: .*", (ROOT / "docs/study.md").read_text(), re.MULTILINE)
    shown = {name for place in places for name in re.findall(r"results/(\w+)", place)}
    assert shown >= set(OLD_REPORT)
    assert shown <= {path.stem for path in EXPERIMENT_FILES}, "make study knows how to make these"


@pytest.mark.parametrize("path", EXPERIMENTS, ids=lambda path: path.stem)
@pytest.mark.parametrize("scale", ["full", "smoke"])
def test_experiments_expand(path, scale):
    runs = runs_of(path, "--scale", scale)
    assert runs
    assert len({run["run_id"] for run in runs}) == len(runs)
    name = results_of(path) + ("" if scale == "full" else "-smoke")
    for run in runs:
        assert run["settings"]["experiment"] == name
        assert run["estimate_s"] > 0
    if scale == "smoke":
        assert max(run["ranks"] for run in runs) <= 4
        assert sum(run["estimate_s"] for run in runs) < 60
    table = expand(path, "--scale", scale).stdout
    assert max(map(len, table.splitlines())) <= 100
    assert re.search(rf"^runs +{len(runs)}: ", table, re.MULTILINE)


@pytest.mark.parametrize("path", EXPERIMENTS, ids=lambda path: path.stem)
def test_experiments_that_speak_of_speed_have_a_serial_base(path):
    runs = runs_of(path)
    if "speedup" in path.stem or "scaling" in path.stem:
        assert any(run["settings"]["algorithm"] == "serial" for run in runs)


def test_make_knows_every_experiment():
    listed = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_S).stdout
    for path in EXPERIMENTS:
        assert re.search(rf"^ +{path.stem} ", listed, re.MULTILINE), path.stem
    for path in OLDER_NAMES:  # in brackets behind their experiment
        assert re.search(rf"^ +{path.resolve().stem} .*\[{path.stem}\]$", listed, re.MULTILINE), path.stem
    for launch, command in [("local", "run"), ("slurm", "submit")]:
        recipe = dry_run("table2", f"LAUNCH={launch}", "SCALE=smoke", "SITE=mine")
        assert f"sweep {command} jobs/experiments/table2.json --scale 'smoke' --site 'mine'" in recipe


def dry_run(*words):
    """What make would do, without the building."""
    done = subprocess.run(["make", "-n", "-o", "all", *words], cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_S)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_older_names_of_experiments_are_their_folders_of_results():
    """So that what was made under them is found, and gone on with, under any name."""
    for path in OLDER_NAMES:
        assert path.resolve() in EXPERIMENTS and path.stem == results_of(path), path.stem


@pytest.mark.parametrize("launch", ["local", "slurm"])
def test_make_does_the_same_by_an_older_name(launch):
    older = [path.stem for path in OLDER_NAMES]
    newer = [path.resolve().stem for path in OLDER_NAMES]
    expected = dry_run(*older, f"LAUNCH={launch}", "SCALE=smoke")
    for path in OLDER_NAMES:  # as it was before there were other names
        assert f"jobs/experiments/{path.stem}.json --scale 'smoke'" in expected
        words = f"sweep expand jobs/experiments/{path.stem}.json --scale 'smoke' --folder"
        assert launch == "slurm" or re.search(rf'jobs/collect.sh "\$\(\S*{re.escape(words)}\)"\n', expected)
        assert expand(path, "--scale", "smoke", "--folder").stdout == f"results/{path.stem}-smoke\n"
    by_question = dry_run(*newer, f"LAUNCH={launch}", "SCALE=smoke")
    for path in OLDER_NAMES:
        by_question = by_question.replace(f"experiments/{path.resolve().stem}.json", f"experiments/{path.stem}.json")
    assert by_question == expected


def test_make_builds_what_a_simulated_site_needs():
    for target, words in [("first", "sweep run jobs/experiments/first.json --scale 'smoke' --site 'sim:ethernet_10g'\n"),
                          ("doctor", "sweep doctor --site 'sim:ethernet_10g'\n")]:
        planned = dry_run("-o", "simulate", target, "SCALE=smoke", "SITE=sim:ethernet_10g")
        assert words in planned
        assert "CONFIG=sim" not in planned and "CONFIG=sim all" in dry_run(target, "SITE=sim:ethernet_10g", "MAKE=echo")


def test_make_scaling_is_both_kinds_of_scaling():
    assert dry_run("scaling") == dry_run("strong-scaling", "weak-scaling")


def test_a_sweep_is_found_by_any_name_of_its_experiment(lockstep):
    """By the folder, by the older name, which is the same, and by the question; a variant of it, too."""
    results = lockstep.folder
    for scale, folder in [("full", "scaling_strong"), ("smoke", "scaling_strong-smoke")]:
        runs = runs_of(ROOT / "jobs/experiments/strong-scaling.json", "--scale", scale)
        manifest = {"name": folder, "title": "", "scale": scale, "spec_file": "x.json",
                    "spec": {"name": "scaling_strong", "fixed": {"algorithm": "serial"}, "variants": {"smoke": {}}},
                    "points": [{key: run[key] for key in ("run_id", "ranks", "nodes", "repeat", "settings", "estimate_s")} for run in runs]}
        (results / folder / "sweep").mkdir(parents=True)
        (results / folder / "sweep/sweep.json").write_text(json.dumps(manifest))
        suffix = folder.removeprefix("scaling_strong")
        for word in (results / folder, folder, "strong-scaling" + suffix):
            done = lockstep.run("status", word, "--results", results, program="sweep", ranks=None)
            assert done.status == 0, done.err
            assert done.out.startswith(f"{folder}: {len(runs)} runs: {len(runs)} missing")
    for word in ("weak-scaling", "strong-scaling-none", "none", "../strong-scaling"):
        done = lockstep.run("status", word, "--results", results, program="sweep", ranks=None)
        assert done.status == 2 and "scaling_strong, scaling_strong-smoke" in done.err and "experiment's" in done.err


def test_ten_thousand_runs(tmp_path):
    sweep = write(tmp_path / "large.json", {"matrix": {
        "algorithm": ["param_avg", "w_param_avg"], "batch_size": list(range(1, 51)),
        "learning_rate": [0.001 * i for i in range(1, 21)], "ranks": [1, 2, 4, 8, 16]}})
    runs = runs_of(sweep)
    assert len({run["run_id"] for run in runs}) == 10000
    shown = expand(sweep, "--limit", 5).stdout
    assert "9995 more lines" in shown and re.search(r"^runs +10000: ", shown, re.MULTILINE)


def test_run_ids_can_be_made_by_others(tmp_path):
    sweep = write(tmp_path / "one.json", {"fixed": {"algorithm": "w_param_avg", "lambda": 10, "ranks": 4, "epochs": 20}, "seeds": [3]})
    told = '{"algorithm":"w_param_avg","lambda":10.0,"ranks":4,"seed":3}'
    expected = "w_param_avg-mnist-n4-b64-s3-" + hashlib.sha256(told.encode()).hexdigest()[:12]
    assert [run["run_id"] for run in runs_of(sweep)] == [expected]


def test_settings_are_what_train_would_run(lockstep, tmp_path):
    sweep = write(tmp_path / "some.json", {"fixed": {"dataset": "synthetic", "model": "mlp:784-16-10"},
                                           "matrix": {"algorithm": ["parallel_sgd", "drift_avg"], "learning_rate": [1, 0.5]},
                                           "include": [{"algorithm": "serial"}]})
    for run in runs_of(sweep):
        config = write(tmp_path / "config.json", run["settings"])
        done = lockstep.run("--config", config, "--print-config")
        assert done.status == 0 and done.err == ""
        printed = json.loads(done.out)
        assert all(printed[key] == value for key, value in run["settings"].items())


def test_complete_runs_are_counted_and_their_times_taken(lockstep, tmp_path):
    sweep = write(tmp_path / "small.json", {
        "fixed": dict(zip([key.lstrip("-").replace("-", "_") for key in SMALL[::2]],
                          [int(value) if value.isdigit() else value for value in SMALL[1::2]])),
        "matrix": {"batch_size": [16, 32]}, "repeats": 2})
    runs = runs_of(sweep)
    first = runs[0]
    config = write(tmp_path / "config.json", first["settings"])
    lockstep.train("--config", config, "--run-id", first["run_id"])
    after = runs_of(sweep, "--results", lockstep.folder)
    assert [run["complete"] for run in after] == [True, False, False, False]
    assert [run["estimate_source"] for run in after] == ["measured", "work", "measured", "work"]
    shown = expand(sweep, "--results", lockstep.folder).stdout
    assert re.search(r"^complete +1 of 4 ", shown, re.MULTILINE) and "measured" in shown


def test_a_sweep_can_be_looked_at_where_the_data_are_not(tmp_path):
    sweep = write(tmp_path / "far.json", {"fixed": {"dataset": "mnist", "data_dir": "nowhere", "epochs": 3}})
    done = expand(sweep)
    assert done.returncode == 0, done.stderr
    assert "nowhere/mnist is not here" in done.stdout


def test_a_data_folder_that_cannot_be_read_is_one_that_is_not_there(tmp_path):
    (tmp_path / "mnist").symlink_to(tmp_path / "mnist")
    done = expand(write(tmp_path / "loop.json", {"fixed": {"dataset": "mnist", "data_dir": str(tmp_path), "epochs": 3}}))
    assert done.returncode == 0, done.stderr
    assert "is not here" in done.stdout


MISTAKES = {
    "no JSON": ('{"matrix": {"ranks": [1,]}}', ["line 1, column", "no comma before"]),
    "unknown setting": ({"matrix": {"bach_size": [1]}}, ["bach_size", "did you mean 'batch_size'"]),
    "serial on two ranks": ({"matrix": {"algorithm": ["serial"], "ranks": [1, 2]}}, ["algorithm=serial, ranks=2", "include"]),
    "more samples than there are": ({"fixed": {"dataset": "fashion_mnist", "train_samples": 60001}}, ["train_samples", "60000"]),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_mistakes_are_told_once(tmp_path, datasets, case):
    sweep, words = MISTAKES[case]
    path = write(tmp_path / "wrong.json", sweep)
    done = expand(path)
    assert done.returncode == 2
    assert done.stdout == "" and done.stderr.count("error:") == 1
    for word in [str(path), *words]:
        assert word in done.stderr


def test_unknown_scales_and_sites_are_told(tmp_path):
    first = ROOT / "jobs/experiments/first.json"
    for arguments, words in [(["--scale", "smok"], ["did you mean 'smoke'"]), (["--site", "locl"], ["did you mean 'local'"])]:
        done = expand(first, *arguments)
        assert done.returncode == 2
        for word in words:
            assert word in done.stderr
    assert expand(tmp_path / "none.json").returncode == 2
