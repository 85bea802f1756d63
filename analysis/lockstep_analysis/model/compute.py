# SPDX-License-Identifier: BSD-3-Clause
"""The time of a training step's matrix products from their measured times by shape."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from lockstep_analysis.errors import AnalysisError
from lockstep_analysis.model.benchmarks import Benchmarks, Shape
from lockstep_analysis.runs import Run

INPUTS = {"mnist": 784, "fashion_mnist": 784, "synthetic": 784}


def linear_layers(run: Run) -> list[tuple[int, int]]:
    """(inputs, outputs) of each fully connected layer. Raises AnalysisError for a model with other ones that have parameters."""
    width = INPUTS.get(str(run.config.get("dataset")), 784)
    layers: list[tuple[int, int]] = []
    for layer in run.model.get("layers", []):
        if layer["type"] == "linear":
            layers.append((width, int(layer["units"])))
            width = int(layer["units"])
        elif any(part in layer["type"] for part in ("conv", "pool", "norm")) or "inputs" in layer:
            raise AnalysisError(f"the performance model knows fully connected layers, not {layer['type']}")
    return layers


class Products:
    """Seconds of products by shape, of one backend."""

    def __init__(self, bench: Benchmarks, backend: str) -> None:
        self.backend = backend if backend in bench.gemm_s else "auto"
        if self.backend not in bench.gemm_s:
            raise AnalysisError(f"gemm_bench.json has no backend {backend}; there are: {', '.join(sorted(bench.gemm_s))}")
        self.times = bench.gemm_s[self.backend]

    def seconds(self, shape: Shape) -> float:
        """Between measured sizes of the dimension that is the batch, the time is interpolated; below the smallest it is the line
        through the two smallest (a start-up time and a time a row: Hockney's half-performance length); a layer that was not
        measured runs at the rate of the measured product with the nearest number of operations."""
        ops, m, n, k = shape
        along = [
            (s[3] if ops == "TN" else s[1], t)
            for s, t in self.times.items()
            if s[0] == ops and s[2] == n and (s[1] == m if ops == "TN" else s[3] == k)
        ]
        size = k if ops == "TN" else m
        if len(along) < 2:
            return self.by_rate(shape)
        sizes, times = (np.array(v) for v in zip(*sorted(along)))
        if size < sizes[0]:
            slope = max((times[1] - times[0]) / (sizes[1] - sizes[0]), 0.0)
            return float(max(times[0] - slope * (sizes[0] - size), times[0] * size / sizes[0]))
        if size > sizes[-1]:
            return float(times[-1] * size / sizes[-1])
        return float(np.interp(size, sizes, times))

    def by_rate(self, shape: Shape) -> float:
        flop = 2.0 * shape[1] * shape[2] * shape[3]
        nearest = min((s for s in self.times if s[0] == shape[0]), key=lambda s: abs(np.log(2.0 * s[1] * s[2] * s[3] / flop)))
        return self.times[nearest] * flop / (2.0 * nearest[1] * nearest[2] * nearest[3])


@dataclass
class Division:
    """What of a step ranks that share parameters divide by parameters instead of by samples (nn::Model::divide in src/nn/)."""

    batch: int
    ranks: int
    gradients: list[bool]  # of each layer
    forward: bool  # of the first layer


def divide(layers: list[tuple[int, int]], batch: int, ranks: int) -> Division:
    """Whatever sends fewer floats: a layer's activations and their gradients or its parameters' gradients; contributions to the
    first layer's outputs, written and read, or its parameters."""
    own = math.ceil(batch / ranks)
    count = [(n_in + 1) * n_out for n_in, n_out in layers]
    gradients = [own * ((n_in if i else 0) + n_out) <= count[i] for i, (n_in, n_out) in enumerate(layers)]
    return Division(batch, ranks, gradients, gradients[0] and ranks > 1 and 2 * batch * layers[0][1] < count[0])


def step_products(layers: list[tuple[int, int]], products: Products, local: float, division: Division | None = None) -> float:
    """Seconds of the products of one step with `local` samples a rank; of what is divided a rank computes its part for all
    samples. The first layer has no input gradient."""
    rows = max(int(np.ceil(local)), 1)
    total = 0.0
    for i, (n_in, n_out) in enumerate(layers):
        if division and division.forward and i == 0:
            total += products.seconds(("NN", division.batch, n_out, n_in)) / division.ranks
        else:
            total += products.seconds(("NN", rows, n_out, n_in))
        if division and division.gradients[i]:
            total += products.seconds(("TN", n_in, n_out, division.batch)) / division.ranks
        else:
            total += products.seconds(("TN", n_in, n_out, rows))
        if i > 0:
            total += products.seconds(("NT", rows, n_in, n_out))
    return total


def parameter_count(run: Run, layers: list[tuple[int, int]]) -> int:
    return int(run.provenance.get("parameter_count") or sum(n_in * n_out + n_out for n_in, n_out in layers))


def describe(bench: Benchmarks, products: Products, layers: list[tuple[int, int]], batch: int) -> dict[str, Any]:
    flop = sum(2.0 * batch * i * o * (3 if index else 2) for index, (i, o) in enumerate(layers))
    return {"backend": products.backend, "GFLOP/s": flop / step_products(layers, products, batch) / 1e9}
