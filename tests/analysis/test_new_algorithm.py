# SPDX-License-Identifier: BSD-3-Clause
"""Algorithms that the analysis has never heard of: all that needs no knowledge of them works, and what does says so."""

import re

import numpy as np
import pandas as pd
import pytest
from made_runs import analysis, copy, rename
from test_model import bench  # noqa: F401  (a fixture)

from lockstep_analysis.check import check_figure, check_points
from lockstep_analysis.draw import to_svg
from lockstep_analysis.figures import FIGURES
from lockstep_analysis.figures.common import NothingToShow, Options
from lockstep_analysis.palette import COLORS, MARKERS, algorithm_color, mark
from lockstep_analysis.points import Point, group_points
from lockstep_analysis.runs import Run, load_runs
from lockstep_analysis.speedup import weak_series

AVERAGING, OTHER = "bold_avg", "grid"  # the latter's name is also that of a colour
PREDICTIONS = ("model", "outlook", "race_outlook")


@pytest.fixture(scope="module")
def sweep(small, tmp_path_factory):
    """The small sweep and two algorithms more: one that averages, and one that tells of other things."""
    folder = tmp_path_factory.mktemp("new")
    for path in small.glob("*.h5"):
        copy(path, folder / path.name)
        if path.name.startswith("param_avg-"):
            rename(path, folder / f"{AVERAGING}-{path.name}", AVERAGING)
        if path.name.startswith("parallel_sgd-"):
            rename(path, folder / f"{OTHER}-{path.name}", OTHER, sent_bytes=5e6, staleness=3.0)
    return folder


@pytest.fixture(scope="module")
def new_points(sweep):
    return group_points(load_runs([sweep])[0])


@pytest.fixture
def drawn(new_points, bench):  # noqa: F811
    options = Options(bench=bench, target=0.05)
    return {name: row.build(new_points, options) for name, row in FIGURES.items() if name != "weak_scaling"}


def algorithms_in(figure):
    """The algorithms that the labels of a figure's series begin with, and their colours."""
    return {re.split(r"[,:]", s.label)[0]: s.color for panel in figure.panels for s in panel.series}


@pytest.mark.parametrize("name", sorted(set(COLORS) - set(MARKERS)) + ["new_one"])
def test_a_name_of_any_kind_gets_one_of_the_colours_for_others(name):
    assert algorithm_color(name, [name, "serial"]).startswith("other")
    assert mark(algorithm_color(name))[0] not in MARKERS.values()


def test_however_many_there_are_each_has_a_colour():
    names = [f"new_{i}" for i in range(7)]
    colors = [algorithm_color(name, [*names, *names]) for name in names]
    assert set(colors) == {"other1", "other2", "other3"} and colors[:3] == sorted(colors[:3])


def test_every_figure_shows_them_in_one_colour_or_says_that_it_does_not(drawn):
    colors = {AVERAGING: set(), OTHER: set()}
    for name, figure in drawn.items():
        assert check_figure(figure, []) == [], name
        for panel in figure.panels:
            to_svg(panel, f"{name} {panel.title}")
        if name == "phases":  # its colours are those of phases
            assert all(any(c.startswith(a) for p in figure.panels for c in p.categories) for a in colors)
            continue
        found = algorithms_in(figure)
        for algorithm in colors:
            if algorithm in found:
                colors[algorithm].add(found[algorithm])
            else:
                assert any(s.startswith("Left out: ") and algorithm in s for s in figure.says), (name, algorithm)
    assert colors == {AVERAGING: {"other1"}, OTHER: {"other2"}}


def test_predictions_leave_them_out_and_say_so(drawn, new_points, bench):  # noqa: F811
    for name in PREDICTIONS:
        assert {AVERAGING, OTHER}.isdisjoint(algorithms_in(drawn[name])), name
        assert [s for s in drawn[name].says if s.startswith(f"Left out: {AVERAGING}, {OTHER}. The model knows what ")]
        with pytest.raises(NothingToShow, match=f"Left out: {AVERAGING}. The model knows"):
            alone = [p for p in new_points if p.algorithm == AVERAGING]
            FIGURES[name].build(alone, Options(bench=bench, target=0.05))


def test_what_an_algorithm_declares_is_enough_to_predict_it(small, tmp_path, points, bench):  # noqa: F811
    """A twin of parallel_sgd under a new name: the same predictions, the same bound of its bytes."""
    for path in small.glob("*.h5"):
        copy(path, tmp_path / path.name, config={"algorithm": "twin"} if path.name.startswith("parallel_sgd-") else None)
    twins = group_points(load_runs([tmp_path])[0])
    for name in PREDICTIONS:
        options = Options(bench=bench, target=0.05)
        theirs, ours = (FIGURES[name].build(p, options).table for p in (points, twins))
        theirs["series"] = theirs["series"].str.replace("parallel_sgd", "twin")
        assert "twin" in " ".join(ours["series"])
        order = [c for c in ("series", "ranks") if c in ours]
        theirs, ours = (t.sort_values(order).reset_index(drop=True) for t in (theirs, ours))
        pd.testing.assert_frame_equal(theirs, ours)


