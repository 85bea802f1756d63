# SPDX-License-Identifier: BSD-3-Clause
"""A picture of a trace (`train --trace`): a row a rank, coloured by phase. https://ui.perfetto.dev shows the same file at any scale."""

from __future__ import annotations

import gzip
import json
import zlib
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from lockstep_analysis.errors import AnalysisError

PHASES = ("data", "compute", "exchange", "wait", "update", "evaluate", "checkpoint")
SUFFIXES = (".png", ".svg", ".pdf")
MOST_STEPS = 8  # that a picture shows without being asked
MOST_LABELS = 40


@dataclass(frozen=True)
class Span:
    """Something that a rank did, in seconds since the trace's beginning."""

    begin_s: float
    end_s: float
    number: int = 0  # of a step, from 1
    algorithm: str = ""  # of an exchange that recorded it, with the bytes of the array that was summed
    array_bytes: int = 0


@dataclass
class Trace:
    about: dict[str, Any]
    hosts: dict[int, str] = field(default_factory=dict)  # by rank
    phases: dict[str, dict[int, list[Span]]] = field(default_factory=dict)  # phase -> rank -> spans
    steps: dict[int, list[Span]] = field(default_factory=dict)  # by rank
    averages: dict[int, list[Span]] = field(default_factory=dict)


def read_trace(path: Path) -> Trace:
    """The trace in a file that `train --trace` wrote; raises AnalysisError."""
    try:
        data = path.read_bytes()
        if data.startswith(b"\x1f\x8b"):
            data = gzip.decompress(data)
        whole = json.loads(data)
    except OSError as error:
        raise AnalysisError(f"cannot read {path}: {error.strerror or error}") from None
    except (EOFError, zlib.error, ValueError, RecursionError) as error:
        raise AnalysisError(f"{path} is no trace: {error}") from None
    try:
        return trace_of(whole)
    except (AttributeError, KeyError, TypeError, ValueError):
        raise AnalysisError(f"{path} is no trace of a training", "train --trace FILE.json writes one") from None


def trace_of(whole: dict[str, Any]) -> Trace:
    trace = Trace(whole["otherData"])
    names: dict[int, str] = {}
    places: dict[int, int] = {}  # rank -> process
    for event in whole["traceEvents"]:
        rank = int(event["tid"])
        if event["ph"] == "M":
            places[rank] = int(event["pid"])
            if event["name"] == "process_name":
                names[int(event["pid"])] = str(event["args"]["name"])
            continue
        begin_s = float(event["ts"]) / 1e6
        span = Span(begin_s, begin_s + float(event["dur"]) / 1e6)
        if event["cat"] == "phase":
            if details := event.get("args"):
                span = replace(span, algorithm=str(details["algorithm"]), array_bytes=int(details["array_bytes"]))
            trace.phases.setdefault(event["name"], {}).setdefault(rank, []).append(span)
        elif event["cat"] == "step":
            number = int(event["name"].split()[1])
            trace.steps.setdefault(rank, []).append(Span(span.begin_s, span.end_s, number))
        elif event["cat"] == "average":
            trace.averages.setdefault(rank, []).append(span)
    trace.hosts = {rank: names.get(process, "?") for rank, process in sorted(places.items())}
    if not trace.hosts:
        raise ValueError("no ranks")
    return trace


def window(trace: Trace, steps: tuple[int, int] | None) -> tuple[float, float, str]:
    """(begin, end, words): the seconds that a picture shows. `steps` counts those of the trace, from 1; without it, the last few."""
    of_rank = next(iter(trace.steps.values()), [])
    if not of_rank:
        ends = [span.end_s for ranks in trace.phases.values() for spans in ranks.values() for span in spans]
        return 0.0, max(ends, default=1.0), "no step was recorded"
    count = len(of_rank)
    first, last = steps or (max(1, count - MOST_STEPS + 1), count)
    if not 1 <= first <= last <= count:
        raise AnalysisError(f"there are no steps {first}:{last}", f"the trace has the steps 1:{count}")
    chosen = [spans[first - 1 : last] for spans in trace.steps.values()]
    begin = min(span.begin_s for spans in chosen for span in spans)
    end = max(span.end_s for spans in chosen for span in spans)
    left_out = int(trace.about.get("steps_left_out", 0))
    more = f"; {left_out} later steps were not recorded" if left_out else ""
    return begin, end, f"steps {first} to {last} of {count} in the trace{more}"


