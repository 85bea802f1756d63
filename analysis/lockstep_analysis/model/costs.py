# SPDX-License-Identifier: BSD-3-Clause
"""Cost models of allreduces, and the fit of their constants.

With p ranks and n bytes, alpha seconds of latency a message, beta seconds a byte sent, gamma seconds a byte reduced (Thakur,
Rabenseifner & Gropp 2005; Patarasuk & Yuan 2009; Chan et al. 2007):

    recursive doubling     lg p (alpha + n beta + n gamma), 2 steps more where p is no power of two
    ring                   2(p-1) alpha + 2(p-1)/p n beta + (p-1)/p n gamma
    Rabenseifner           2 lg p alpha + 2(p-1)/p n beta + (p-1)/p n gamma
    through shared memory  2 alpha + n beta + 2(p-1)/p n gamma   (a wait or two; copy in; read what the others wrote)

Nobody needs fewer than ceil(lg p) alpha, and 2(p-1)/p n beta."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Callable

import numpy as np

from lockstep_analysis.errors import AnalysisError

Terms = tuple[float, float, float]  # what alpha, beta and gamma are multiplied by


def recursive_doubling(p: int, n: float) -> Terms:
    steps = math.floor(math.log2(p)) + (0 if is_power_of_two(p) else 2)
    return steps, steps * n, steps * n


def ring(p: int, n: float) -> Terms:
    return 2 * (p - 1), 2 * (p - 1) / p * n, (p - 1) / p * n


def rabenseifner(p: int, n: float) -> Terms:
    steps = 2 * math.floor(math.log2(p)) + (0 if is_power_of_two(p) else 2)
    return steps, 2 * (p - 1) / p * n, (p - 1) / p * n


def shared_memory(p: int, n: float) -> Terms:
    return 2.0, n, 2 * (p - 1) / p * n


def is_power_of_two(p: int) -> bool:
    return p & (p - 1) == 0


# `mpi` is the library's own: Open MPI's tuned module takes Rabenseifner's for hundreds of kilobytes.
FORMULAS: dict[str, Callable[[int, float], Terms]] = {
    "recursive_doubling": recursive_doubling,
    "ring": ring,
    "rabenseifner": rabenseifner,
    "mpi": rabenseifner,
    "shared_memory": shared_memory,
    "hierarchical": shared_memory,
}


@dataclass(frozen=True)
class Constants:
    """alpha s, beta s/byte, gamma s/byte, and how well they describe what was measured."""

    alpha: float
    beta: float
    gamma: float
    residual: float = 0.0  # median of |predicted / measured - 1|
    points: int = 0

    def seconds(self, formula: Callable[[int, float], Terms], p: int, n: float) -> float:
        if p < 2:
            return 0.0
        a, b, c = formula(p, n)
        return a * self.alpha + b * self.beta + c * self.gamma


def fit(rows: dict[str, dict[int, float]], p: int, longest: int = 16 << 20) -> Constants:
    """Constants of one machine from rows at several lengths, by non-negative least squares of relative errors. One row alone
    cannot tell beta from gamma at a single p, as both grow with n alike: rows of different formulas can. Arrays longer than
    `longest` are memory's business, not the exchange's."""
    from scipy.optimize import nnls

    terms, times = [], []
    for name, measured in rows.items():
        for n, seconds in measured.items():
            if name in FORMULAS and n <= longest:
                terms.append(np.array(FORMULAS[name](p, n)) / seconds)
                times.append(1.0)
    if p < 2 or len(terms) < 3:
        raise AnalysisError(
            f"the allreduce benchmark ran on {p} rank{'s' * (p != 1)} with {len(terms)} usable times: nothing to fit",
            "make bench BENCHES=allreduce_bench on two cores or more",
        )
    design = np.array(terms)
    scale = np.where(design.max(axis=0) > 0, design.max(axis=0), 1.0)
    solved, _ = nnls(design / scale, np.array(times))
    alpha, beta, gamma = solved / scale
    return Constants(alpha, beta, gamma, float(np.median(np.abs(design @ (solved / scale) - 1.0))), len(times))


def fit_each(rows: dict[str, dict[int, float]], p: int) -> dict[str, Constants]:
    """Each row for itself: alpha and beta are the row's own, gamma is what the rows of different formulas agree on."""
    message_passing = {name: rows[name] for name in ("ring", "recursive_doubling", "rabenseifner") if name in rows}
    gamma = fit(message_passing, p).gamma if len(message_passing) > 1 else 0.0
    found = {}
    for name in rows:
        if name in FORMULAS:
            found[name] = fit_given_gamma(rows[name], FORMULAS[name], p, gamma if name != "shared_memory" else 0.0)
    return found


def fit_given_gamma(row: dict[int, float], formula: Callable[[int, float], Terms], p: int, gamma: float) -> Constants:
    from scipy.optimize import nnls

    lengths = [n for n in row if n <= 16 << 20]
    terms = np.array([formula(p, n) for n in lengths])
    times = np.array([row[n] for n in lengths])
    rest = np.maximum(times - gamma * terms[:, 2], 0.1 * times)
    design = terms[:, :2] / times[:, None]
    scale = design.max(axis=0)
    solved, _ = nnls(design / scale, rest / times)
    alpha, beta = solved / scale
    predicted = terms[:, 0] * alpha + terms[:, 1] * beta + terms[:, 2] * gamma
    return Constants(float(alpha), float(beta), gamma, float(np.median(np.abs(predicted / times - 1.0))), len(lengths))


def interpolate(measured: dict[int, float], n: float) -> float:
    """Seconds at n bytes between measured lengths, on logarithmic scales; beyond them by the last slope."""
    lengths = np.array(sorted(measured), dtype=float)
    times = np.array([measured[int(x)] for x in lengths])
    if n >= lengths[-1]:
        return float(times[-1] * n / lengths[-1])
    return float(np.exp(np.interp(np.log(max(n, lengths[0])), np.log(lengths), np.log(times))))
