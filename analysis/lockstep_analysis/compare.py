# SPDX-License-Identifier: BSD-3-Clause
"""What changed between two sweeps, or between a stored reference and a sweep: by how much, and is it significant?"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lockstep_analysis.errors import AnalysisError
from lockstep_analysis.plain import read_json
from lockstep_analysis.points import Point, by_problem, group_points, label, ranks_text, varying
from lockstep_analysis.runs import as_text, load_runs
from lockstep_analysis.statistics import cliffs_delta, holm, mann_whitney, percentile_interval, resampled_medians
from lockstep_analysis.tables import layout

ALPHA = 0.05
REFERENCE = "lockstep reference"
CONTEXT = (
    "cpu_model",
    "hostname",
    "governor",
    "boost",
    "git_sha",
    "compiler",
    "compiler_flags",
    "mpi_library",
    "blas_library",
    "dataset_sha256",
)


@dataclass
class Measured:
    """One point of one side."""

    name: str
    settings: dict[str, Any]
    epoch_s: list[np.ndarray]  # one array a run
    accuracy: list[float]


@dataclass
class Side:
    """One side of a comparison: a folder, or a reference."""

    name: str
    points: list[Measured]
    context: dict[str, list[str]]


@dataclass
class Change:
    """What became of a point."""

    name: str
    base_s: float
    new_s: float
    ratio: float
    low: float
    high: float
    p: float
    delta: float  # Cliff's
    epochs: tuple[int, int]
    runs: tuple[int, int]
    base_accuracy: float
    new_accuracy: float
    adjusted_p: float = 1.0

    @property
    def verdict(self) -> str:
        if self.adjusted_p >= ALPHA:
            return "no change seen"
        return "faster" if self.ratio < 1.0 else "slower"

    def is_slower_by(self, share: float) -> bool:
        """Significantly slower, and by more than this share."""
        return self.verdict == "slower" and self.ratio > 1.0 + share


def measured(points: list[Point]) -> list[Measured]:
    keys = varying(points)
    problems = by_problem(points)
    found = []
    for p in points:
        name = label(p, keys) + ("" if "ranks" in keys and p.algorithm != "serial" else f", {ranks_text(p.ranks)}")
        found.append(
            Measured(
                name if len(problems) == 1 else f"{p.problem}: {name}",
                json.loads(p.key),
                p.epoch_groups,
                [r.final_accuracy for r in p.runs],
            )
        )
    return found


def read_side(path: Path, where: dict[str, str]) -> tuple[Side, list[tuple[Path, str]]]:
    """A side and what was left out of it."""
    if path.is_file() and path.suffix == ".json":
        return read_reference(path), []
    runs, left_out = load_runs([path], where)
    context = {key: sorted({as_text(r.provenance[key]) for r in runs if key in r.provenance}) for key in CONTEXT}
    return Side(str(path), measured(group_points(runs)), context), left_out


def read_reference(path: Path) -> Side:
    hint = "lockstep-analysis compare --save FILE.json FOLDER writes one"
    try:
        given = read_json(path)
        if given.get("kind") != REFERENCE:
            raise ValueError
        points = [
            Measured(
                p["name"],
                p["settings"],
                [np.array(g, dtype=float) for g in p["epoch_s"]],
                [float("nan") if a is None else float(a) for a in p["accuracy"]],
            )
            for p in given["points"]
        ]
        if any(not p.epoch_s or any(len(g) == 0 for g in p.epoch_s) for p in points):
            raise ValueError
    except AnalysisError as error:
        raise AnalysisError(f"{path} is no reference: {error.what}", hint) from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise AnalysisError(f"{path} is no reference", hint) from None
    return Side(str(path), points, given.get("context", {}))


def save_reference(side: Side, path: Path) -> None:
    points = [
        {
            "name": p.name,
            "settings": p.settings,
            "epoch_s": [g.tolist() for g in p.epoch_s],
            "accuracy": [None if np.isnan(a) else a for a in p.accuracy],
        }
        for p in side.points
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        json.dumps({"kind": REFERENCE, "from": side.name, "context": side.context, "points": points}, indent=1) + "\n"
    )


def match(base: Side, new: Side) -> tuple[list[tuple[Measured, Measured]], list[Measured], list[Measured]]:
    """(pairs, only in the base, only in the new one). Options that only one side knows, because it was made by another version,
    are no difference."""
    pairs, lost, rest = [], [], list(new.points)
    for b in base.points:
        fits = [n for n in rest if all(n.settings[k] == v for k, v in b.settings.items() if k in n.settings)]
        fits = [n for n in fits if n.settings == b.settings] or fits
        if len(fits) == 1:
            pairs.append((b, fits[0]))
            rest.remove(fits[0])
        else:
            lost.append(b)
    return pairs, lost, rest


def changes(pairs: list[tuple[Measured, Measured]]) -> list[Change]:
    found = []
    for b, n in pairs:
        base, new = np.concatenate(b.epoch_s), np.concatenate(n.epoch_s)
        low, high = percentile_interval(resampled_medians(n.epoch_s, seed=2) / resampled_medians(b.epoch_s, seed=1))
        found.append(
            Change(
                n.name,
                float(np.median(base)),
                float(np.median(new)),
                float(np.median(new) / np.median(base)),
                low,
                high,
                mann_whitney(base, new),
                cliffs_delta(base, new),
                (len(base), len(new)),
                (len(b.epoch_s), len(n.epoch_s)),
                float(np.median(b.accuracy)),
                float(np.median(n.accuracy)),
            )
        )
    for change, p in zip(found, holm([c.p for c in found])):
        change.adjusted_p = float(p)
    return found


def compare(base: Side, new: Side, partial: bool = False) -> tuple[list[Change], list[str]]:
    """(changes, notes). Raises AnalysisError when the sides have nothing in common or, unless `partial`, not the same points."""
    pairs, lost, added = match(base, new)
    if not pairs:
        raise AnalysisError(
            f"{base.name} and {new.name} have no point in common: {why_apart(base, new)}",
            "compare sweeps of one specification: the same model, data, batch rule and options",
        )

    def names(points: list[Measured]) -> str:
        return "; ".join(p.name for p in points[:5]) + (f" and {len(points) - 5} more" if len(points) > 5 else "")

    notes = [f"only in the base: {names(lost)}"] * bool(lost) + [f"only in the new one: {names(added)}"] * bool(added)
    if notes and not partial:
        raise AnalysisError(
            "the two do not have the same points:\n  " + "\n  ".join(notes),
            "make the missing runs, save a new reference (compare --save), or compare what both have with --partial",
        )
    for key in CONTEXT:
        before, after = base.context.get(key, []), new.context.get(key, [])
        if before != after:
            notes.append(f"{key} differs: {', '.join(before) or 'unknown'} -> {', '.join(after) or 'unknown'}")
    return changes(pairs), notes


def why_apart(base: Side, new: Side) -> str:
    """The keys in which no point of one side equals any of the other."""
    keys = sorted({k for p in (*base.points, *new.points) for k in p.settings})
    apart = []
    for key in keys:
        values = [{as_text(p.settings.get(key)) for p in side.points if key in p.settings} for side in (base, new)]
        if values[0] and values[1] and not values[0] & values[1]:
            apart.append(f"{key} {', '.join(sorted(values[0]))} there, {', '.join(sorted(values[1]))} here")
    return "; ".join(apart[:4]) or "their points are different combinations of options"


def effect(delta: float) -> str:
    size = abs(delta)
    return "negligible" if size < 0.147 else "small" if size < 0.33 else "medium" if size < 0.474 else "large"


def to_text(found: list[Change], notes: list[str]) -> str:
    rows = [["point", "base s", "new s", "change", "95% interval", "p (Holm)", "effect (Cliff)", "accuracy %", "verdict"]]
    for c in sorted(found, key=lambda c: -c.ratio):
        rows.append(
            [
                c.name,
                f"{c.base_s:.4g}",
                f"{c.new_s:.4g}",
                f"{100 * (c.ratio - 1):+.1f}%",
                f"{100 * (c.low - 1):+.1f}% .. {100 * (c.high - 1):+.1f}%",
                f"{c.adjusted_p:.2g}",
                f"{c.delta:+.2f} {effect(c.delta)}",
                f"{100 * c.base_accuracy:.2f} -> {100 * c.new_accuracy:.2f}",
                c.verdict,
            ]
        )
    counts = Counter(c.verdict for c in found)
    lines = layout(rows) + [
        "",
        ", ".join(f"{counts[v]} {v}" for v in ("faster", "slower", "no change seen") if counts[v])
        + f" (medians of epoch times; Mann-Whitney U on all epochs, adjusted by Holm for {len(found)} points, level {ALPHA})",
    ]
    few = min(min(c.runs) for c in found)
    if few < 3:
        lines.append(
            f"WARNING: {few} run{'s' * (few != 1)} a point on a side: epochs of one run resemble each other, and the test takes"
            " them for independent"
        )
    return "\n".join([*lines, *(f"NOTE: {note}" for note in notes)])
