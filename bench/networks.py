#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""How well simulations predict training on a network that is slower than computing. Four nodes of the tests' private Slurm have a
cable each that is shaped to a known rate; two of them are calibrated, by messages alone; then every case is simulated on four and run
on four. Computing is replaced by waiting (build/bin/emulate), because this machine has not enough cores for four. Needs root.

    bench/networks.py [--rates 100mbit,1gbit] [--repeats 3] [--json FILE] [PATTERN ...]
"""

import argparse
import fnmatch
import json
import statistics
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import h5py

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(1, str(ROOT / "tests/slurm"))
import requirements  # noqa: E402
from cluster import Cluster  # noqa: E402
from predictions import report  # noqa: E402

NODES = 4


@dataclass(frozen=True)
class Rate:
    burst: str    # that passes at once: a packet of 64 KB at the high rate, which this machine cannot cut into frames in time
    model: str    # whose messages are long against the burst
    gflops: float  # of a core, so that messages take about as long as computing


RATES = {"100mbit": Rate("4kb", "model_a", 2), "1gbit": Rate("64kb", "model_a_large", 20)}
STEPS, BATCH, EPOCHS = 10, 512, 3  # the first epoch is left out
ALLREDUCES = ["ring", "rabenseifner", "recursive_doubling", "mpi"]
CASES = {f"parallel_sgd {name}": ["--algorithm", "parallel_sgd", "--exchange", "allreduce", "--allreduce", name, "--batch-size", BATCH]
         for name in ALLREDUCES}
CASES |= {f"param_avg {name}": ["--algorithm", "param_avg", "--avg-steps", 2, "--allreduce", name, "--batch-size", BATCH // NODES]
          for name in ALLREDUCES}
# By default Open MPI asks over TCP before it sends more than 64 KiB. Where ranks come to an exchange one after the other, the answer to
# the later one waits behind the data of the earlier in the same connection: both ways at once take up to twice as long as one way, which
# no simulation of the network alone can know (docs/simulation.md).
EAGER = {"OMPI_MCA_btl_tcp_eager_limit": "16777216", "OMPI_MCA_btl_tcp_sndbuf": "4194304", "OMPI_MCA_btl_tcp_rcvbuf": "4194304"}
ENVIRONMENT = json.loads((ROOT / "tests/slurm/site_srun.json").read_text())["environment"] | EAGER


@contextmanager
def shaped(cluster, rate):
    """What the nodes send is shaped to `rate`, in bursts of a few packets."""
    nodes = [f"n{i}" for i in range(1, NODES + 1)]
    try:
        for node in nodes:
            cluster.on(node, "tc", "qdisc", "add", "dev", "eth0", "root", "tbf", "rate", rate, "burst", RATES[rate].burst, "latency", "50ms")
        yield
    finally:
        for node in nodes:
            cluster.on(node, "tc", "qdisc", "del", "dev", "eth0", "root", check=False)


def words_of(rate, case):
    return ["train", *map(str, CASES[case]), "--model", RATES[rate].model, "--dataset", "synthetic", "--synthetic-train", str(STEPS * BATCH), "--synthetic-test",
            "100", "--epochs", str(EPOCHS), "--gemm", "tiled", "--checkpoint-minutes", "0", "--progress", "off", "--run-id", "run"]


def epochs_of(folder):
    """Seconds of each epoch but the first."""
    path = folder / "runs/run.h5"
    with h5py.File(path) as file:
        seconds = file["epochs/epoch_s"][1:].tolist()
    path.unlink()
    return seconds


def calibrated(cluster, path):
    """The file of a cluster of such nodes, without the noise of this machine's cores: none of them computes."""
    cluster.exec("srun", "-N", "2", "--ntasks-per-node=1", ROOT / "build/bin/calibrate", path, "--seconds", "0.05", env=ENVIRONMENT)
    found = json.loads(path.read_text())
    found.pop("trouble", None)
    found["cores_per_node"] = 1
    path.write_text(json.dumps(found))
    return found


def simulated_s(rate, case, cluster_file, kernels, folder):
    words = [ROOT / "jobs/simulate.sh", str(NODES), "--cluster", cluster_file, "--kernels", kernels, "--timing-only", *words_of(rate, case),
             "--results", folder]
    done = subprocess.run(list(map(str, words)), cwd=ROOT, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        sys.exit(f"error: {' '.join(map(str, words))}\n{done.stderr}")
    return statistics.median(epochs_of(folder))


def measure(cluster, rate, cases, repeats, folder):
    kernels = folder / "kernels.json"
    kernels.write_text(json.dumps({"processor": "none", "gflops": RATES[rate].gflops, "gbytes_per_s": 10, "kernels": {}}))
    with shaped(cluster, rate):
        found = calibrated(cluster, folder / "cluster.json")
        print(f"{rate}: alpha {1e6 * found['alpha_s']:.0f} us, beta {1e9 * found['beta_s_per_byte']:.2f} ns/byte", flush=True)
        rows = [{"case": f"{rate} {case}", "predicted_s": simulated_s(rate, case, folder / "cluster.json", kernels, folder), "measured_s": []}
                for case in cases]
        for repeat in range(repeats):
            for row, case in zip(rows, cases):
                cluster.exec("srun", "-N", NODES, "--ntasks-per-node=1", ROOT / "build/bin/emulate", "--kernels", kernels,
                             *words_of(rate, case), "--results", folder, env=ENVIRONMENT)
                row["measured_s"] += epochs_of(folder)
            print(f"{rate}: {repeat + 1} of {repeats} rounds", file=sys.stderr)
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("patterns", nargs="*", metavar="PATTERN", help="of cases, e.g. 'param_avg *'")
    parser.add_argument("--rates", default=",".join(RATES), help="of the cables")
    parser.add_argument("--repeats", type=int, default=3, help="real runs a case, in turns")
    parser.add_argument("--json", type=Path, help="all figures as a file")
    given = parser.parse_intermixed_args()
    cases = [case for case in CASES if not given.patterns or any(fnmatch.fnmatch(case, pattern) for pattern in given.patterns)]
    if not cases or not set(given.rates.split(",")) <= set(RATES):
        parser.error(f"cases: {', '.join(CASES)}; rates: {', '.join(RATES)}")
    requirements.check()
    rows = []
    with Cluster(nodes=NODES, cpus=4) as cluster, tempfile.TemporaryDirectory() as name:
        for rate in given.rates.split(","):
            found = measure(cluster, rate, cases, given.repeats, Path(name))
            report(found)
            rows += found
    if given.json:
        given.json.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
