# SPDX-License-Identifier: BSD-3-Clause
"""A cluster to predict for, from a small JSON file; jobs/clusters/ has examples. docs/simulation.md explains its keys."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from lockstep_analysis.errors import AnalysisError
from lockstep_analysis.plain import read_json


@dataclass(frozen=True)
class Cluster:
    """Nodes of `cores_per_node` cores, alpha and beta between nodes. Cores and what is within a node are taken from the machine
    that was measured, times `core_speed`. The memory's numbers, costs of a message, topology and trouble are for simulations
    alone, and `fit` (of a calibration) is for people."""

    name: str
    cores_per_node: int
    alpha_s: float
    beta_s_per_byte: float
    memory_alpha_s: float = 5e-7
    memory_beta_s_per_byte: float = 1e-10
    core_speed: float = 1.0
    most_ranks: int = 4096
    source: str = ""
    send_overhead_s: float = 0.0
    receive_overhead_s: float = 0.0
    network: dict[str, Any] = field(default_factory=dict)
    trouble: dict[str, Any] = field(default_factory=dict)
    fit: dict[str, Any] = field(default_factory=dict)

    @property
    def left_out(self) -> list[str]:
        """What the file describes and the model does not know: it has a flat network, on which nothing goes wrong."""
        topology = self.network.get("topology", "flat")
        costs = ["costs of a message"] if self.send_overhead_s or self.receive_overhead_s else []
        trouble = {"noise": "noise", "nodes": "slow nodes", "links": "bad links"}
        return [*([topology] if topology != "flat" else []), *costs, *(text for key, text in trouble.items() if key in self.trouble)]


EXAMPLES = Path(__file__).resolve().parents[3] / "jobs/clusters"


def read_cluster(path: Path | None) -> Cluster:
    path = path or EXAMPLES / "infiniband_hdr100.json"
    if not path.exists() and (EXAMPLES / f"{path}.json").exists():
        path = EXAMPLES / f"{path}.json"
    if not path.is_file():
        raise AnalysisError(
            f"there is no file {path}", f"there are: {', '.join(sorted(p.stem for p in EXAMPLES.glob('*.json')))}"
        )
    given = read_json(path)
    if not isinstance(given, dict):
        raise AnalysisError(f"{path} describes no cluster", 'an object {"name": ..., "cores_per_node": ...}')
    known = {f.name for f in fields(Cluster)}
    unknown, missing = set(given) - known, {"name", "cores_per_node", "alpha_s", "beta_s_per_byte"} - set(given)
    if unknown or missing:
        raise AnalysisError(
            f"{path}: " + "; ".join([f"unknown key {k}" for k in sorted(unknown)] + [f"{k} is missing" for k in sorted(missing)]),
            f"known keys: {', '.join(sorted(known))}",
        )
    types = {"name": (str, "a text"), "source": (str, "a text"), "network": (dict, "an object"), "trouble": (dict, "an object"),
             "fit": (dict, "an object")}
    for key, value in given.items():
        kind, words = types.get(key, ((int, float), "a number"))
        if isinstance(value, bool) or not isinstance(value, kind):
            raise AnalysisError(f"{path}: {key} is {json.dumps(value)}, not {words}")
    cluster = Cluster(**given)
    if cluster.cores_per_node < 1 or cluster.alpha_s <= 0 or cluster.beta_s_per_byte <= 0 or cluster.core_speed <= 0:
        raise AnalysisError(f"{path}: cores_per_node, alpha_s, beta_s_per_byte and core_speed must be positive")
    return cluster