def draw_timeline(trace: Trace, path: Path, steps: tuple[int, int] | None = None) -> str:
    """Writes the picture; returns its caption."""
    if path.suffix not in SUFFIXES:
        raise AnalysisError(f"{path} is no picture that can be written", f"a name that ends in {', '.join(SUFFIXES)}")
    begin, end, words = window(trace, steps)
    from matplotlib import pyplot as plt
    from matplotlib.patches import Patch

    from lockstep_analysis.draw import STYLE
    from lockstep_analysis.palette import light

    unit, scale = next(((u, s) for u, s in (("s", 1.0), ("ms", 1e3)) if (end - begin) * s >= 2.0), ("µs", 1e6))
    ranks = list(trace.hosts)
    with plt.rc_context(STYLE):
        height = 1.6 + min(max(0.34 * len(ranks), 0.6), 9.0)
        picture, axes = plt.subplots(figsize=(9.6, height))
        below = 0.34 / height  # for the legend
        picture.set_layout_engine("constrained", rect=(0.0, below, 1.0, 1.0 - below))
        shown = []
        for phase in PHASES:
            color = light(f"phase_{phase}")
            for row, rank in enumerate(ranks):
                bars = clipped(trace.phases.get(phase, {}).get(rank, []), begin, end, scale)
                axes.broken_barh(bars, (row - 0.4, 0.8), facecolors=color, linewidth=0)
                if bars and phase not in shown:
                    shown.append(phase)
        for row, rank in enumerate(ranks):
            edges = [(span.begin_s - begin) * scale for span in trace.steps.get(rank, []) if begin <= span.begin_s <= end]
            axes.vlines(edges, row - 0.48, row + 0.48, color=light("ink"), linewidth=0.8)
            for left, width in clipped(trace.averages.get(rank, []), begin, end, scale):
                axes.hlines(row - 0.45, left, left + width, color=light("param_avg"), linewidth=2.0)
        several = len(set(trace.hosts.values())) > 1
        every = -(-len(ranks) // MOST_LABELS)
        labels = [f"{rank}, {trace.hosts[rank]}" if several else str(rank) for rank in ranks]
        axes.set_yticks(range(0, len(ranks), every), labels[::every])
        axes.set_ylim(len(ranks) - 0.4, -0.6)
        axes.set_xlim(0.0, (end - begin) * scale)
        axes.set_xlabel(f"{unit} from {begin:.6g} s on")
        axes.set_ylabel("rank, host" if several else "rank")
        axes.grid(axis="y", visible=False)
        axes.set_title(f"{trace.about.get('algorithm', '?')} on {len(ranks)} rank{'s' * (len(ranks) != 1)}")
        handles = [Patch(facecolor=light(f"phase_{phase}"), label=phase) for phase in shown]
        handles.append(plt.Line2D([], [], color=light("ink"), marker="|", linestyle="none", markersize=10, label="a step begins"))
        if any(clipped(spans, begin, end, scale) for spans in trace.averages.values()):
            handles.append(plt.Line2D([], [], color=light("param_avg"), linewidth=2.0, label="average"))
        picture.legend(handles=handles, loc="lower center", ncols=len(handles), handlelength=1.2, columnspacing=1.2)
        try:
            picture.savefig(path, dpi=160)
        except OSError as error:
            raise AnalysisError(f"cannot write {path}: {error.strerror or error}") from None
        finally:
            plt.close(picture)
    return f"{path}: {words}; clock: {trace.about.get('clock', '?')}"


def clipped(spans: list[Span], begin: float, end: float, scale: float) -> list[tuple[float, float]]:
    """(left, width) of what lies in the window."""
    found = []
    for span in spans:
        left, right = max(span.begin_s, begin), min(span.end_s, end)
        if right > left:
            found.append(((left - begin) * scale, (right - left) * scale))
    return found
