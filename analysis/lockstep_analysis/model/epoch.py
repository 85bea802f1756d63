# SPDX-License-Identifier: BSD-3-Clause
"""Predicts the time of an epoch of each algorithm on N ranks.

    epoch = steps * (c * products + exchange a step) + averages * exchange of an average

`products` are the matrix products of a step from gemm_bench, each timed over and over, its operands in the caches. `c` is what a
step costs over them: the rest of its work (batches, element-wise work, update), and what products lose when they take turns. It
comes from the serial runs of the same folder, which took turns with the others so that whatever the machine did hit both, or
else from epoch_bench's serial epochs. The exchange is an allreduce of the measured or fitted cost. Waiting for stragglers is not
in the model: it is in the residual."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from lockstep_analysis.model import costs
from lockstep_analysis.model.benchmarks import Benchmarks
from lockstep_analysis.model.cluster import Cluster
from lockstep_analysis.model.compute import Division, Products, divide, linear_layers, parameter_count, step_products
from lockstep_analysis.points import Point

WIRE = {"bf16": 0.5}  # bytes on the wire over those of floats

@dataclass
class Prediction:
    compute_s: float
    exchange_s: float

    @property
    def epoch_s(self) -> float:
        return self.compute_s + self.exchange_s


@dataclass
class EpochModel:
    """The model of one machine; `for_cluster` continues it."""

    bench: Benchmarks
    overhead: dict[tuple[str, str], dict[int, float]] = field(default_factory=dict)  # (problem, backend) -> batch size -> c
    gather_s: dict[str, dict[int, float]] = field(default_factory=dict)  # problem -> batch size -> seconds a sample, to make it
    overhead_from: str = ""

    def __post_init__(self) -> None:
        self.rows = costs.fit_each(self.bench.allreduce_s, self.bench.allreduce_ranks)
        self.memory = self.rows.get("shared_memory") or next(iter(self.rows.values()))

    def calibrate(self, points: list[Point]) -> None:
        """Takes `c`, and the time to make a batch, from the serial runs among these."""
        for p in points:
            if p.algorithm == "serial":
                layers, products = linear_layers(p.first), Products(self.bench, backend_of(p))
                floor = p.samples / p.batch * step_products(layers, products, p.batch)
                self.overhead.setdefault((p.problem, backend_of(p)), {})[p.batch] = p.epoch_s.value / floor
                self.gather_s.setdefault(p.problem, {})[p.batch] = p.phases_s["data"] / p.samples
        self.overhead_from = (
            "the serial runs here, which took turns with the others"
            if self.overhead
            else (
                "the serial epochs of epoch_bench"
                if self.bench.over_floor
                else "nothing: the prediction is a lower bound, matrix products alone"
            )
        )

    def factor(self, point: Point, local: float, layers: list[tuple[int, int]], products: Products) -> float:
        """c at the nearest batch size that is known. Never below 1: an epoch costs no less than its products."""
        model, backend = str(point.config.get("model")), backend_of(point)
        steps = {b: s for (m, g, b), s in self.bench.step_s.items() if (m, g) == (model, backend)}
        known = (
            self.overhead.get((point.problem, backend))
            or {b: s / step_products(layers, products, b) for b, s in steps.items()}
            or {b: v for (_, g, b), v in self.bench.over_floor.items() if g == backend}  # another model's
        )
        return max(at_nearest(known, local, 1.0), 1.0)

    def predict(self, point: Point, ranks: int, cluster: Cluster | None = None, samples: int | None = None) -> Prediction:
        layers = linear_layers(point.first)
        products = Products(self.bench, backend_of(point))
        n_bytes = 4.0 * parameter_count(point.first, layers)
        samples = samples or point.samples
        speed = cluster.core_speed if cluster else 1.0
        if point.can("divides_batches"):
            steps, local = math.ceil(samples / point.batch), point.batch / ranks
            shares = ranks > 1 and shares_parameters(point) and not cluster
            division = divide(layers, point.batch, ranks) if shares else None
            work = step_products(layers, products, local, division)
            exchange = steps * (
                self.shared_step(point, layers, division)
                if division
                else self.allreduce(row_of(point), n_bytes * WIRE.get(point.config.get("compress"), 1.0), ranks, cluster)
            )
        else:
            local = min(point.batch, max(samples / ranks, 1.0))
            steps = math.ceil(samples / ranks / point.batch)
            work = step_products(layers, products, local)
            exchange = averages(point, steps) * self.allreduce(row_of(point), n_bytes + 4.0, ranks, cluster)
        return Prediction(steps * work * self.factor(point, local, layers, products) / speed, exchange)

    def allreduce(self, row: str, n_bytes: float, ranks: int, cluster: Cluster | None) -> float:
        """Seconds of one allreduce: as measured where it was measured on as many ranks; else from the fitted constants. On
        several nodes: reduce in the node, Rabenseifner or ring between nodes, whichever is faster, broadcast in the node."""
        if ranks < 2:
            return 0.0
        inside = min(ranks, cluster.cores_per_node) if cluster else ranks
        nodes = math.ceil(ranks / cluster.cores_per_node) if cluster else 1
        measured = self.bench.allreduce_s.get(row) or self.bench.allreduce_s.get("auto") or {}
        if cluster is None or nodes == 1:
            if ranks == self.bench.allreduce_ranks and measured:
                return costs.interpolate(measured, n_bytes)
            constants = self.rows.get(row, self.memory)
            return constants.seconds(costs.FORMULAS.get(row, costs.shared_memory), ranks, n_bytes)
        network = costs.Constants(cluster.alpha_s, cluster.beta_s_per_byte, self.memory.gamma)
        between = min(network.seconds(costs.rabenseifner, nodes, n_bytes), network.seconds(costs.ring, nodes, n_bytes))
        within = self.memory.seconds(costs.shared_memory, inside, n_bytes) if inside > 1 else 0.0
        return within + between

    def shared_step(self, point: Point, layers: list[tuple[int, int]], division: Division) -> float:
        """Exchange of `exchange = shared`: two waits; each rank reads what the others have just written (docs/algorithms.md), and
        where the first layer's gradient alone is divided, it also makes the others' inputs for its part of that."""
        ranks, others = division.ranks, (division.ranks - 1) / division.ranks
        read = 0.0  # floats
        for i, (n_in, n_out) in enumerate(layers):
            count = (n_in + 1) * n_out
            # Gradients of the outputs, and its part of the inputs, of the others' samples; or its part of their gradients.
            read += others * (division.batch * (n_out + (n_in / ranks if i else 0)) if division.gradients[i] else count)
            # What the others contribute to the outputs of its samples; or their parameters.
            read += others * (division.batch * n_out if i == 0 and division.forward else count)
        gather = 0.0
        if division.gradients[0] and not division.forward:
            gather = at_nearest(self.gather_s.get(point.problem, {}), division.batch, 0.0) * division.batch * others
        return 2.0 * self.memory.alpha + 4.0 * read * (self.memory.beta + self.memory.gamma) + gather


def is_predictable(point: Point) -> bool:
    """True where the exchanges of an epoch are known beforehand: one a step, or averages by a schedule."""
    return point.can("divides_batches") or "avg_freq" in point.config


def backend_of(point: Point) -> str:
    return str(point.config.get("gemm", "tiled"))


def at_nearest(known: dict[int, float], batch: float, otherwise: float) -> float:
    """The value at the batch size that is nearest, by its ratio."""
    return known[min(known, key=lambda b: abs(math.log(b / max(batch, 1.0))))] if known else otherwise


def shares_parameters(point: Point) -> bool:
    if "exchange" not in point.config:
        return False
    choice = point.first.provenance.get("exchange_choice", point.config["exchange"])
    return choice == "shared" or (choice == "auto" and point.config.get("allreduce", "auto") == "auto")


def row_of(point: Point) -> str:
    if point.config.get("exchange") == "zero1" or point.config.get("compress", "none") != "none":
        return "ring"  # by slices, whatever allreduce was named
    return str(point.config.get("allreduce", "auto"))


def averages(point: Point, steps: int) -> float:
    """Averages an epoch: as the options say."""
    if int(point.config.get("avg_steps", 0)) > 0:
        return math.ceil(steps / int(point.config["avg_steps"]))
    frequency = int(point.config.get("avg_freq", 1))
    return 1.0 / frequency if frequency else 1.0 / max(int(point.config.get("epochs", 1)), 1)


def rank_counts(most: int, least: int = 1) -> list[int]:
    return [int(n) for n in 2 ** np.arange(int(np.log2(least)), int(np.log2(most)) + 1)]
