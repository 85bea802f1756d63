# SPDX-License-Identifier: BSD-3-Clause
"""Medians, intervals, survival and tests: against known values, and by how often they are right."""

import made_runs  # noqa: F401  (finds the package)
import numpy as np
import pytest
from lockstep_analysis import statistics as st


def test_the_interval_of_the_median_has_the_ranks_of_the_binomial_table():
    # Known ranks at 95%, counted from 1: n = 6 -> 1 and 6, n = 10 -> 2 and 9, n = 20 -> 6 and 15.
    for n, low, high in ((6, 1, 6), (10, 2, 9), (20, 6, 15)):
        assert st.median_interval(np.arange(1, n + 1))[1:] == (low, high)
    assert np.isnan(st.median_interval([1, 2, 3, 4, 5])[1])


def test_the_interval_covers_the_median_as_often_as_it_says():
    random = np.random.default_rng(1)
    covered = sum(low <= 0.0 <= high for _, low, high in (st.median_interval(random.normal(size=15)) for _ in range(2000)))
    assert covered / 2000 > 0.94


def test_the_bootstrap_knows_that_epochs_of_a_run_resemble_each_other():
    # Runs differ by 1, epochs within a run by 0.01: what decides is the number of runs.
    random = np.random.default_rng(2)
    covered = {"two levels": 0, "pooled": 0}
    for trial in range(200):
        runs = [random.normal(random.normal(), 0.01, 20) for _ in range(8)]
        low, high = st.percentile_interval(st.resampled_medians(runs, 300, seed=trial))
        covered["two levels"] += low <= 0.0 <= high
        _, low, high = st.median_interval(np.concatenate(runs))
        covered["pooled"] += low <= 0.0 <= high
    assert covered["two levels"] > 180 > 120 > covered["pooled"]


def test_resampling_takes_runs_of_different_lengths():
    medians = st.resampled_medians([np.full(3, 1.0), np.full(5, 2.0)], 50)
    assert set(medians) <= {1.0, 1.5, 2.0} and len(set(medians)) > 1


def test_a_median_over_one_run_is_that_of_its_epochs():
    one = st.median_over_runs([np.arange(1.0, 11.0)])
    assert (one.value, one.low, one.high, one.of) == (5.5, 2.0, 9.0, "95%")


def test_few_values_give_their_range_and_say_so():
    assert st.spread([3.0, 1.0, 2.0]) == st.Estimate(2.0, 1.0, 3.0, "range", 3)
    assert st.spread([float("nan")]).n == 0


def test_kaplan_meier_agrees_with_a_textbook():
    # Kleinbaum & Klein, Survival Analysis, chapter 2: remission of 21 treated patients, weeks; + is censored.
    weeks = [6, 6, 6, 7, 10, 13, 16, 22, 23, 6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35]
    curve = st.kaplan_meier(weeks, [True] * 9 + [False] * 12)
    assert list(curve.time) == [0, 6, 7, 10, 13, 16, 22, 23]
    assert curve.still_open == pytest.approx([1, 0.8571, 0.8067, 0.7529, 0.6902, 0.6275, 0.5378, 0.4482], abs=1e-4)
    assert np.all(curve.low <= curve.still_open) and np.all(curve.still_open <= curve.high)


def test_runs_that_never_get_there_are_not_dropped():
    curve = st.kaplan_meier([1.0, 2.0, 5.0, 5.0], [True, True, False, False])
    assert curve.still_open[-1] == 0.5 and curve.reached == 2 and curve.runs == 4
    assert curve.time_until(0.5) == 2.0 and np.isinf(curve.time_until(0.75))


def test_the_last_run_that_is_watched_does_not_speak_for_all():
    # Two of three are censored before the third arrives: without the limit the curve would jump to "all have arrived".
    assert st.kaplan_meier([1.0, 2.0, 9.0], [False, False, True]).still_open[-1] == 0.0
    limited = st.kaplan_meier([1.0, 2.0, 9.0], [False, False, True], least_watched=0.5)
    assert limited.still_open[-1] == 1.0 and limited.watched_until == 2.0 and limited.reached == 1


def test_effect_sizes_and_tests_have_their_extremes():
    low, high = np.arange(10.0), np.arange(10.0) + 100
    assert st.cliffs_delta(low, high) == 1.0 and st.cliffs_delta(high, low) == -1.0 and st.cliffs_delta(low, low) == 0.0
    assert (
        st.mann_whitney(low, high) < 1e-3 and st.mann_whitney(low, low) > 0.9 and st.mann_whitney(np.ones(5), np.ones(5)) == 1.0
    )


def test_holm_adjusts_as_in_its_definition():
    assert st.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
