# SPDX-License-Identifier: BSD-3-Clause
"""What goes wrong on a described cluster: when it does, how much it costs, and that it is the same again."""

import numpy as np
import pytest

from conftest import SMALL

ALPHA, BETA = 1e-3, 1e-6
BYTES = 100_000
SENT = BYTES + 16  # with what the MPI library adds
PLAIN = {"alpha_s": ALPHA, "beta_s_per_byte": BETA}


def test_a_slow_node_works_slowly_while_it_is_slow(runs):
    slow = {
        "1": {"speed": 0.5},
        "2": {"speed": 0.25, "from_s": 11, "for_s": 2},
        "3": {"speed": 0.5, "from_s": 1, "for_s": 1, "every_s": 10},
        "2-3": {"speed": 0.5, "from_s": 100},
    }
    first, second, third = runs.messages(5, "0/work/2", "10/work/2", "200/work/1", trouble={"nodes": slow}, **PLAIN)
    assert first == pytest.approx([2, 4, 2, 2.5, 2])
    assert second == pytest.approx([2, 4, 3.5, 2.5, 2])  # 1 s at full speed, 2 s at a quarter, and half a second
    assert third == pytest.approx([1, 2, 2, 2.5, 1])


def test_all_cores_of_a_slow_node_are_slow_and_core_speed_counts(runs):
    [took] = runs.messages(6, "0/work/3", trouble={"nodes": {"1": {"speed": 0.5}}}, cores_per_node=2, core_speed=3.0, **PLAIN)
    assert took == pytest.approx([1, 1, 2, 2, 1, 1])


NOISES = {
    "exponential": {"distribution": "exponential", "mean": 0.5, "period_s": 0.01},
    "lognormal": {"distribution": "lognormal", "mean": 0.5, "cv": 2.0, "period_s": 0.01},
}


def draws(noise, count):
    random = np.random.default_rng(1)
    if noise["distribution"] == "exponential":
        return random.exponential(noise["mean"], count)
    variance = np.log(1 + noise["cv"] ** 2)
    return random.lognormal(np.log(noise["mean"]) - variance / 2, np.sqrt(variance), count)


@pytest.mark.parametrize("name", NOISES)
def test_noise_has_its_distribution_on_each_core_by_itself(runs, name):
    noise = NOISES[name]
    extra = draws(noise, 200_000)
    # Work far shorter than a period takes 1 + x; far longer work has the mean speed.
    short = [f"{0.02 * i + 0.001}/work/1e-6" for i in range(100)]
    *times, last = runs.messages(8, *short, "10/work/20", trouble={"noise": noise}, cores_per_node=4, **PLAIN)
    times = 1e6 * np.array(times)
    assert times.min() >= 1.0 and times.mean() == pytest.approx((1 + extra).mean(), rel=0.08)
    assert np.median(times) == pytest.approx(np.median(1 + extra), rel=0.08)
    assert np.quantile(times, 0.9) == pytest.approx(np.quantile(1 + extra, 0.9), rel=0.15)
    assert abs(np.corrcoef(times.T)[np.triu_indices(8, 1)]).max() < 0.5  # cores of a node, too
    assert last == pytest.approx([20 / (1 / (1 + extra)).mean()] * 8, rel=0.03)


def test_the_same_file_gives_the_same_trouble_and_another_seed_another(runs):
    def times(seed):
        links = {"all": {"loss": 0.3, "retransmit_s": 0.5}}
        steps = [f"{100 * i}/0>1:8,1>2:8,2>0:8" for i in range(20)]
        return runs.messages(3, "0/work/1", *steps[1:], trouble={"seed": seed, "noise": NOISES["lognormal"], "links": links}, **PLAIN)

    first = times(1)
    assert times(1) == first
    other = times(2)
    assert all(a != b for a, b in zip(first[0], other[0])) and first[1:] != other[1:]


def test_a_slow_link_is_slow_while_it_is_slow(runs):
    links = {"1": {"bandwidth": 0.25}, "2": {"bandwidth": 0.5, "from_s": 5, "for_s": 1, "every_s": 10}, "3": {"extra_s": 0.5, "from_s": 5}}
    steps = [f"{at}/{message}:{BYTES}" for at in (0, 5, 15.95) for message in ("0>1", "2>0", "0>3")]
    steps = [f"{float(step.split('/')[0]) + 0.0}/{step.split('/')[1]}" for step in steps]
    alone = [runs.messages(4, step, trouble={"links": links}, **PLAIN)[0] for step in steps]
    took = [times[int(step.split(">")[1].split(":")[0])] for step, times in zip(steps, alone)]
    usual = ALPHA + SENT * BETA
    slow, slower = ALPHA + SENT * BETA / 0.5, ALPHA + SENT * BETA / 0.25
    partly = ALPHA + (0.05 - ALPHA) + (SENT * BETA - 0.5 * (0.05 - ALPHA))  # half speed until 16 s
    assert took == pytest.approx([slower, usual, usual, slower, slow, usual + 0.5, slower, partly, usual + 0.5])


