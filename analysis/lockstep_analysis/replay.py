# SPDX-License-Identifier: BSD-3-Clause
"""A trace, replayed by the formulas of model/costs.py: each rank computes for as long as the trace says, and each exchange takes what
its formula says on a cluster. An opinion of its own on what SimGrid simulates: no messages, no sharing of links, every exchange
begins when the last rank comes and ends for all at once. Where ranks meet at a barrier first, to tell waiting from exchanging, it
takes lg p messages."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Iterator

from lockstep_analysis.errors import AnalysisError
from lockstep_analysis.model.cluster import Cluster
from lockstep_analysis.model.costs import FORMULAS, Constants
from lockstep_analysis.tables import layout
from lockstep_analysis.timeline import Span, Trace


@dataclass
class Times:
    """Seconds of a training, means over its ranks but for `whole`, which is until the last one ends."""

    own: float = 0.0
    exchange: float = 0.0
    wait: float = 0.0
    whole: float = 0.0


def spans_of(trace: Trace, rank: int) -> list[tuple[str, Span]]:
    """What a rank did, one after another: (phase, span)."""
    found = [(phase, span) for phase, ranks in trace.phases.items() for span in ranks.get(rank, [])]
    return sorted(found, key=lambda item: item[1].begin_s)


@dataclass
class Part:
    """What a rank does up to and with an exchange; after the last one there is none."""

    own_s: float = 0.0
    meets: bool = False  # at a barrier before the exchange
    exchange: Span | None = None


def parts_of(spans: list[tuple[str, Span]]) -> Iterator[Part]:
    """What lies between phases is a rank's own."""
    part = Part()
    until = spans[0][1].begin_s if spans else 0.0
    for phase, span in spans:
        part.own_s += max(0.0, span.begin_s - until)
        until = span.end_s
        if phase == "exchange":
            part.exchange = span
            yield part
            part = Part()
        elif phase == "wait":
            part.meets = True
        else:
            part.own_s += span.end_s - span.begin_s
    yield part


def constants_of(cluster: Cluster, one_host: bool, gamma_s_per_byte: float) -> Constants:
    if one_host:
        return Constants(cluster.memory_alpha_s, cluster.memory_beta_s_per_byte, gamma_s_per_byte)
    alpha_s = cluster.alpha_s + cluster.send_overhead_s + cluster.receive_overhead_s
    return Constants(alpha_s, cluster.beta_s_per_byte, gamma_s_per_byte)


def exchange_seconds(span: Span, ranks: int, constants: Constants) -> float:
    if span.algorithm not in FORMULAS:
        raise AnalysisError(
            f"exchanges by '{span.algorithm or '?'}' have no formula", f"those of {', '.join(FORMULAS)} have; see docs/analysis.md"
        )
    return constants.seconds(FORMULAS[span.algorithm], ranks, span.array_bytes)


def seconds_of(trace: Trace, phase: str) -> float:
    """The mean over ranks."""
    spans = [span for of_rank in trace.phases.get(phase, {}).values() for span in of_rank]
    return sum(span.end_s - span.begin_s for span in spans) / len(trace.hosts)


def recorded(trace: Trace) -> Times:
    of_ranks = [spans_of(trace, rank) for rank in trace.hosts]
    own = sum(part.own_s for spans in of_ranks for part in parts_of(spans)) / len(of_ranks)
    whole = max(spans[-1][1].end_s for spans in of_ranks) - min(spans[0][1].begin_s for spans in of_ranks)
    return Times(own, seconds_of(trace, "exchange"), seconds_of(trace, "wait"), whole)


def replayed(trace: Trace, constants: Constants) -> Times:
    ranks = list(trace.hosts)
    of_ranks = [list(parts_of(spans_of(trace, rank))) for rank in ranks]
    if len({len(parts) for parts in of_ranks}) != 1:
        raise AnalysisError("the ranks of the trace do not take part in equally many exchanges: it cannot be replayed")
    barrier_s = math.ceil(math.log2(len(ranks))) * constants.alpha
    times = Times()
    clocks = [0.0] * len(ranks)
    for together in zip(*of_ranks):
        arrivals = [clock + part.own_s for clock, part in zip(clocks, together)]
        times.own += sum(part.own_s for part in together) / len(ranks)
        exchange = together[0].exchange
        if exchange is None:
            clocks = arrivals
            continue
        begin = max(arrivals) + (barrier_s if together[0].meets else 0.0)
        seconds = exchange_seconds(exchange, len(ranks), constants)
        times.wait += sum(begin - arrival for arrival in arrivals) / len(ranks)
        times.exchange += seconds
        clocks = [begin + seconds] * len(ranks)
    times.whole = max(clocks)
    return times


def replay(trace: Trace, cluster: Cluster, gamma_s_per_byte: float = 0.0) -> tuple[Times, Times]:
    """(recorded, replayed) times of the trace; raises AnalysisError where it has no exchange, or one without a formula."""
    if not any(trace.phases.get("exchange", {}).values()):
        raise AnalysisError("the trace has no exchange: there is nothing to replay")
    one_host = len(set(trace.hosts.values())) == 1
    return recorded(trace), replayed(trace, constants_of(cluster, one_host, gamma_s_per_byte))


def replay_table(trace: Trace, cluster: Cluster, gamma_s_per_byte: float) -> str:
    before, after = replay(trace, cluster, gamma_s_per_byte)
    rows = [["seconds", "recorded", "replayed", "difference"]]
    for name, words in (("own", "computing and all else of a rank's own"), ("exchange", "exchanges"), ("wait", "waiting for other ranks"),
                        ("whole", "whole trace")):
        a, b = getattr(before, name), getattr(after, name)
        rows.append([words, f"{a:.6g}", f"{b:.6g}", f"{100 * (b / a - 1):+.1f}%" if a > 0 else "-"])
    ranks = len(trace.hosts)
    exchanges = trace.phases["exchange"][next(iter(trace.hosts))]
    kinds = ", ".join(sorted({span.algorithm for span in exchanges}))
    first = f"{trace.about.get('algorithm', '?')} on {ranks} ranks, {len(exchanges)} exchanges ({kinds}), by the formulas of {cluster.name}"
    return "\n".join([first, *layout(rows), "means over ranks; the whole until the last rank ends"])
