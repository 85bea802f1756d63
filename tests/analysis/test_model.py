# SPDX-License-Identifier: BSD-3-Clause
"""The performance model: its fit finds constants that are known, its predictions keep the bounds that nobody can beat."""

import json
import math

import made_runs  # noqa: F401
import pytest

from lockstep_analysis.errors import AnalysisError
from lockstep_analysis.figures.prediction import network_words
from lockstep_analysis.model import costs
from lockstep_analysis.model.benchmarks import read_benchmarks
from lockstep_analysis.model.cluster import EXAMPLES, Cluster, read_cluster
from lockstep_analysis.model.compute import Products, divide, linear_layers, step_products
from lockstep_analysis.model.epoch import EpochModel, averages, rank_counts

ALPHA, BETA, GAMMA = 2e-6, 1e-10, 4e-11
SIZES = [4**k for k in range(1, 13)] + [872232]
RATE = 50e9  # FLOP/s


def made_allreduces(p):
    known = costs.Constants(ALPHA, BETA, GAMMA)
    return {
        name: {n: known.seconds(costs.FORMULAS[name], p, n) for n in SIZES}
        for name in ("ring", "recursive_doubling", "rabenseifner", "shared_memory")
    }


@pytest.fixture
def bench(tmp_path):
    """Results as Google Benchmark writes them, of a machine with known constants."""
    rows = []
    for m in (16, 32, 64, 128):
        for ops, a, b, c in (("NN", m, 16, 784), ("TN", 784, 16, m), ("NN", m, 10, 16), ("TN", 16, 10, m), ("NT", m, 16, 10)):
            rows.append(
                {
                    "name": f"gemm/tiled/{ops}/{a}x{b}x{c}/manual_time",
                    "run_type": "iteration",
                    "real_time": 2e6 * a * b * c / RATE,
                    "time_unit": "us",
                }
            )
    write(tmp_path / "gemm_bench.json", rows, cpu_model="a CPU")
    rows = [
        {"name": f"allreduce/{row}/bytes:{n}/manual_time", "run_type": "iteration", "real_time": 1e6 * t, "time_unit": "us"}
        for row, times in made_allreduces(4).items()
        for n, t in times.items()
    ]
    write(tmp_path / "allreduce_bench.json", rows, ranks="4")
    return tmp_path


def write(path, rows, **context):
    path.write_text(json.dumps({"context": context, "benchmarks": rows}))


@pytest.mark.parametrize("p", [2, 3, 4, 8])
def test_the_fit_finds_the_constants_that_made_the_times(p):
    rows = {name: times for name, times in made_allreduces(p).items() if name != "shared_memory"}
    found = costs.fit(rows, p)
    assert (found.alpha, found.beta, found.gamma) == pytest.approx((ALPHA, BETA, GAMMA), rel=1e-3)
    assert found.residual < 1e-6
    each = costs.fit_each(made_allreduces(p), p)
    assert (each["ring"].alpha, each["ring"].beta) == pytest.approx((ALPHA, BETA), rel=1e-3)


@pytest.mark.parametrize("p", [2, 3, 4, 5, 8, 64, 1000])
def test_no_allreduce_beats_the_bounds(p):
    constants = costs.Constants(ALPHA, BETA, 0.0)
    for name in ("ring", "recursive_doubling", "rabenseifner"):
        for n in (4, 1 << 20):
            assert constants.seconds(costs.FORMULAS[name], p, n) >= max(
                math.floor(math.log2(p)) * ALPHA, 2 * (p - 1) / p * n * BETA * (1 - 1e-12)
            )
    # Rabenseifner's moves the fewest bytes in the fewest such steps: at large n it is as good as the ring, at small n better.
    assert constants.seconds(costs.rabenseifner, 64, 1 << 20) <= constants.seconds(costs.ring, 64, 1 << 20)


def test_one_rank_exchanges_nothing():
    assert costs.Constants(ALPHA, BETA, GAMMA).seconds(costs.ring, 1, 100) == 0.0
    with pytest.raises(AnalysisError, match="nothing to fit"):
        costs.fit(made_allreduces(2), 1)


def test_times_between_measured_sizes_are_interpolated():
    assert costs.interpolate({100: 1.0, 400: 4.0}, 200) == pytest.approx(2.0)
    assert costs.interpolate({100: 1.0, 400: 4.0}, 800) == pytest.approx(8.0)
    assert costs.interpolate({100: 1.0, 400: 4.0}, 1) == 1.0


def test_products_take_their_operations_over_the_rate(bench, points):
    products = Products(read_benchmarks(bench), "tiled")
    layers = linear_layers(points[0].first)
    assert layers == [(784, 16), (16, 10)]
    flop = 2 * 64 * (2 * 784 * 16 + 3 * 16 * 10)
    assert step_products(layers, products, 64) == pytest.approx(flop / RATE, rel=1e-6)
    assert step_products(layers, products, 48) == pytest.approx(0.75 * flop / RATE, rel=1e-6)
    assert products.seconds(("NN", 4, 16, 784)) == pytest.approx(2 * 4 * 16 * 784 / RATE, rel=1e-6)
    assert products.seconds(("NN", 64, 500, 784)) == pytest.approx(2 * 64 * 500 * 784 / RATE, rel=1e-6)


