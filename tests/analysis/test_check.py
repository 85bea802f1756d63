# SPDX-License-Identifier: BSD-3-Clause
"""The twelve rules: each finding appears when its fault is there, and not when it is not."""

import numpy as np
import pytest
from made_runs import add_segments, analysis, changing, copy

from lockstep_analysis.chart import Figure, Panel, Series
from lockstep_analysis.check import caption_words, check_drawing, check_figure, check_points
from lockstep_analysis.points import group_points
from lockstep_analysis.runs import load_runs

CLEAN = {"git_dirty": np.int8(0), "governor": "performance", "boost": "off", "build_config": "release", "online_cpus": 64}


@pytest.fixture
def variant(small, tmp_path):
    """Points of a sweep that breaks no rule, but for what is asked for: 6 quiet runs a point."""

    def make(provenance=None, only="*", noise=0.001, seeds=6, edit=None, **changed):
        random = np.random.default_rng(1)
        folder = tmp_path / f"v{len(list(tmp_path.iterdir()))}"
        for path in sorted(small.glob(f"{only}.h5")):
            if "s1-" not in path.name:
                continue
            for seed in range(seeds):
                bound = [str(c) for c in range(2 if "-n2-" in path.name else 1)]
                to = copy(
                    path, folder / f"{seed}{path.name}", provenance={**CLEAN, "bindings": bound, **(provenance or {})}, **changed
                )
                with changing(to) as file:
                    file["epochs/epoch_s"][...] = random.normal(1.0, noise, 7)
                    file["epochs/step_p99_s"][...] = 1.2 * file["epochs/step_p50_s"][()]
                    if edit:
                        edit(file, seed)
        return group_points(load_runs([folder])[0])

    return make


def rules(points, level=("error", "warning")):
    return {f.rule for f in check_points(points) if f.level in level}


def words(points):
    return " | ".join(f.text() for f in check_points(points))


def test_a_clean_sweep_has_no_finding(variant):
    assert check_points(variant()) == []


def test_speed_ups_without_a_serial_run(variant):
    points = variant(only="p*")
    assert 1 in rules(points) and "no serial run" in words(points) and "batch size 64" in words(points)


def test_steps_of_which_one_in_a_hundred_is_long(variant):
    def edit(file, _):
        file["epochs/step_p99_s"][...] = 4.0 * file["epochs/step_p50_s"][()]

    points = variant(only="p*n2*", edit=edit)
    assert 8 in rules(points, ("note",)) and "3 times the median or more" in words(points) and "at most 4.0 times" in words(points)


def test_too_few_runs_and_too_wide_intervals(variant):
    assert "2 runs a point" in words(variant(seeds=2))
    assert "wider than ±5%" in words(variant(noise=0.3))


def test_runs_of_one_point_that_differ(variant):
    def slow_half(file, seed):
        file["epochs/epoch_s"][...] = file["epochs/epoch_s"][()] * (1.5 if seed % 2 else 1.0)

    assert 8 in rules(variant(edit=slow_half)) and 8 not in rules(variant())


@pytest.mark.parametrize(
    "provenance,rule,level,said",
    [
        ({"git_dirty": np.int8(1)}, 9, "warning", "changes that are in no commit"),
        ({"governor": "unknown"}, 9, "note", "the frequency governor is not known"),
        ({"boost": "unknown"}, 9, "note", "whether the CPU boosts is not known"),
        ({"boost": "on"}, 9, "note", "the CPU boosts"),
        ({"build_config": "debug"}, 9, "error", "debug or sanitizer"),
        ({"binding_as_requested": np.int8(0)}, 9, "error", "not bound as asked for"),
        ({"online_cpus": 1}, 2, "error", "more ranks than cores"),
    ],
)
def test_what_the_provenance_tells(variant, provenance, rule, level, said):
    found = check_points(variant(provenance))
    assert any(f.rule == rule and f.level == level and said in f.what for f in found), words(variant(provenance))
    assert all(f.what != g.what for i, f in enumerate(found) for g in found[:i])


