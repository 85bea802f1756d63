# SPDX-License-Identifier: BSD-3-Clause
"""Calibration of two nodes that have a network between them: of any speed, and of one that is known."""

import json
from contextlib import contextmanager

import pytest

from cluster import ROOT
from conftest import SITES


def calibrate(cluster, nodes, ranks_a_node, path, *words):
    environment = json.loads(SITES["srun"].read_text())["environment"]
    done = cluster.exec("srun", "-N", nodes, f"--ntasks-per-node={ranks_a_node}", ROOT / "build/bin/calibrate", path, *words,
                        env=environment)
    return json.loads(path.read_text()), done.stdout


@pytest.mark.parametrize("nodes, ranks_a_node, at_once", [
    (2, 1, set()), (2, 2, {"all ranks of two nodes"}),
    (4, 1, {"pairs of nodes, one rank of each"}),
])
def test_nodes_are_told_from_ranks_of_a_node(cluster, tmp_path, nodes, ranks_a_node, at_once):
    found, said = calibrate(cluster, nodes, ranks_a_node, tmp_path / "found.json", "--seconds", "0.002")
    fit = found["fit"]
    assert fit["between_nodes"]["hosts"] == ["n1", "n2"] and fit["between_nodes"]["ranks"] == [0, ranks_a_node]
    assert {row["what"] for row in fit["at_once"]} == at_once
    assert "no network" not in found["source"] and f"{nodes * ranks_a_node} ranks on n1, n2" in found["source"]
    assert "Messages between nodes: rank 0 on n1" in said
    if ranks_a_node == 1:
        assert "within_node" not in fit and "memory_alpha_s" not in found and "each node has one rank" in said
    else:
        assert fit["within_node"]["hosts"] == ["n1", "n1"]
        assert found["beta_s_per_byte"] != found["memory_beta_s_per_byte"] > 0


@contextmanager
def slow_cables(cluster, nodes, rate):
    """What these nodes send is shaped to `rate`, in bursts of a few packets."""
    try:
        for node in nodes:
            cluster.on(node, "tc", "qdisc", "add", "dev", "eth0", "root", "tbf", "rate", rate, "burst", "4kb", "latency", "50ms")
        yield
    finally:
        for node in nodes:
            cluster.on(node, "tc", "qdisc", "del", "dev", "eth0", "root", check=False)


@pytest.mark.long
def test_the_bandwidth_of_a_known_network_is_found(cluster, tmp_path):
    """100 Mbit/s on the wire: 1514 bytes of a frame carry 1448 of a message."""
    with slow_cables(cluster, ("n1", "n2"), "100mbit"):
        found, said = calibrate(cluster, 2, 1, tmp_path / "found.json", "--seconds", "0.02")
    seconds_per_byte = 8e-8 * 1514 / 1448
    longest = found["fit"]["between_nodes"]["messages"][-1]
    assert longest["median_s"] == pytest.approx(longest["bytes"] * seconds_per_byte, rel=0.1), said
    # What a busy machine adds to short messages bends the line.
    assert found["beta_s_per_byte"] == pytest.approx(seconds_per_byte, rel=0.25), said
