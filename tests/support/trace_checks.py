# SPDX-License-Identifier: BSD-3-Clause
"""Checks a trace against the trace event format (Chrome, Perfetto) and against its run file, without any code of Lockstep."""

import gzip
import json
import math
from collections import defaultdict

import h5py
import numpy as np
import pytest

METADATA = {"process_name": "name", "thread_name": "name", "process_sort_index": "sort_index", "thread_sort_index": "sort_index"}
PHASES = ("data", "compute", "exchange", "wait", "update", "evaluate", "checkpoint")
CATEGORIES = ("epoch", "step", "average", "phase")
STATED_ERROR = 1 / 128  # of percentiles: docs/run_file.md


def ns(microseconds):
    """A time of the format in the nanoseconds that it stands for."""
    assert isinstance(microseconds, (int, float)) and not isinstance(microseconds, bool) and math.isfinite(microseconds)
    return round(1000 * microseconds)


def read_trace(path):
    """The trace in a file, as a reader of the format would accept it."""
    data = path.read_bytes()
    trace = json.loads(gzip.decompress(data) if path.suffix == ".gz" else data)
    assert set(trace) == {"displayTimeUnit", "traceEvents", "otherData"} and trace["displayTimeUnit"] in ("ms", "ns")
    named, rows = set(), defaultdict(list)
    for event in trace["traceEvents"]:
        assert type(event["pid"]) is int and type(event["tid"]) is int and isinstance(event["name"], str) and event["name"]
        if event["ph"] == "M":
            value = event["args"][METADATA[event["name"]]]
            assert isinstance(value, str if METADATA[event["name"]] == "name" else int), event
            named.add((event["name"], event["pid"], event["tid"] if event["name"].startswith("thread") else None))
            continue
        assert event["ph"] == "X" and event["cat"] in CATEGORIES, event
        assert ns(event["dur"]) >= 0 and isinstance(event.get("args", {}), dict), event
        rows[event["pid"], event["tid"]].append(event)
    for pid, tid in rows:
        assert {("thread_name", pid, tid), ("thread_sort_index", pid, tid), ("process_name", pid, None)} <= named
        check_nesting(rows[pid, tid])
    return trace


def check_nesting(events):
    """In the order of the file, an event lies in the innermost one that has not ended, or begins after its end; phases hold nothing."""
    stack = []
    for event in events:
        begin = ns(event["ts"])
        end = begin + ns(event["dur"])
        while stack and stack[-1][1] <= begin:
            stack.pop()
        if stack:
            assert stack[-1][0] <= begin and end <= stack[-1][1], f"{event} overlaps {stack[-1][2]}"
            assert stack[-1][2]["cat"] != "phase" or ns(event["dur"]) == 0, f"{event} lies in a phase"
        stack.append((begin, end, event))


class Row:
    """One rank of a trace: seconds since its beginning."""

    def __init__(self, events):
        self.events = events

    def of(self, category, name=None):
        return [(ns(e["ts"]) / 1e9, (ns(e["ts"]) + ns(e["dur"])) / 1e9) for e in self.events
                if e["cat"] == category and name in (None, e["name"])]

    def epochs(self):
        """Number -> (begin, end)."""
        return {int(e["name"].split()[1]): (ns(e["ts"]) / 1e9, (ns(e["ts"]) + ns(e["dur"])) / 1e9)
                for e in self.events if e["cat"] == "epoch"}

    def within(self, spans, epoch):
        begin, end = self.epochs()[epoch]
        return [(b, e) for b, e in spans if begin <= b and e <= end]

    def step_seconds(self, epoch):
        return [e - b for b, e in self.within(self.of("step"), epoch)]

    def phase_seconds(self, epoch, phase):
        """Seconds of a phase in an epoch. What is written after an epoch counts in the next one."""
        spans = self.within(self.of("phase", phase), epoch)
        if phase == "checkpoint":
            begin = self.epochs()[epoch][0]
            before = max((end for number, (_, end) in self.epochs().items() if number < epoch), default=-math.inf)
            spans += [(b, e) for b, e in self.of("phase", phase) if before <= b and e <= begin]
        return sum(e - b for b, e in spans)


def rows_of(trace):
    """Rank -> Row."""
    rows = defaultdict(list)
    for event in trace["traceEvents"]:
        if event["ph"] == "X":
            rows[event["tid"]].append(event)
    return {rank: Row(events) for rank, events in sorted(rows.items())}


def nearest_rank(values, share):
    return sorted(values)[max(math.ceil(share * len(values)), 1) - 1]


def check_step_times(file, epoch, seconds_of_ranks):
    """The run file's percentiles of an epoch are those of these steps, rank -> seconds."""
    every = [s for seconds in seconds_of_ranks.values() for s in seconds]
    for name, share in (("p50", 0.50), ("p95", 0.95), ("p99", 0.99)):
        expected = nearest_rank(every, share)
        assert file[f"epochs/step_{name}_s"][epoch - 1] == pytest.approx(expected, rel=STATED_ERROR, abs=1e-8), name
    largest = {rank: max(seconds) for rank, seconds in seconds_of_ranks.items()}
    assert file["epochs/step_largest_s"][epoch - 1] == pytest.approx(max(every), abs=2e-9, rel=1e-12)
    assert largest[int(file["epochs/step_largest_rank"][epoch - 1])] == pytest.approx(max(every), abs=2e-9)


def check_trace_of_run(trace, run_file, epochs, ranks):
    """A trace of a whole run says what its run file says, of all epochs and ranks."""
    rows = rows_of(trace)
    assert list(rows) == list(range(ranks))
    assert trace["otherData"]["steps_left_out"] == 0
    with h5py.File(run_file) as file:
        steps = file["epochs/steps"][:].astype(int)
        assert trace["otherData"]["steps_recorded"] == steps.sum() and len(steps) == epochs
        assert trace["otherData"]["run_id"] == file.attrs["run_id"]
        for epoch in range(1, epochs + 1):
            for rank, row in rows.items():
                numbers = [e["name"] for e in row.events if e["cat"] == "step"
                           and row.epochs()[epoch][0] <= ns(e["ts"]) / 1e9 < row.epochs()[epoch][1]]
                assert numbers == [f"step {i}" for i in range(1, steps[epoch - 1] + 1)]
                for phase in PHASES:
                    recorded = file[f"epochs/{phase}_s"][epoch - 1, rank]
                    assert row.phase_seconds(epoch, phase) == pytest.approx(recorded, rel=1e-6, abs=1e-6), (epoch, rank, phase)
            check_step_times(file, epoch, {rank: row.step_seconds(epoch) for rank, row in rows.items()})
        check_exchanges(rows, file, ranks)


def check_exchanges(rows, file, ranks):
    averages = file["exchange/averages"][:] if "averages" in file["exchange"] else np.zeros(1)
    for rank, row in rows.items():
        exchanges = [e for e in row.events if e["name"] == "exchange"]
        sent = sum(e.get("args", {}).get("sent_bytes", 0) for e in exchanges)
        if "sent_bytes" in file["exchange"]:
            assert sent == file["exchange/sent_bytes"][:, rank].sum()
        assert len(row.of("average")) == (averages.sum() if ranks > 1 else 0)
