# SPDX-License-Identifier: BSD-3-Clause
"""What holds of a run's algorithm, as it declares in the run file (docs/run_file.md), and what its options of older files were."""

from __future__ import annotations

from typing import Any

# Files of 0.1.0 do not say: what its algorithms would have declared. No newer algorithm belongs here.
_OF_0_1_0 = {
    "serial": {"one_model", "equals_serial", "divides_batches", "deterministic", "resumes_bitwise"},
    "parallel_sgd": {"one_model", "equals_serial", "divides_batches", "deterministic", "resumes_bitwise"},
}
_OTHERWISE = {"deterministic", "resumes_bitwise"}

# Options that came later: where a file lacks one, this was the only way.
_LATER_OPTIONS = {"compress": "none", "batch_norm": "own", "init_from": "", "reproducible": False}


def capabilities(config: dict[str, Any], provenance: dict[str, Any]) -> frozenset[str]:
    declared = provenance.get("capabilities")
    return frozenset(_OF_0_1_0.get(str(config.get("algorithm")), _OTHERWISE) if declared is None else declared)


def without_later_options(config: dict[str, Any]) -> dict[str, Any]:
    """So that runs of old and new versions that were told the same compare."""
    return {key: value for key, value in config.items() if key not in _LATER_OPTIONS or value != _LATER_OPTIONS[key]}
