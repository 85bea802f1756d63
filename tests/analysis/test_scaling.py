# SPDX-License-Identifier: BSD-3-Clause
"""Points, speed-ups and series: what is compared with what."""

import made_runs
import numpy as np
import pytest
from made_runs import copy

from lockstep_analysis.errors import NotComparable
from lockstep_analysis.points import group_points, label, one_problem, varying
from lockstep_analysis.runs import load_runs
from lockstep_analysis.speedup import efficiency, find_base, speed_up, strong_series, upper_bound, weak_series


def of(points, algorithm, ranks):
    [point] = [p for p in points if (p.algorithm, p.ranks) == (algorithm, ranks)]
    return point


def test_seeds_make_a_point(points):
    assert {(p.algorithm, p.ranks): len(p.runs) for p in points} == {
        ("serial", 1): 2,
        **{(a, n): 2 for a in ("parallel_sgd", "param_avg", "w_param_avg") for n in (1, 2)},
    }
    assert varying(points) == ["ranks"]
    assert label(of(points, "param_avg", 2), ["ranks"]) == "param_avg, 2 ranks"


def test_a_speed_up_is_a_ratio_of_medians_with_its_base_named(points):
    point = of(points, "param_avg", 2)
    base = find_base(point, points)
    serial = np.median(np.concatenate(of(points, "serial", 1).epoch_groups))
    assert speed_up(point, base).value == pytest.approx(serial / np.median(np.concatenate(point.epoch_groups)))
    assert efficiency(point, base).value == pytest.approx(speed_up(point, base).value / 2)
    assert speed_up(point, base).low <= speed_up(point, base).value <= speed_up(point, base).high
    assert "best serial run: serial on 1 rank, batch 64" in base.text() and f"{serial:.3g} s an epoch" in base.text()
    assert find_base(point, points, "one-rank").point is of(points, "param_avg", 1)
    assert upper_bound(point, base) >= speed_up(point, base).value * 0.99


def test_the_fastest_serial_point_is_the_base(small, tmp_path):
    for i, path in enumerate(sorted(small.glob("*.h5"))):
        copy(path, tmp_path / f"{i}.h5")
        if path.name.startswith("serial"):
            copy(path, tmp_path / f"fast{i}.h5", config={"gemm": "other"}, scale={"epochs/epoch_s": 0.5})
    points = group_points(load_runs([tmp_path])[0])
    assert find_base(of(points, "param_avg", 2), points).point.config["gemm"] == "other"


def test_without_a_serial_run_there_is_no_base(points):
    parallel = [p for p in points if p.algorithm != "serial"]
    assert find_base(of(parallel, "param_avg", 2), parallel) is None


def test_the_interval_of_a_ratio_covers_it(points):
    """Of two points that are the same machine at the same work the ratio is 1, and the interval says so nearly always."""
    from lockstep_analysis.points import Point
    from lockstep_analysis.runs import Run

    random = np.random.default_rng(3)

    def point(seed):
        runs = [
            Run(
                path=None,
                run_id=str(i),
                config={"algorithm": "serial", "seed": i, "x": seed},
                ranks=1,
                hosts=[],
                series={"epochs/epoch_s": random.normal(random.normal(1.0, 0.05), 0.02, 10)},
            )
            for i in range(8)
        ]
        return Point(runs)

    from lockstep_analysis.speedup import ratio

    estimates = [ratio(point(1), point(2)) for _ in range(60)]
    assert sum(e.low <= 1.0 <= e.high for e in estimates) >= 52


def test_points_are_resampled_independently():
    """Equal numbers do not make a ratio certain."""
    from lockstep_analysis.points import Point
    from lockstep_analysis.runs import Run
    from lockstep_analysis.speedup import ratio

    random = np.random.default_rng(4)
    times = [random.normal(random.normal(1.0, 0.1), 0.02, 10) for _ in range(6)]
    one, other = (
        Point([Run(None, str(i), {"algorithm": a}, 1, [], {"epochs/epoch_s": t}) for i, t in enumerate(times)])
        for a in ("serial", "param_avg")
    )
    assert ratio(one, other).low < 0.99 < 1.01 < ratio(one, other).high


def test_strong_and_weak_scaling_are_told_apart(results):
    points = group_points(load_runs([results])[0])
    strong, weak = strong_series(points), weak_series(points)
    assert {name: [p.ranks for p in members] for name, members in strong.items()} == {
        name: [1, 2] for name in ("parallel_sgd", "param_avg", "w_param_avg")
    }
    [members] = weak.values()
    assert [p.ranks for p in members] == [1, 2] and [p.samples for p in members] == [600, 1200]


def test_other_problems_do_not_share_a_figure(serial_run, tmp_path):
    copy(serial_run, tmp_path / "a.h5")
    copy(serial_run, tmp_path / "b.h5", config={"dataset": "mnist"})
    with pytest.raises(NotComparable, match="different problems") as refused:
        one_problem(group_points(load_runs([tmp_path])[0]))
    assert "--where dataset=" in refused.value.hint


def test_phases_add_up_to_the_training_time(points):
    for p in points:
        train = np.concatenate([r.series["epochs/train_s"].mean(axis=1) for r in p.runs]).mean()
        assert sum(p.phases_s.values()) == pytest.approx(train, rel=0.02)
        assert 0.0 <= p.straggler_share < 1.0 and (p.ranks > 1 or p.straggler_share == 0.0)


def test_the_package_is_the_checkouts():
    import lockstep_analysis

    assert str(made_runs.ROOT) in lockstep_analysis.__file__
