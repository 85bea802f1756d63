# SPDX-License-Identifier: BSD-3-Clause
"""Messages on described networks take the time that the formulas of docs/simulation.md say, alone and together."""

import json

import pytest

from conftest import SMALL

ALPHA, BETA, HOP = 1e-3, 1e-6, 1e-4
BYTES = 100_000
SENT = BYTES + 16  # with what the MPI library adds
PLAIN = {"alpha_s": ALPHA, "beta_s_per_byte": BETA}

# Name: network, ranks (one a node), {message: (links between switches beyond the nearest nodes', further latency)}
FAT_TREE = {"topology": "fat_tree", "nodes_per_switch": 4, "hop_s": HOP}
DRAGONFLY = {"topology": "dragonfly", "groups": 4, "routers_per_group": 4, "nodes_per_router": 2, "hop_s": HOP}
TORUS = {"topology": "torus", "dimensions": "4x4", "hop_s": HOP}
WIDE_AREA = {"topology": "wide_area", "sites": 2, "wan_alpha_s": 0.05, "wan_beta_s_per_byte": 3 * BETA}
NETWORKS = {
    "flat": ({"topology": "flat"}, 4, {"0>1": 0, "3>0": 0}),
    "fat tree": (FAT_TREE, 10, {"0>3": 0, "0>4": 2, "9>0": 2}),
    "fat tree of three levels": (FAT_TREE | {"switches_per_pod": 2}, 16, {"0>1": 0, "0>4": 2, "7>8": 4, "15>0": 4}),
    "dragonfly": (DRAGONFLY, 32, {"0>1": 0, "0>2": 1, "0>8": 2, "0>22": 3, "31>0": 3}),
    "torus": (TORUS, 16, {"0>1": 0, "0>3": 0, "0>2": 1, "0>10": 3, "15>0": 1}),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_a_message_alone_takes_alpha_and_its_hops_and_its_bytes(runs, name):
    network, ranks, messages = NETWORKS[name]
    steps = [f"{10 * i}/{message}:{BYTES}" for i, message in enumerate(messages)]
    times = runs.messages(ranks, *steps, network=network, **PLAIN)
    for (message, hops), took in zip(messages.items(), times, strict=True):
        assert took[int(message.split(">")[1])] == pytest.approx(ALPHA + hops * HOP + SENT * BETA, rel=1e-6), message


def test_a_message_between_sites_pays_for_the_way(runs):
    near, far = runs.messages(4, f"0/0>1:{BYTES}", f"10/1>2:{BYTES}", network=WIDE_AREA, **PLAIN)
    assert near[1] == pytest.approx(ALPHA + SENT * BETA)
    assert far[2] == pytest.approx(ALPHA + 0.05 + SENT * 3 * BETA)
    spread = runs.messages(4, f"0/0>1:{BYTES}", network=WIDE_AREA | {"sites": 4}, **PLAIN)
    assert spread[0][1] == pytest.approx(ALPHA + 0.05 + SENT * 3 * BETA)


def at_once(*messages):
    return "0/" + ",".join(f"{message}:{BYTES}" for message in messages)


def all_to_next(first, count, to):
    return at_once(*(f"{first + i}>{to + i}" for i in range(count)))


# Name: network, messages at the same time, how many share the narrowest link.
TOGETHER = {
    "full fat tree": (FAT_TREE, all_to_next(0, 4, 4), 1),
    "fat tree, 2:1": (FAT_TREE | {"oversubscription": 2}, all_to_next(0, 4, 4), 2),
    "fat tree, 4:1": (FAT_TREE | {"oversubscription": 4}, all_to_next(0, 4, 4), 4),
    "fat tree, 4:1, within a switch": (FAT_TREE | {"oversubscription": 4}, at_once("0>1", "1>2", "2>3"), 1),
    "fat tree, one link four times as fast": (FAT_TREE | {"link_beta_s_per_byte": BETA / 4}, all_to_next(0, 4, 4), 1),
    "dragonfly": (DRAGONFLY, all_to_next(0, 8, 8), 8),
    "dragonfly, 8 links between groups": (DRAGONFLY | {"links_between_groups": 8, "links": "full_duplex"}, at_once("0>8", "1>9"), 2),
    "torus": (TORUS, at_once("0>2", "1>2"), 2),
    "flat": ({}, at_once("0>2", "1>2"), 2),
    "flat, two directions": ({}, at_once("0>1", "1>2"), 1),
    "flat, two directions that share": ({"links": "half_duplex"}, at_once("0>1", "1>2"), 2),
    "fat tree, two directions that share": (FAT_TREE | {"links": "half_duplex", "oversubscription": 4}, at_once("0>4", "5>1"), 2),
    "wide area": (WIDE_AREA, at_once("0>8", "1>9", "2>10"), 9),
}


@pytest.mark.parametrize("name", TOGETHER)
def test_messages_share_the_links_that_they_pass(runs, name):
    network, messages, share = TOGETHER[name]
    [took] = runs.messages(16, messages, network=network, **PLAIN)
    receivers = [int(message.split(">")[1].split(":")[0]) for message in messages.split("/")[1].split(",")]
    assert max(took[r] for r in receivers) == pytest.approx(share * SENT * BETA, rel=0.1, abs=0.06 if "wide" in name else 0.003)


def test_each_message_costs_its_sender_and_its_receiver_time(runs):
    step = "0/" + ",".join(["0>1:8"] * 10)
    [free] = runs.messages(2, step, **PLAIN)
    [sends] = runs.messages(2, step, send_overhead_s=0.1, **PLAIN)
    [receives] = runs.messages(2, step, receive_overhead_s=0.2, **PLAIN)
    assert free[0] < 0.001 and free[1] < 0.02
    assert sends[0] == pytest.approx(1.0, rel=0.01) and sends[1] == pytest.approx(1.0, rel=0.02)
    assert receives[0] < 0.001 and receives[1] == pytest.approx(2.0, rel=0.02)


def test_ranks_of_a_node_talk_through_memory(runs):
    memory = {"cores_per_node": 2, "memory_alpha_s": 1e-4, "memory_beta_s_per_byte": 1e-8}
    for network in ({}, FAT_TREE, DRAGONFLY, TORUS, WIDE_AREA):
        near, far = runs.messages(8, f"0/0>1:{BYTES}", f"10/1>2:{BYTES}", network=network, **memory, **PLAIN)
        assert near[1] == pytest.approx(1e-4 + SENT * 1e-8), network
        assert far[2] == pytest.approx(ALPHA + SENT * BETA), network


@pytest.mark.parametrize("network", [FAT_TREE, DRAGONFLY, TORUS, WIDE_AREA], ids=lambda network: network["topology"])
def test_a_network_changes_times_and_no_parameters(runs, network):
    words = [*SMALL, "--algorithm", "parallel_sgd", "--exchange", "allreduce", "--allreduce", "hierarchical"]
    seconds = {}
    far = network | {"hop_s": 5e-4} if "hop_s" in network else network
    for name, described in (("flat", {}), ("described", far)):
        # Fast cores: the network takes the time.
        cluster = runs.cluster(cores_per_node=2, core_speed=100.0, network=described, alpha_s=1e-3, beta_s_per_byte=1e-8)
        assert runs.simulate(12, *words, cluster=cluster, run_id=name).status == 0
        seconds[name] = runs.read(name, "epochs/exchange_s").sum()
    assert runs.parameters("flat") == runs.parameters("described")
    assert seconds["described"] > 1.01 * seconds["flat"]


@pytest.mark.parametrize("cluster", ["dragonfly", "fat_tree_oversubscribed", "cloud_noise", "two_sites"])
def test_shipped_clusters_train(runs, cluster):
    words = [*SMALL, "--algorithm", "param_avg", "--allreduce", "ring"]
    assert runs.simulate(40, *words, cluster=cluster).status == 0
    description = json.loads(runs.read("simulated", "provenance/simulation"))["description"]
    topologies = {"dragonfly": "dragonfly", "fat_tree_oversubscribed": "fat_tree", "cloud_noise": "flat", "two_sites": "wide_area"}
    assert description["network"]["topology"] == topologies[cluster]
    assert "example, not a measurement" in description["source"]


def test_the_run_file_holds_the_whole_description(runs):
    cluster = runs.cluster(network=DRAGONFLY, alpha_s=ALPHA, trouble={"seed": 3, "noise": {"mean": 0.1}, "nodes": {"1": {"speed": 0.5, "from_s": 2}}})
    assert runs.simulate(2, *SMALL, "--algorithm", "param_avg", cluster=cluster).status == 0
    described = json.loads(runs.read("simulated", "provenance/simulation"))["description"]
    assert described["network"].items() >= DRAGONFLY.items() and described["network"]["links_between_groups"] == 1
    assert described["most_ranks"] == 32
    assert described["trouble"] == {
        "seed": 3,
        "noise": {"distribution": "exponential", "mean": 0.1, "period_s": 0.01},
        "nodes": {"1": {"speed": 0.5, "from_s": 2.0, "for_s": 0.0, "every_s": 0.0}},
    }
