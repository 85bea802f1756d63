# SPDX-License-Identifier: BSD-3-Clause
"""What is compared: trainings, who does them, and which of them are set against each other."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Contestant:
    name: str
    who: str  # "lockstep" or "torch"
    algorithm: str
    ranks: int


@dataclass(frozen=True)
class Comparison:
    """The time of `over` divided by that of `under`, names of contestants: above 1, `under` is faster."""

    over: str
    under: str


@dataclass(frozen=True)
class Case:
    name: str
    model: str
    batch: int
    epochs: int  # in each round; the first is not counted
    settings: tuple  # options of Lockstep beside these; PyTorch takes its settings from what Lockstep records
    contestants: tuple
    comparisons: tuple


def alone():
    return [Contestant("lockstep serial", "lockstep", "serial", 1), Contestant("torch", "torch", "serial", 1)]


def together(ranks):
    return [Contestant("lockstep parallel_sgd", "lockstep", "parallel_sgd", ranks),
            Contestant("lockstep param_avg", "lockstep", "param_avg", ranks),
            Contestant("torch DDP", "torch", "parallel_sgd", ranks)]


def all_cases(ranks):
    one = (Comparison("torch", "lockstep serial"),)
    many = (*one, Comparison("torch DDP", "lockstep parallel_sgd"), Comparison("lockstep serial", "lockstep parallel_sgd"),
            Comparison("lockstep serial", "lockstep param_avg"), Comparison("torch", "torch DDP"))
    # The recipe's rate is for a gradient that is summed over 64 samples; over 512 the training would not learn with it.
    rate_512 = ("--learning-rate", "0.00125")
    return [Case("model_a/64", "model_a", 64, 3, (), (*alone(), *together(ranks)), many),
            Case("model_a/512", "model_a", 512, 3, rate_512, (*alone(), *together(ranks)), many),
            Case("model_a_large/64", "model_a_large", 64, 2, (), tuple(alone()), one),
            Case("lenet5/64", "lenet5", 64, 2, (), tuple(alone()), one)]
