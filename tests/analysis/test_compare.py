# SPDX-License-Identifier: BSD-3-Clause
"""What changed between two sweeps: a real slow-down is found, none is made up, and CI can rely on the exit status."""

import json

import made_runs  # noqa: F401
import numpy as np
import pytest
from made_runs import analysis, copy

from lockstep_analysis.compare import Measured, Side, changes, match


def sweep(small, folder, scale=1.0, only="*", **changed):
    for path in sorted(small.glob(f"{only}.h5")):
        copy(path, folder / path.name, scale={"epochs/epoch_s": scale} if scale != 1.0 else None, **changed)
    return folder


def test_the_same_runs_do_not_differ(small):
    said = analysis("compare", small, small, "--fail-if-slower", "5%")
    assert said.returncode == 0 and "7 no change seen" in said.stdout, said.stderr


def test_a_slower_sweep_fails_and_says_where(small, tmp_path):
    slow = sweep(small, tmp_path / "slow", 1000.0)  # more than any disturbance on a busy machine
    said = analysis("compare", small, slow, "--fail-if-slower", "5%")
    assert said.returncode == 1 and "7 slower" in said.stdout and "FAILED: param_avg, 2 ranks is 99900.0% slower" in said.stderr
    assert "+99900.0%" in said.stdout and "large" in said.stdout
    assert analysis("compare", small, slow).returncode == 0
    assert analysis("compare", small, slow, "--fail-if-slower", "100%").returncode == 1
    assert analysis("compare", slow, small, "--fail-if-slower", "5%").returncode == 0
    assert "7 faster" in analysis("compare", slow, small).stdout


def test_a_reference_is_as_good_as_the_runs(small, tmp_path):
    saved = analysis("compare", small, "--save", tmp_path / "ref.json")
    assert saved.returncode == 0 and "7 points" in saved.stdout
    assert (
        analysis("compare", tmp_path / "ref.json", small).stdout.splitlines()[2:]
        == analysis("compare", small, small).stdout.splitlines()[2:]
    )


def test_a_reference_without_the_point_is_an_error(small, tmp_path):
    part = sweep(small, tmp_path / "part", only="*n1*")
    analysis("compare", part, "--save", tmp_path / "ref.json")
    said = analysis("compare", tmp_path / "ref.json", small)
    assert said.returncode == 2 and "only in the new one: parallel_sgd, 2 ranks" in said.stderr and "--save" in said.stderr
    assert analysis("compare", tmp_path / "ref.json", small, "--partial").returncode == 0
    said = analysis("compare", small, part)
    assert said.returncode == 2 and "only in the base" in said.stderr


@pytest.mark.parametrize(
    "config,words",
    [
        ({"dataset": "mnist"}, "dataset synthetic there, mnist here"),
        ({"model": "lenet5"}, "model mlp:784-16-10 there, lenet5 here"),
        ({"gradient": "sum"}, "gradient mean there, sum here"),
        ({"batch_size": 32}, "batch_size 64 there, 32 here"),
    ],
)
def test_runs_that_cannot_be_compared_say_what_sets_them_apart(small, tmp_path, config, words):
    said = analysis("compare", small, sweep(small, tmp_path / "other", config=config))
    assert said.returncode == 2 and "no point in common" in said.stderr and words in said.stderr


def test_what_is_no_reference_is_named(small, tmp_path):
    for text in (
        "{",
        "[]",
        "{}",
        json.dumps({"kind": "lockstep reference", "points": [{"name": "a", "settings": {}, "epoch_s": [], "accuracy": []}]}),
    ):
        (tmp_path / "odd.json").write_text(text)
        said = analysis("compare", tmp_path / "odd.json", small)
        assert said.returncode == 2 and "is no reference" in said.stderr and "--save" in said.stderr
    assert "only one side" in analysis("compare", small).stderr
    assert analysis("compare", small, small, "--fail-if-slower", "5").returncode == 2


def test_another_machine_is_told(small, tmp_path):
    said = analysis("compare", small, sweep(small, tmp_path / "there", provenance={"cpu_model": "another CPU"}))
    assert "cpu_model differs" in said.stdout and "another CPU" in said.stdout


def test_a_difference_that_may_be_chance_fails_nothing():
    random = np.random.default_rng(6)
    fast, slow = (Measured("a", {}, [random.uniform(low, low + 20.0, 3)], [0.9]) for low in (1.0, 6.0))
    [change] = changes([(fast, slow)])
    assert change.ratio > 1.05 and change.verdict == "no change seen" and not change.is_slower_by(0.05)


def side(name, *settings):
    return Side(name, [Measured(str(s), s, [np.ones(6)], [0.9]) for s in settings], {})


def test_options_that_only_one_version_knows_are_no_difference():
    pairs, lost, added = match(side("old", {"a": 1}, {"a": 2}), side("new", {"a": 1, "b": 0}, {"a": 3, "b": 0}))
    assert [(b.settings, n.settings) for b, n in pairs] == [({"a": 1}, {"a": 1, "b": 0})]
    assert [p.settings for p in lost] == [{"a": 2}] and [p.settings for p in added] == [{"a": 3, "b": 0}]


@pytest.mark.slow
def test_false_alarms_are_as_rare_as_the_level_says():
    """40 points that did not change, 20 times: with Holm's adjustment hardly one comparison in 20 raises an alarm."""
    random = np.random.default_rng(5)

    def points():
        return [Measured(str(i), {"i": i}, [random.lognormal(0, 0.1, 6) for _ in range(3)], [0.9]) for i in range(40)]

    alarms = [any(c.verdict != "no change seen" for c in changes(list(zip(points(), points())))) for _ in range(20)]
    assert sum(alarms) <= 4
