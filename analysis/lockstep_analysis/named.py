# SPDX-License-Identifier: BSD-3-Clause
"""The tables and figures of the report that the project grew out of, from our own runs, with its numbers beside ours. What each
of them is stands in named.json, what the old report says in old_report.json."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lockstep_analysis.chart import Figure, Series, Table
from lockstep_analysis.errors import AnalysisError
from lockstep_analysis.figures import FIGURES
from lockstep_analysis.figures.common import NothingToShow, Options, columns, how_summarised
from lockstep_analysis.points import Point, one_problem, varying
from lockstep_analysis.runs import as_text
from lockstep_analysis.speedup import efficiency, find_base, speed_up

HERE = Path(__file__).parent
NAMED: dict[str, dict[str, Any]] = json.loads((HERE / "named.json").read_text())
OLD: dict[str, Any] = json.loads((HERE / "old_report.json").read_text())
SHOWN_KEYS = ("batch_size", "avg_freq", "avg_steps", "lambda", "learning_rate")


def old_values(name: str) -> list[dict[str, Any]]:
    return OLD.get(name, {}).get("values", [])


def old_row(name: str, point: Point) -> dict[str, Any]:
    """What the old report says of this configuration; empty where it says nothing."""
    for row in old_values(name):
        match = row["match"]
        if all((point.ranks if k == "ranks" else point.config.get(k)) == v for k, v in match.items()):
            return row
    return {}


def notes(name: str, points: list[Point]) -> list[str]:
    """Where the old numbers are from, what is wrong with them, and which of them have no run here."""
    found = [OLD[name]["note"]] if "note" in OLD.get(name, {}) else []
    if old_values(name):
        lost = [row["match"] for row in old_values(name) if not any(old_row(name, p) is row for p in points)]
        found.append(f"Old: {OLD['source']}")
        if lost:
            told = [k for k in lost[0] if len({str(row["match"].get(k)) for row in old_values(name)}) > 1]
            names = ["  ".join(f"{k} {as_text(m[k])}" for k in told if k in m) for m in lost]
            found.append(
                f"No run here for {len(lost)} of the old report's points: "
                + "; ".join(names[:8])
                + (" …." if len(lost) > 8 else ".")
            )
    return found


def chosen(name: str, points: list[Point]) -> list[Point]:
    wanted = NAMED[name].get("algorithms")
    found = [p for p in points if wanted is None or p.algorithm in wanted]
    if not found:
        raise NothingToShow(f"{name} is about {', '.join(wanted or ())}, of which there is no run here")
    return found


def named_table(name: str, points: list[Point], options: Options) -> Table:
    build = {"speedup": speedup_table, "accuracy": accuracy_table, "epoch_time": epoch_time_table}[NAMED[name]["kind"]]
    return build(name, one_problem(points), options)


def in_words(points: list[Point]) -> str:
    return how_summarised(points, "Times: medians", "below them")


def settings(point: Point, keys: list[str]) -> dict[str, Any]:
    return {k: point.config[k] for k in SHOWN_KEYS if k in keys and k in point.config}


def beside(row: dict[str, Any], old: dict[str, Any], keys: tuple[str, ...], ours: str | None = None) -> dict[str, Any]:
    """Columns of what the old report says under these keys, and by how much our number (the column `ours`, or else the one of
    the same name) differs from the first of them."""
    found = {f"old {k}": old[k] for k in keys if k in old}
    if keys[0] in old and (ours or keys[0]) in row:
        found["difference"] = row[ours or keys[0]] - old[keys[0]]
    return found


def speedup_table(name: str, points: list[Point], options: Options) -> Table:
    shown = [p for p in chosen(name, points) if p.ranks > 1]
    rows: list[dict[str, Any]] = []
    bases: dict[str, None] = {}
    for p in shown:
        base, old = find_base(p, points, options.base), old_row(name, p)
        row = {
            "algorithm": p.algorithm,
            "ranks": p.ranks,
            **settings(p, ["batch_size", "avg_freq"]),
            "runs": len(p.runs),
            **columns("epoch s", p.epoch_s),
        }
        if base:
            bases[base.text()] = None
            row |= columns("speed-up", speed_up(p, base)) | columns("efficiency", efficiency(p, base))
        rows.append(row | beside(row, old, ("speed-up", "efficiency")))
    if not rows:
        raise NothingToShow(f"{name} needs runs on several ranks")
    says = [in_words(shown)] + ([] if bases else ["No speed-up can be stated: no serial run of this batch size is here."])
    return Table(
        name,
        NAMED[name]["title"],
        pd.DataFrame(rows),
        [*says, *notes(name, points)],
        base="; ".join(bases),
        is_relative=bool(bases),
    )


def accuracy_table(name: str, points: list[Point], options: Options) -> Table:
    shown = chosen(name, points)
    keys = [k for k in varying(shown) if k != "ranks"] or ["batch_size"]
    rows = []
    for p in shown:
        old = old_row(name, p)
        percent = {k: 100 * v for k, v in columns("accuracy %", p.accuracy).items()}
        finals = 100 * np.array([r.final_accuracy for r in p.runs])
        row = {
            "algorithm": p.algorithm,
            "ranks": p.ranks,
            **{k: None for k in SHOWN_KEYS if k in keys},  # one order of columns, also where the first point lacks one
            **settings(p, keys),
            "runs": len(p.runs),
            **percent,
            "interval is": p.accuracy.of,
            "mean": finals.mean(),
            "± (s.e.)": finals.std(ddof=1) / np.sqrt(len(finals)) if len(finals) > 1 else np.nan,
        }
        rows.append(row | beside(row, old, ("accuracy %", "±"), "mean"))
    says = [
        "Final test accuracy: median over the runs, with the 95% interval between order statistics or, below 6 runs, the range."
        " Mean and standard error beside it, as the old report gave them."
    ]
    return Table(name, NAMED[name]["title"], pd.DataFrame(rows), [*says, *notes(name, points)], about="learning")


def epoch_time_table(name: str, points: list[Point], options: Options) -> Table:
    rows = []
    shown = chosen(name, points)
    for p in shown:
        ms = {k.replace(" s", ""): 1e3 * v for k, v in columns("ms an epoch", p.epoch_s).items()}
        old = old_row(name, p)
        row = {"algorithm": p.algorithm, "batch_size": p.batch, "runs": len(p.runs), **ms}
        rows.append(row | beside(row, old, ("ms an epoch", "±")))
    return Table(name, NAMED[name]["title"], pd.DataFrame(rows), [in_words(shown), *notes(name, points)])


def named_figure(name: str, points: list[Point], options: Options) -> Figure:
    definition = NAMED[name]
    shown = chosen(name, one_problem(points))
    figure = FIGURES[definition["kind"]].build(shown, options)
    facet = definition.get("facet")
    if facet:
        figure = facetted(definition["kind"], shown, facet, options)
    if "panels" in definition:
        figure.panels = [p for p in figure.panels if p.title in definition["panels"]] or figure.panels
    figure.name, figure.title = name, definition["title"]
    figure.says += notes(name, points)
    if old_values(name) and definition["kind"] == "accuracy_over_ranks":
        add_old_marks(figure, name)
    return figure


def facetted(kind: str, points: list[Point], key: str, options: Options) -> Figure:
    """The same figure once for each value of a key, the panels of all of them together."""
    values = sorted({p.config.get(key) for p in points}, key=lambda v: (str(type(v)), v))
    parts = [(v, FIGURES[kind].build([p for p in points if p.config.get(key) == v], options)) for v in values]
    first = parts[0][1]
    if len(parts) > 1:
        first.panels = [replace(panel, title=f"{panel.title}, {key} {as_text(v)}") for v, part in parts for panel in part.panels]
        first.table = pd.concat([part.table.assign(**{key: v}) for v, part in parts], ignore_index=True)
    return first


def add_old_marks(figure: Figure, name: str) -> None:
    rows = old_values(name)
    x, y = [r["match"]["ranks"] for r in rows], [r["accuracy %"] for r in rows]
    figure.panels[0].series.append(Series("old report", "old", x, y, style="ticks"))
    extra = [
        {"series": f"old report: {r['match']['algorithm']}", "ranks": r["match"]["ranks"], "accuracy %": r["accuracy %"]}
        for r in rows
    ]
    figure.table = pd.concat([figure.table, pd.DataFrame(extra)], ignore_index=True)


def known(name: str, tables: bool) -> str:
    """The name, when it is one; raises AnalysisError with those that there are."""
    names = [n for n in NAMED if n.startswith("table") == tables] + ([] if tables else list(FIGURES))
    if name not in names:
        raise AnalysisError(f"there is no {'table' if tables else 'figure'} {name}", f"there are: {', '.join(names)}")
    return name