def test_lost_messages_are_sent_again(runs):
    loss, retransmit_s = 0.4, 10.0
    steps = [f"{1000 * i}/0>1:8" for i in range(200)]
    times = runs.messages(3, *steps, "300000/0>2:8", trouble={"links": {"1": {"loss": loss, "retransmit_s": retransmit_s}}}, **PLAIN)
    attempts = np.array([(took[1] - ALPHA) / retransmit_s for took in times[:-1]])
    assert attempts == pytest.approx(np.round(attempts), abs=1e-4)
    assert np.round(attempts).mean() == pytest.approx(loss / (1 - loss), rel=0.35)
    assert times[-1][2] == pytest.approx(ALPHA + 24 * BETA)


MODELLED = ["--kernels", "core_of_100_gflops"]  # computing that is measured brings the trouble of this machine along
TROUBLES = {
    "noise": {"noise": NOISES["lognormal"] | {"period_s": 1e-3}},
    "slow node": {"nodes": {"1": {"speed": 0.2}, "0": {"speed": 0.5, "from_s": 0.001, "for_s": 0.001, "every_s": 0.003}}},
    "slow link": {"links": {"1": {"bandwidth": 0.2}, "0": {"bandwidth": 0.5, "from_s": 0.001, "for_s": 0.001, "every_s": 0.003}}},
    "lossy link": {"links": {"all": {"loss": 0.1, "retransmit_s": 0.01}}},
}


@pytest.mark.parametrize("name", TROUBLES)
def test_trouble_changes_times_and_no_parameters(runs, name):
    words = [*SMALL, "--algorithm", "parallel_sgd", "--exchange", "allreduce", "--allreduce", "ring"]
    speed = 0.02 if name in ("noise", "slow node") else 1.0  # it is computing that takes the time
    seconds = {}
    for run_id, trouble in (("usual", {}), ("troubled", TROUBLES[name])):
        cluster = runs.cluster(cores_per_node=2, core_speed=speed, trouble=trouble, beta_s_per_byte=1e-8)
        assert runs.simulate(6, *words, cluster=cluster, run_id=run_id, options=MODELLED).status == 0
        seconds[run_id] = runs.read(run_id, "epochs/train_s").sum()
    assert runs.parameters("usual") == runs.parameters("troubled")
    assert seconds["troubled"] > 1.05 * seconds["usual"]


def slowdown(runs, algorithm, trouble):
    """How many times as long epochs on 16 slow nodes of one core take, and what the run's closing lines say."""
    words = ["--algorithm", algorithm, "--dataset", "mnist", "--train-samples", "16000", "--test-samples", "100", "--epochs", "2",
             "--gemm", "tiled", "--allreduce", "ring", "--batch-size", "1600" if algorithm == "parallel_sgd" else "100"]
    seconds = {}
    for run_id, given in ((f"{algorithm}-usual", {}), (f"{algorithm}-troubled", trouble)):
        done = runs.simulate(16, *words, cluster=runs.cluster(core_speed=0.01, trouble=given), run_id=run_id, options=MODELLED)
        assert done.status == 0, done.err
        seconds[run_id] = runs.read(run_id, "epochs/train_s").max(axis=1).sum()
    return seconds[f"{algorithm}-troubled"] / seconds[f"{algorithm}-usual"], done.out + done.err


def test_a_node_at_half_speed_costs_all_and_is_named(runs):
    for algorithm in ("parallel_sgd", "param_avg"):
        times, said = slowdown(runs, algorithm, {"nodes": {"3": {"speed": 0.5}}})
        assert 1.3 < times < 2.5, algorithm
        assert "rank 3 on node-3 was the slowest" in said
        compute_s = runs.read(f"{algorithm}-troubled", "epochs/compute_s").sum(axis=0)
        assert compute_s[3] / np.median(compute_s) == pytest.approx(2.0, rel=0.3)


def test_noise_costs_parallel_sgd_more_than_param_avg(runs):
    """Each step waits for the slowest of 16 cores; an average only for the slowest sum of many draws."""
    noise = {"noise": {"mean": 1.0, "period_s": 0.2}}
    every_step, every_epoch = slowdown(runs, "parallel_sgd", noise)[0], slowdown(runs, "param_avg", noise)[0]
    assert every_step > 1.1 * every_epoch and every_epoch > 1.3


@pytest.mark.parametrize("trouble", [{}, {"noise": {"mean": 0.1, "period_s": 0.01}}])
def test_ranks_that_wait_for_ever_are_an_error(runs, trouble):
    done = runs._run("build/sim/bin/messages", runs.cluster(trouble=trouble), 2, "0/0>1:8", "1/wait")
    assert done.returncode == 5 and "Deadlock" in done.stderr and "error: 2 of 2 ranks wait" in done.stderr


