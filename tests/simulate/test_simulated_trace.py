# SPDX-License-Identifier: BSD-3-Clause
"""A trace of a simulated run has the simulated hosts and seconds, and says what the run file says."""

import pytest
from conftest import SMALL
from trace_checks import check_trace_of_run, read_trace, rows_of

RUNS = {
    "serial": (1, ["--algorithm", "serial"], 1),
    "parallel_sgd": (4, ["--algorithm", "parallel_sgd", "--exchange", "allreduce", "--allreduce", "ring"], 2),
    "param_avg": (5, ["--algorithm", "param_avg", "--avg-steps", "2", "--allreduce", "hierarchical"], 3),
}


@pytest.mark.parametrize("name", RUNS)
def test_a_trace_says_what_the_run_file_says(runs, tmp_path, name):
    ranks, words, hosts = RUNS[name]
    cluster = runs.cluster(cores_per_node=2, alpha_s=1e-3)
    result = runs.simulate(ranks, *SMALL, *words, "--trace", tmp_path / "trace.json", cluster=cluster)
    assert result.status == 0, result.err
    trace = read_trace(tmp_path / "trace.json")
    check_trace_of_run(trace, runs.folder / "runs/simulated.h5", epochs=2, ranks=ranks)
    names = {e["args"]["name"] for e in trace["traceEvents"] if e["name"] == "process_name"}
    assert names == {f"node-{i}" for i in range(hosts)}
    assert len({e["pid"] for e in trace["traceEvents"]}) == hosts
    assert "simulated" in trace["otherData"]["clock"]


def test_simulated_hosts_share_a_clock_to_the_latency(runs, tmp_path):
    """An average on one host ends no sooner than it begins on the others, and a message later."""
    latency = 0.05
    words = ["--algorithm", "param_avg", "--avg-steps", "2", "--allreduce", "ring"]
    result = runs.simulate(3, *SMALL, *words, "--trace", tmp_path / "trace.json", cluster=runs.cluster(alpha_s=latency))
    assert result.status == 0, result.err
    averages = [row.of("average") for row in rows_of(read_trace(tmp_path / "trace.json")).values()]
    assert len({len(spans) for spans in averages}) == 1 and len(averages[0]) > 4
    for spans in zip(*averages):
        assert min(end for _, end in spans) >= max(begin for begin, _ in spans) + latency