def test_the_serial_runs_calibrate_what_is_not_products(bench, points):
    model = EpochModel(read_benchmarks(bench))
    model.calibrate(points)
    [serial] = [p for p in points if p.algorithm == "serial"]
    steps_flop = 2 * (2 * 784 * 16 + 3 * 16 * 10)
    if serial.epoch_s.value > serial.samples * steps_flop / RATE:  # else the factor is held at 1
        assert model.predict(serial, 1).epoch_s == pytest.approx(
            serial.epoch_s.value, rel=0.03
        )  # 1003 samples are 15.67 batches, 16 steps
    assert "serial runs" in model.overhead_from


def test_without_serial_runs_epoch_bench_calibrates(bench, points):
    [serial] = [p for p in points if p.algorithm == "serial"]
    step_s = 3.0 * 2 * 64 * (2 * 784 * 16 + 3 * 16 * 10) / RATE
    row = {"name": f"serial_epoch/{serial.config['model']}/tiled/batch:64/manual_time", "run_type": "iteration",
           "real_time": 1e3 * 100 * step_s, "time_unit": "ms", "steps": 100, "over_floor": 1.5}
    write(bench / "epoch_bench.json", [row])
    model = EpochModel(read_benchmarks(bench))
    model.calibrate([p for p in points if p.algorithm != "serial"])
    assert "epoch_bench" in model.overhead_from
    assert model.predict(serial, 1).epoch_s == pytest.approx(16 * step_s, rel=1e-6)


def test_ranks_that_share_parameters_read_what_the_others_have_written(bench, points):
    model = EpochModel(read_benchmarks(bench))
    point = next(p for p in points if p.algorithm == "parallel_sgd")
    model.gather_s[point.problem] = {64: 1e-6}
    layers = [(784, 16), (16, 10)]

    def step_s(batch):
        return model.shared_step(point, layers, divide(layers, batch, 2))

    def reading_s(floats):
        return 2 * model.memory.alpha + 4 * floats / 2 * model.memory.beta

    first, second = 785 * 16, 17 * 10
    # Contributions to the first layer; its output gradients; the second layer's, with half of its inputs; its parameters.
    assert step_s(8) == pytest.approx(reading_s(8 * 16 + 8 * 16 + 8 * (8 + 10) + second), rel=1e-6)
    # From 14 samples on the second layer's gradients are fewer floats.
    assert step_s(64) == pytest.approx(reading_s(64 * 16 + 64 * 16 + second + second), rel=1e-6)
    # From 393 on the first layer's parameters are read, and its part of the others' inputs is made.
    assert step_s(500) == pytest.approx(reading_s(500 * 16 + first + second + second) + 1e-6 * 500 / 2, rel=1e-6)

    point.first.provenance["exchange_choice"] = "shared"
    assert model.predict(point, 2).exchange_s == pytest.approx(math.ceil(point.samples / point.batch) * step_s(point.batch))


def test_what_is_divided_costs_its_part(bench, points):
    products = Products(read_benchmarks(bench), "tiled")
    layers = [(784, 16), (16, 10)]
    whole = step_products(layers, products, 64)
    assert step_products(layers, products, 32, divide(layers, 64, 2)) == pytest.approx(whole / 2, rel=1e-6)


def test_more_ranks_have_less_to_do_and_more_to_say(bench, points):
    model = EpochModel(read_benchmarks(bench))
    model.calibrate(points)
    cluster = Cluster("c", 4, 2e-6, 1e-10)
    for algorithm in ("param_avg", "parallel_sgd"):
        point = next(p for p in points if p.algorithm == algorithm)
        predicted = [model.predict(point, n, cluster, samples=60000) for n in rank_counts(64)]
        assert all(a.compute_s >= b.compute_s for a, b in zip(predicted, predicted[1:]))
        assert predicted[0].exchange_s == 0.0 and predicted[-1].exchange_s > predicted[1].exchange_s > 0.0
    averaging = next(p for p in points if p.algorithm == "param_avg")
    assert averages(averaging, 100) == 1.0


def test_a_machine_that_was_not_measured_is_an_error_with_a_way_out(tmp_path, bench):
    with pytest.raises(AnalysisError, match="make bench"):
        read_benchmarks(tmp_path / "nowhere")
    (bench / "gemm_bench.json").write_text("{}")
    with pytest.raises(AnalysisError, match="no result of Google Benchmark"):
        read_benchmarks(bench)


@pytest.mark.parametrize(
    "change,words",
    [({"cores": 3}, "unknown key cores"), ({"alpha_s": None}, "alpha_s is missing"), ({"alpha_s": -1.0}, "must be positive"),
     ({"network": "torus"}, "network is .torus., not an object")],
)
def test_a_cluster_is_checked(tmp_path, change, words):
    given = json.loads((EXAMPLES / "ethernet_10g.json").read_text()) | change
    (tmp_path / "c.json").write_text(json.dumps({k: v for k, v in given.items() if v is not None}))
    with pytest.raises(AnalysisError, match=words):
        read_cluster(tmp_path / "c.json")


def test_every_example_of_a_cluster_can_be_read():
    assert [read_cluster(path).name for path in sorted(EXAMPLES.glob("*.json"))]
    assert read_cluster(None).cores_per_node > 1


def test_what_a_flat_network_leaves_out_is_said():
    flat = read_cluster(None)
    assert flat.left_out == [] and "flat" not in network_words(flat)
    said = {name: read_cluster(EXAMPLES / f"{name}.json") for name in ("dragonfly", "cloud_noise")}
    assert said["dragonfly"].left_out == ["dragonfly"] and said["cloud_noise"].left_out == ["noise", "bad links"]
    assert "leaves out the file's noise, bad links." in network_words(said["cloud_noise"])
