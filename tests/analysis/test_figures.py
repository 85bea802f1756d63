# SPDX-License-Identifier: BSD-3-Clause
"""Figures: what is drawn is what the table says, drawn by the rules, in the same colours everywhere."""

import re

import numpy as np
import pytest
from made_runs import ROOT, analysis, changing, copy

from lockstep_analysis.check import check_figure
from lockstep_analysis.draw import to_svg
from lockstep_analysis.errors import AnalysisError
from lockstep_analysis.figures import FIGURES
from lockstep_analysis.figures.common import NothingToShow, Options
from lockstep_analysis.figures.learning import race
from lockstep_analysis.named import NAMED, OLD, known, named_figure, named_table
from lockstep_analysis.palette import COLORS, algorithm_color
from lockstep_analysis.points import find_experiment, group_points
from lockstep_analysis.runs import load_runs
from test_model import bench  # noqa: F401  (a fixture)


@pytest.fixture
def drawn(results, bench):  # noqa: F811
    """Every figure, of the sweep that has something for it."""
    runs, _ = load_runs([results])
    sweeps = {name: group_points([r for r in runs if find_experiment(r) == name]) for name in ("small", "weak")}
    options = Options(bench=bench, target=0.05)
    return {name: row.build(sweeps["weak" if name == "weak_scaling" else "small"], options) for name, row in FIGURES.items()}


def test_every_figure_keeps_the_rules(drawn):
    assert set(drawn) == set(FIGURES)
    for figure in drawn.values():
        assert check_figure(figure, []) == [], figure.name


def test_the_table_holds_what_is_drawn(drawn):
    for name, figure in drawn.items():
        if name == "epoch_times":
            continue  # every single value; its table sums them up
        numbers = figure.table.select_dtypes("number").to_numpy(dtype=float).ravel()
        numbers = np.sort(np.concatenate([numbers[np.isfinite(numbers)], numbers[np.isfinite(numbers)] / 100, [0.0, 1.0]]))
        for panel in figure.panels:
            for s in panel.series:
                if s.style in ("points", "ticks", "line") and s.label != "serial":
                    for y in np.asarray(s.y)[np.isfinite(s.y)]:
                        assert np.isclose(numbers, y, rtol=1e-9).any(), (name, panel.title, s.label, y)


@pytest.mark.slow
def test_every_panel_has_marks_and_ids_of_its_own(drawn):
    ids = []
    for name, figure in drawn.items():
        for panel in figure.panels:
            svg = to_svg(panel, f"{name} {panel.title}")
            ids += re.findall(r'\bid="([^"]+)"', svg)
            assert "viewBox" in svg and svg.count("<use") + svg.count("<path") > 5 and panel.title.split(",")[0] in svg
            for target in re.findall(r'(?:href="#|url\(#)([^")]+)', svg):
                assert f'id="{target}"' in svg, target
            used = set(re.findall(r"#[0-9a-f]{6}", svg))
            assert used <= {light for light, _ in COLORS.values()}, used
    assert len(ids) == len(set(ids))


def test_numbers_on_axes_keep_their_digits():
    from lockstep_analysis.chart import Panel, Series

    svg = to_svg(Panel("t", "ranks", "s", [Series("a", "serial", [1, 2], [0.00125, 3.0])], "log2", "log"), "t")
    assert {"0.001", "0.01", "0.1", "1"} <= set(re.findall(r"<text[^>]*>([^<]+)</text>", svg))


def test_an_algorithm_has_one_colour_in_every_figure(drawn):
    colors = {}
    for figure in drawn.values():
        for panel in figure.panels:
            for s in panel.series:
                algorithm = re.split(r"[,:]", s.label)[0]
                if algorithm in ("serial", "parallel_sgd", "param_avg", "w_param_avg"):
                    colors.setdefault(algorithm, set()).add(s.color)
    assert colors == {a: {a} for a in colors} and len(colors) == 4
    assert algorithm_color("new_one", ["serial", "new_one", "a_new_one"]) == "other2"


def test_predictions_are_lines_and_measurements_are_marks(drawn):
    for name in ("model", "outlook"):
        for panel in drawn[name].panels:
            for s in panel.series:
                assert s.predicted == (s.style in ("guide", "ticks")) or s.label == "ideal"
    assert "prediction" in drawn["outlook"].title.lower() and "Nothing here was measured" in drawn["outlook"].says[0]
    assert max(drawn["outlook"].table["ranks"]) > 64


def test_runs_that_never_reach_the_target_stay_in_the_race(serial_run, tmp_path):
    for i in range(4):
        path = copy(serial_run, tmp_path / f"{i}.h5")
        with changing(path) as file:
            file["epochs/test_accuracy"][...] = [0.5, 0.6, 0.7, 0.8, 0.9 if i else 0.1, 0.9 if i else 0.1, 0.9 if i else 0.1]
            file["epochs/train_clock_s"][...] = np.arange(1.0, 8.0) * (1 + i)
    points = group_points(load_runs([tmp_path])[0])
    assert race(points[0], 0.85) == ([7.0, 10.0, 15.0, 20.0], [False, True, True, True])
    figure = FIGURES["time_to_accuracy"].build(points, Options(target=0.85))
    assert "Half of the runs are there after 15 s (serial)." in figure.says
    table = figure.table
    assert (table["runs"][0], table["reached"][0], table["censored"][0]) == (4, 3, 1)