def test_predictions_of_known_ones_alone_say_nothing_of_others(points, bench):  # noqa: F811
    for name in PREDICTIONS:
        figure = FIGURES[name].build(points, Options(bench=bench, target=0.05))
        assert not any("Left out" in s for s in figure.says)


def test_bytes_have_a_bound_only_where_the_exchanges_are_known(drawn):
    figure = drawn["bytes"]
    sent, over_bound = ({s.label: s for s in panel.series if s.style == "points"} for panel in figure.panels)
    assert {AVERAGING, OTHER} <= set(sent) and np.allclose(sent[OTHER].y, 5.0)
    assert AVERAGING in over_bound and OTHER not in over_bound
    assert [s for s in figure.says if s.startswith(f"Without a bound: {OTHER}.")]
    rows = figure.table.set_index("series")
    assert np.isnan(rows.loc[OTHER, "bound MB"]) and rows.loc[AVERAGING, "bound MB"] > 0


def test_bytes_of_such_an_algorithm_alone_are_shown(new_points):
    figure = FIGURES["bytes"].build([p for p in new_points if p.algorithm == OTHER], Options())
    assert len(figure.panels) == 1 and figure.bound == "" and check_figure(figure, []) == []


def test_what_it_tells_of_itself_under_a_new_name_is_shown(drawn):
    [panel] = [p for p in drawn["exchange"].panels if p.title == "staleness"]
    assert {s.label.split(",")[0] for s in panel.series} == {OTHER} and np.allclose(panel.series[0].y, 3.0)
    assert not any(p.title in ("sent_bytes", "hidden_share") for p in drawn["exchange"].panels)


def weak_point(ranks, a_rank, shared):
    """A point of weak scaling: 1000 samples a rank, in steps of `a_rank` samples a rank."""
    samples = 1000 * ranks
    config = {"algorithm": OTHER, "batch_size": a_rank * ranks if shared else a_rank, "synthetic_train": samples}
    epochs = {"epoch_s": [1.0] * 3, "samples": [samples] * 3, "steps": [-(-1000 // a_rank)] * 3}
    series = {f"epochs/{name}": np.array(values) for name, values in epochs.items()}
    declared = {"capabilities": ["divides_batches"] if shared else []}
    return Point([Run(None, f"{ranks} {a_rank}", config, ranks, [], series, provenance=declared)])


@pytest.mark.parametrize("shared", [True, False])
def test_weak_scaling_sees_whether_ranks_share_a_batch(shared):
    points = [weak_point(ranks, a_rank, shared) for ranks in (1, 2, 4) for a_rank in (32, 64, 1000)]
    assert [p.batch_a_rank for p in points] == [32, 64, 1000] * 3
    found = {name: [(p.batch_a_rank, p.ranks) for p in members] for name, members in weak_series(points).items()}
    assert found == {f"{OTHER}, {a} a step and rank": [(a, n) for n in (1, 2, 4)] for a in (32, 64, 1000)}


@pytest.mark.parametrize(
    "command",
    [
        ["table"],
        ["table", "--format", "csv"],
        ["check"],
        ["figure", "strong_scaling"],
        ["figure", "figure13"],
        ["report", "--page-only"],
    ],
)
def test_commands_tell_of_them(sweep, tmp_path, command):
    writes = ["--out", tmp_path] if command[0] in ("figure", "report") else []
    said = analysis(*command, sweep, *writes)
    assert said.returncode == (1 if command == ["check"] and "error" in said.stdout else 0), said.stderr
    assert "Traceback" not in said.stderr
    written = "".join(p.read_text() for p in tmp_path.rglob("*") if p.suffix in (".csv", ".html"))
    if command[0] != "check":
        assert all(name in said.stdout + written for name in (AVERAGING, OTHER))


def test_compare_finds_them_again(sweep):
    said = analysis("compare", sweep, sweep)
    assert said.returncode == 0 and f"{AVERAGING}, 2 ranks" in said.stdout and f"{OTHER}, 2 ranks" in said.stdout, said.stderr


def test_checks_know_them_by_name(new_points):
    alone = [p for p in new_points if p.algorithm == AVERAGING]
    assert any(f.rule == 1 and AVERAGING in f.what for f in check_points(alone))
