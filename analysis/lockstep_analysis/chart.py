# SPDX-License-Identifier: BSD-3-Clause
"""A figure as data: what is drawn is what its table lists and what the rules are checked on. `draw` makes a picture of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Sequence

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

# How a series is drawn:
#   points   marks with intervals, and nothing between them: interpolation would mean nothing
#   line     marks that are joined: between epochs, or along a time, there is something
#   steps    a share that changes at events and stays between them
#   guide    a line that nobody measured: ideal, bound, model
#   ticks    a short level at each x: a bound
#   dots     every single value, faint
#   bars     one part of stacked bars, in order of the series; x counts the bars
STYLES = ("points", "line", "steps", "guide", "ticks", "dots", "bars")


Numbers = Any  # what numpy.asarray takes; arrays once a Series is made


@dataclass
class Series:
    label: str
    color: str
    x: Numbers
    y: Numbers
    low: Numbers | None = None
    high: Numbers | None = None
    style: str = "points"
    variant: int = 0  # of the same colour: another dash, open marks
    interval: str = ""  # what low .. high is, e.g. "95%", "range over runs"
    in_legend: bool = True
    predicted: bool = False  # by a model, and beyond what was measured
    end_label: str = ""  # written beside the last point

    def __post_init__(self) -> None:
        if self.style not in STYLES:
            raise ValueError(f"unknown style {self.style}")
        self.x, self.y = np.asarray(self.x, dtype=float), np.asarray(self.y, dtype=float)
        for name in ("low", "high"):
            if getattr(self, name) is not None:
                setattr(self, name, np.asarray(getattr(self, name), dtype=float))


@dataclass
class Panel:
    title: str
    x_label: str
    y_label: str
    series: list[Series]
    x_scale: str = "linear"  # linear, log2, log, category
    y_scale: str = "linear"
    categories: Sequence[str] = ()
    percent: bool = False
    y_from_zero: bool = False
    y_limits: tuple[float | None, float | None] = (None, None)
    h_lines: Sequence[tuple[float, str]] = ()  # (y, words)
    wide: bool = False  # takes the whole width


@dataclass
class Figure:
    """A figure: its panels, the numbers in them, and all that its caption must say."""

    name: str
    title: str
    panels: list[Panel]
    table: "pd.DataFrame"
    says: list[str] = field(default_factory=list)  # sentences of the caption: what is shown, and how it was summarised
    base: str = ""  # of speed-ups and efficiencies
    is_relative: bool = False  # shows speed-ups or efficiencies, so that a base must be named
    bound: str = ""  # which upper bound is drawn
    about: str = "time"  # time, or learning: then findings about times do not matter
    problem: str = ""
    warnings: list[str] = field(default_factory=list)  # findings of `check`
    command: str = ""

    def caption(self) -> list[str]:
        base = [f"Base of the speed-ups: {self.base}."] if self.base else []
        return [*self.says, *base]


@dataclass
class Table:
    """A table for people: a title, the numbers, and notes."""

    name: str
    title: str
    frame: "pd.DataFrame"
    says: list[str] = field(default_factory=list)
    base: str = ""
    is_relative: bool = False
    about: str = "time"  # time, or learning: then findings about times do not matter
    problem: str = ""
    warnings: list[str] = field(default_factory=list)
    command: str = ""

    def caption(self) -> list[str]:
        base = [f"Base of the speed-ups: {self.base}."] if self.base else []
        return [*self.says, *base]