@pytest.mark.parametrize(
    "key,said",
    [
        ("cpu_model", "2 different CPU models"),
        ("git_sha", "2 different commits"),
        ("compiler_flags", "2 different compiler flags"),
        ("mpi_library", "2 different MPI libraries"),
        ("kernel", "2 different kernels"),
    ],
)
def test_mixed_set_ups(variant, key, said):
    def other(file, seed):
        if seed == 3:
            del file["provenance"][key]
            file["provenance"][key] = "another"

    assert said in words(variant(edit=other))


def test_ranks_that_share_a_core(variant):
    def unbound(file, seed):
        n = int(file["provenance/ranks"][()])
        del file["provenance/bindings"]
        file["provenance/bindings"] = ["0-7"] * n

    assert "not bound to cores of their own" in words(variant(edit=unbound))


def test_mixed_hosts(variant):
    def moved(file, seed):
        if seed == 0:
            n = int(file["provenance/ranks"][()])
            del file["provenance/hosts"]
            file["provenance/hosts"] = ["elsewhere"] * n

    assert "2 different hosts" in words(variant(edit=moved))


def test_interrupted_and_diverged_runs_are_told(variant, serial_run, tmp_path):
    path = copy(serial_run, tmp_path / "again/a.h5", provenance=CLEAN)
    add_segments(path)
    assert "1 run interrupted and resumed (4 s" in words(group_points(load_runs([path])[0]))
    path = copy(serial_run, tmp_path / "gone/a.h5", status="failed")
    with changing(path) as file:
        file["epochs/train_loss"][-1] = np.inf
    assert "1 run diverged" in words(group_points(load_runs([path])[0]))


def figure(**changed):
    series = changed.pop("series", [Series("a", "serial", [1, 2], [1.0, 2.0], [0.9, 1.9], [1.1, 2.1])])
    panel = changed.pop("panel", Panel("Time of an epoch", "ranks", "s", series, "log2", "log"))
    return Figure(**({"name": "f", "title": "F", "panels": [panel], "table": None, "says": ["medians"]} | changed))


def test_figures_are_checked_as_drawn():
    assert check_drawing(figure()) == []
    joined = [Series("a", "serial", [1, 2], [1.0, 2.0], [0.9, 1.9], [1.1, 2.1], style="line")]
    bare = [Series("a", "serial", [1, 2], [1.0, 2.0])]
    assert {f.rule for f in check_drawing(figure(series=joined))} == {12}
    assert {f.rule for f in check_drawing(figure(series=bare))} == {5}
    assert {f.rule for f in check_drawing(figure(says=[]))} == {10}
    assert {f.rule for f in check_drawing(figure(is_relative=True, base="serial"))} == {11}
    assert {f.rule for f in check_figure(figure(is_relative=True, bound="ideal"), [])} == {1}
    efficiency = Panel("Efficiency", "ranks", "share", [], "log2", "linear")
    assert {f.rule for f in check_drawing(figure(panel=efficiency))} == {12}


def test_captions_carry_what_matters_to_them(variant):
    found = check_points(variant({"build_config": "debug", "git_dirty": np.int8(1), "governor": "unknown"}))
    time = caption_words(check_figure(figure(), found))
    learning = caption_words(check_figure(figure(about="learning"), found))
    assert time == ["debug or sanitizer builds (rule 9)", "built from uncommitted changes (rule 9)"]
    assert learning == ["built from uncommitted changes (rule 9)"]


def test_the_command_lists_findings_and_fails_on_errors(small, tmp_path):
    said = analysis("check", small)
    assert "rule 5: 2 runs a point" in said.stdout and "14 runs, 7 points" in said.stdout
    for path in small.glob("*n1*.h5"):
        copy(path, tmp_path / "debug" / path.name, provenance={"build_config": "debug"})
        copy(path, tmp_path / "fine" / path.name, provenance=CLEAN)
    assert analysis("check", tmp_path / "debug").returncode == 1
    assert analysis("check", tmp_path / "fine").returncode == 0
    assert analysis("check", tmp_path / "fine", "--strict").returncode == 1
