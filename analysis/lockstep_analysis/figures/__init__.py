# SPDX-License-Identifier: BSD-3-Clause
"""The figures that can be drawn: one row each. A figure takes the points of one problem and the user's options."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable

from lockstep_analysis.chart import Figure
from lockstep_analysis.figures import distribution, exchange, learning, prediction, scaling, time_use
from lockstep_analysis.figures.common import Options
from lockstep_analysis.points import Point


@dataclass(frozen=True)
class Row:
    name: str
    help: str
    build: Callable[[list[Point], Options], Figure]


FIGURES = {
    row.name: row
    for row in (
        Row("strong_scaling", "time, speed-up and efficiency over the ranks, the same work", scaling.strong),
        Row("weak_scaling", "time and efficiency over the ranks, as much work a rank", scaling.weak),
        Row("time_to_accuracy", "share of the runs that have reached an accuracy, over time", learning.time_to_accuracy),
        Row("accuracy_over_time", "accuracy over the training clock", learning.over_time),
        Row("learning", "accuracy and loss over epochs", learning.over_epochs),
        Row("accuracy_over_ranks", "final accuracy over the ranks", learning.over_ranks),
        Row("phases", "where the time of an epoch goes", time_use.phases),
        Row("bytes", "bytes moved beside the bound", time_use.sent_bytes),
        Row("exchange", "drift, gamma and averages over epochs", exchange.drift),
        Row("model", "the performance model beside the measurement", prediction.model_beside_measurement),
        Row("outlook", "the model's prediction for a described cluster", prediction.outlook),
        Row("race_outlook", "the time to an accuracy that it predicts for a described cluster", prediction.race_outlook),
        Row("epoch_times", "every single epoch time", distribution.epoch_times),
    )
}
