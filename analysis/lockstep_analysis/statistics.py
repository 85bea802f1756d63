# SPDX-License-Identifier: BSD-3-Clause
"""Medians and their uncertainty, ratios of medians, survival curves, and tests of a difference.

Nothing here assumes that times are normally distributed: they are not (they have a floor and a long tail)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Sequence

import numpy as np

CONFIDENCE = 0.95
RESAMPLES = 1000
NAN = float("nan")


def binomial_cdf_half(n: int) -> np.ndarray:
    """P(X <= k) for X ~ Binomial(n, 1/2), k = 0 .. n."""
    log_choose = np.concatenate([[0.0], np.cumsum(np.log((n - np.arange(n)) / (np.arange(n) + 1.0)))])
    return np.cumsum(np.exp(log_choose - n * np.log(2.0)))


def median_interval(values: Sequence[float] | np.ndarray, confidence: float = CONFIDENCE) -> tuple[float, float, float]:
    """(median, low, high): the distribution-free interval between order statistics that covers the median with at
    least this confidence (Hoefler & Belli, SC15, section 3.1.3); low and high are NaN with fewer than 6 values."""
    ordered = np.sort(np.asarray(values, dtype=float))
    median = float(np.median(ordered))
    cdf = binomial_cdf_half(len(ordered))
    # With values counted from 0, [x_k, x_(n-1-k)] covers with probability 1 - 2 P(X <= k): the largest such k.
    enough = np.flatnonzero(cdf <= (1.0 - confidence) / 2.0)
    if len(enough) == 0:
        return median, NAN, NAN
    k = int(enough[-1])
    return median, float(ordered[k]), float(ordered[len(ordered) - 1 - k])


@dataclass(frozen=True)
class Estimate:
    """A value with its interval; `of` says what the interval is: "95%", or "range" where too few values allow no more."""

    value: float
    low: float = NAN
    high: float = NAN
    of: str = ""
    n: int = 1

    @property
    def half_width(self) -> float:
        """Half the interval over the value; NaN without an interval."""
        return (self.high - self.low) / 2.0 / self.value if self.value else NAN


def resampled_medians(groups: Sequence[np.ndarray], resamples: int = RESAMPLES, seed: int = 1) -> np.ndarray:
    """Medians of resamples in two levels: runs with replacement, then epochs with replacement within each of them (Davison &
    Hinkley, Bootstrap Methods and their Application, 1997, section 3.8). Epochs of one run resemble each other, so treating
    all epochs as independent would make intervals too narrow. One group is resampled on its own level alone."""
    random = np.random.default_rng(seed)
    sizes = {len(g) for g in groups}
    if len(sizes) == 1:
        values, n_epochs, n_runs = np.stack(groups), sizes.pop(), len(groups)
        runs = random.integers(n_runs, size=(resamples, n_runs, 1))
        epochs = random.integers(n_epochs, size=(resamples, n_runs, n_epochs))
        return np.median(values[runs, epochs].reshape(resamples, -1), axis=1)
    medians = np.empty(resamples)
    for i in range(resamples):
        chosen = random.integers(len(groups), size=len(groups))
        medians[i] = np.median(np.concatenate([random.choice(groups[g], len(groups[g])) for g in chosen]))
    return medians


def percentile_interval(values: np.ndarray, confidence: float = CONFIDENCE) -> tuple[float, float]:
    tail = 50.0 * (1.0 - confidence)
    low, high = np.percentile(values, [tail, 100.0 - tail])
    return float(low), float(high)


def median_over_runs(groups: Sequence[np.ndarray], resampled: np.ndarray | None = None) -> Estimate:
    """Median of all epochs of all runs. Several runs: two-level bootstrap interval; one run: order statistics of its epochs."""
    pooled = np.concatenate(groups)
    if len(groups) == 1:
        median, low, high = median_interval(pooled)
        return Estimate(median, low, high, "" if np.isnan(low) else "95%", len(pooled))
    low, high = percentile_interval(resampled_medians(groups) if resampled is None else resampled)
    return Estimate(float(np.median(pooled)), low, high, "95%", len(pooled))


def spread(values: Sequence[float] | np.ndarray) -> Estimate:
    """Median with its 95% interval between order statistics, or with the range of fewer than 6 values."""
    given = np.asarray(values, dtype=float)
    given = given[~np.isnan(given)]
    if len(given) == 0:
        return Estimate(NAN, n=0)
    median, low, high = median_interval(given)
    if np.isnan(low):
        return Estimate(median, float(given.min()), float(given.max()), "range" if len(given) > 1 else "", len(given))
    return Estimate(median, low, high, "95%", len(given))


@dataclass(frozen=True)
class Survival:
    """A Kaplan-Meier curve: after time[i] the share still_open[i] of the runs has not reached the goal."""

    time: np.ndarray
    still_open: np.ndarray
    low: np.ndarray
    high: np.ndarray
    runs: int
    reached: int
    watched_until: float  # from here on fewer than half of the runs are still watched: the curve says nothing more

    def time_until(self, share: float) -> float:
        """When this share of the runs has reached the goal; infinite where that is never seen."""
        there = np.flatnonzero(self.still_open <= 1.0 - share + 1e-12)
        return float(self.time[there[0]]) if len(there) else float("inf")


def kaplan_meier(times: Sequence[float], reached: Sequence[bool], least_watched: float = 0.0) -> Survival:
    """Product-limit estimate (Kaplan & Meier 1958) with Greenwood's variance on the log-log scale, which keeps the interval
    within 0 .. 1. `times` are when the goal was reached or, where `reached` is false, how long the run was watched: then it is
    censored, not dropped. Where less than the share `least_watched` of all runs has not been censored, the curve ends: the last
    run that is watched would speak for all."""
    order = np.argsort(times, kind="stable")
    time, event = np.asarray(times, dtype=float)[order], np.asarray(reached, dtype=bool)[order]
    at, open_, low, high = [0.0], [1.0], [1.0], [1.0]
    share, greenwood, until = 1.0, 0.0, float(time[-1])
    for t in np.unique(time):
        at_risk, events, censored = int((time >= t).sum()), int((event & (time == t)).sum()), int((~event & (time < t)).sum())
        if len(time) - censored < least_watched * len(time):
            until = float(time[~event & (time < t)].max())
            break
        if events == 0:
            continue
        share *= 1.0 - events / at_risk
        greenwood += events / (at_risk * (at_risk - events)) if at_risk > events else NAN
        at.append(float(t))
        open_.append(share)
        bounds = log_log_bounds(share, greenwood)
        low.append(bounds[0])
        high.append(bounds[1])
    return Survival(np.array(at), np.array(open_), np.array(low), np.array(high), len(time), int(event.sum()), until)


def log_log_bounds(share: float, greenwood: float) -> tuple[float, float]:
    if not 0.0 < share < 1.0 or np.isnan(greenwood):
        return share, share
    theta = 1.96 * np.sqrt(greenwood) / np.log(share)
    return float(share ** np.exp(-theta)), float(share ** np.exp(theta))


def mann_whitney(a: np.ndarray, b: np.ndarray) -> float:
    """Two-sided p of the Mann-Whitney U test; 1 where it cannot differ."""
    from scipy.stats import mannwhitneyu

    if len(a) == 0 or len(b) == 0 or (np.ptp(np.concatenate([a, b])) == 0.0):
        return 1.0
    return float(mannwhitneyu(a, b, alternative="two-sided").pvalue)


def cliffs_delta(a: np.ndarray, b: np.ndarray) -> float:
    """P(b > a) - P(b < a), -1 .. 1: how far two samples are apart (Cliff 1993). 0.15 is small, 0.33 medium, 0.47 large
    (Romano et al. 2006)."""
    return float(np.sign(np.subtract.outer(b, a)).mean())


def holm(p_values: Sequence[float]) -> np.ndarray:
    """p-values adjusted for their number (Holm 1979): the chance of any false alarm stays below the level."""
    p = np.asarray(p_values, dtype=float)
    order = np.argsort(p)
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(p[order] * (len(p) - np.arange(len(p)))))
    return adjusted
