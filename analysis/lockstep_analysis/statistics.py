# SPDX-License-Identifier: BSD-3-Clause
"""Medians and their uncertainty."""

import numpy as np


def binomial_cdf_half(n):
    """P(X <= k) for X ~ Binomial(n, 1/2), k = 0 .. n."""
    log_choose = np.concatenate([[0.0], np.cumsum(np.log((n - np.arange(n)) / (np.arange(n) + 1.0)))])
    return np.cumsum(np.exp(log_choose - n * np.log(2.0)))


def median_interval(values, confidence=0.95):
    """(median, low, high): the distribution-free interval between order statistics that covers the median with at
    least this confidence (Hoefler & Belli, SC15, section 3.1.3); low and high are NaN with fewer than 6 values."""
    ordered = np.sort(np.asarray(values, dtype=float))
    median = float(np.median(ordered))
    cdf = binomial_cdf_half(len(ordered))
    # With values counted from 0, [x_k, x_(n-1-k)] covers with probability 1 - 2 P(X <= k): the largest such k.
    enough = np.flatnonzero(cdf <= (1.0 - confidence) / 2.0)
    if len(enough) == 0:
        return median, float("nan"), float("nan")
    k = int(enough[-1])
    return median, float(ordered[k]), float(ordered[len(ordered) - 1 - k])