def test_a_figure_without_runs_for_it_says_what_it_needs(points):
    serial = [p for p in points if p.algorithm == "serial"]
    for name, words in (
        ("strong_scaling", "two rank counts"),
        ("weak_scaling", "as many samples a rank"),
        ("bytes", "several ranks"),
        ("exchange", "several ranks"),
    ):
        with pytest.raises(NothingToShow, match=words):
            FIGURES[name].build(serial, Options())
    with pytest.raises(NothingToShow, match="make bench"):
        FIGURES["model"].build(points, Options())


CONFIGS = {
    "table1": ("parallel_sgd", {"batch_size": 512}),
    "table2": ("param_avg", {"avg_freq": 1}),
    "table3": ("param_avg", {"batch_size": 128}),
    "table4": ("w_param_avg", {"lambda": 10.0}),
    "table5": ("serial", {"batch_size": 32}),
    "figure9": ("parallel_sgd", {}),
    "figure10": ("param_avg", {}),
    "figure11": ("param_avg", {}),
    "figure12": ("w_param_avg", {}),
    "figure13": ("param_avg", {}),
    "figure14": ("param_avg", {}),
    "figure15": ("param_avg", {}),
    "figure17": ("serial", {}),
}


@pytest.mark.parametrize("name", NAMED)
def test_each_table_and_figure_of_the_old_report_can_be_made(small, tmp_path, name):
    algorithm, config = CONFIGS[name]
    for path in [*small.glob(f"{algorithm}-*.h5"), *small.glob("serial-*.h5")]:
        ranks = {"ranks": 8} if name == "table3" and "-n2-" in path.name else None
        copy(path, tmp_path / path.name, config=config, provenance=ranks)
    points = group_points(load_runs([tmp_path])[0])
    if name.startswith("table"):
        table = named_table(name, points, Options())
        old = [c for c in table.frame.columns if c.startswith("old ")]
        assert old and table.frame[old[0]].notna().any() and any("Google Cloud" in s for s in table.says)
        row = table.frame[table.frame[old[0]].notna()].iloc[0]
        key = old[0].removeprefix("old ")
        assert row[old[0]] in [v[key] for v in OLD[name]["values"]]
        assert row["difference"] == pytest.approx(row["mean" if "mean" in row else key] - row[old[0]])
    else:
        figure = named_figure(name, points, Options())
        assert figure.name == name and figure.title == NAMED[name]["title"] and len(figure.table) > 0
        if name == "figure11":
            assert any(s.label == "old report" for s in figure.panels[0].series) and 98.05 in set(figure.table["accuracy %"])


def test_what_the_old_report_has_and_these_runs_lack_is_told(small, tmp_path):
    for path in [*small.glob("param_avg-*.h5"), *small.glob("serial-*.h5")]:
        copy(path, tmp_path / path.name)
    said = analysis("table", "table2", tmp_path)
    assert said.returncode == 0, said.stderr
    assert (
        "1.85" in said.stdout
        and "No run here for 4 of the old report's points: ranks 3; ranks 4; ranks 6; ranks 8" in said.stdout
    )


def test_unknown_names_are_answered_with_the_known_ones(small):
    said = analysis("figure", "figure99", small)
    assert said.returncode == 2 and "figure11" in said.stderr and "strong_scaling" in said.stderr
    with pytest.raises(AnalysisError, match="table2"):
        known("tablex", tables=True)
    said = analysis("figure", "list")
    assert said.returncode == 0 and "time_to_accuracy" in said.stdout and "figure17" in said.stdout


def test_a_figure_is_written_for_papers_and_for_programs(small, tmp_path):
    said = analysis("figure", "strong_scaling", small, "--out", tmp_path)
    assert said.returncode == 0, said.stderr
    assert {p.suffix for p in tmp_path.iterdir()} == {".pdf", ".png", ".csv", ".md", ".tex"}
    assert (tmp_path / "strong_scaling.pdf").read_bytes().startswith(b"%PDF") and "best serial run" in said.stdout
    tex = (tmp_path / "strong_scaling.tex").read_text()
    assert "\\toprule" in tex and "parallel\\_sgd" in tex and str(ROOT) not in tex


@pytest.mark.parametrize(
    "format,mark",
    [("csv", "algorithm,ranks"), ("markdown", "| ---"), ("latex", "\\midrule"), ("text", "speed-up base, batch 64")],
)
def test_the_comparison_comes_in_every_format(small, format, mark):
    said = analysis("table", small, "--format", format)
    assert said.returncode == 0 and mark in said.stdout, said.stderr