BAD = {
    '"network": {"topology": "fat_three"}': ["network", "topology", "did you mean 'fat_tree'"],
    '"network": {"topology": "fat_tree", "nodes_a_switch": 4}': ["fat_tree", "nodes_a_switch", "did you mean 'nodes_per_switch'"],
    '"network": {"topology": "fat_tree"}': ["nodes_per_switch"],
    '"network": {"topology": "fat_tree", "nodes_per_switch": 4, "dimensions": "2x2"}': ["dimensions"],
    '"network": {"topology": "fat_tree", "nodes_per_switch": 4, "oversubscription": 3}': ["oversubscription", "whole number"],
    '"network": {"topology": "fat_tree", "nodes_per_switch": 4, "hop_s": 1e-3}': ["hop_s", "alpha_s"],
    '"network": {"topology": "dragonfly", "groups": 9, "routers_per_group": 8, "nodes_per_router": 2}': ["groups", "at most", "8"],
    '"network": {"topology": "torus", "dimensions": "4x-2"}': ["dimensions", "4x4x8"],
    '"network": {"topology": "torus", "dimensions": "4xx2"}': ["dimensions", "4x4x8"],
    '"network": {"topology": "torus", "dimensions": "4x0"}': ["dimensions", "at least 1"],
    '"network": {"topology": "torus", "dimensions": "999999x999999"}': ["too many nodes"],
    '"network": {"topology": "torus", "dimensions": "2x2"}, "most_ranks": 5': ["most_ranks", "at most 4"],
    '"network": {"topology": "wide_area", "sites": 1, "wan_alpha_s": 1, "wan_beta_s_per_byte": 1}': ["sites", "at least 2"],
    '"network": {"topology": "flat", "hop_s": 1}': ["hop_s"],
    '"network": {"links": "half"}': ["links", "half_duplex"],
    '"network": []': ["network"],
    '"network": "torus"': ["network", "JSON object"],
    '"send_overhead_s": -1': ["send_overhead_s", "at least 0"],
    '"trouble": {"noice": {}}': ["trouble", "did you mean 'noise'"],
    '"trouble": {"noise": {"distribution": "normal", "mean": 1}}': ["noise", "distribution", "lognormal"],
    '"trouble": {"noise": {"period_s": 1}}': ["noise", "mean"],
    '"trouble": {"noise": {"mean": 1, "cv": 1}}': ["noise", "cv"],
    '"trouble": {"noise": {"mean": 1, "period_s": 0}}': ["period_s", "at least"],
    '"trouble": {"noise": 1}': ["noise"],
    '"trouble": {"seed": -1}': ["seed"],
    '"trouble": {"nodes": {"one": {"speed": 1}}}': ["nodes.one", "'0-3,8'"],
    '"trouble": {"nodes": {"3-1": {"speed": 1}}}': ["nodes.3-1"],
    '"trouble": {"nodes": {"1,": {"speed": 1}}}': ["nodes.1,"],
    '"trouble": {"nodes": {"1": {"sped": 1}}}': ["nodes.1", "did you mean 'speed'"],
    '"trouble": {"nodes": {"1": {"speed": 0}}}': ["nodes.1", "speed", "at least 1e-06"],
    '"trouble": {"nodes": {"1": 0.5}}': ["nodes.1", "JSON object"],
    '"trouble": {"nodes": {"1": {"every_s": 2, "for_s": 3}}}': ["nodes.1", "for_s", "every_s"],
    '"trouble": {"links": {"1": {"loss": 1}}}': ["links.1", "loss", "at most 0.99"],
    '"trouble": {"links": {"1": {"loss": 0.5}}}': ["links.1", "retransmit_s"],
}


@pytest.mark.parametrize("text", BAD)
def test_a_bad_description_is_refused_by_file_and_key(runs, text):
    path = runs.folder / "mine.json"
    path.parent.mkdir()
    path.write_text('{"name": "x", "alpha_s": 1e-6, "beta_s_per_byte": 1e-9, ' + text + "}")
    done = runs._run("jobs/simulate.sh", 2, "--cluster", path, "train")
    assert done.returncode == 2 and done.stderr.count("error:") == 1, done.stderr
    for said in [str(path), *BAD[text]]:
        assert said in done.stderr


def test_more_ranks_than_the_network_has_cores_are_refused(runs):
    cluster = runs.cluster(network={"topology": "torus", "dimensions": "2x2"}, cores_per_node=2)
    done = runs._run("jobs/simulate.sh", 9, "--cluster", cluster, "train")
    assert done.returncode == 2 and "at most 8" in done.stderr
