# SPDX-License-Identifier: BSD-3-Clause
"""One training under jobs/local.sh, for the comparisons of this folder: launching it, and choosing among cases."""

import os
import subprocess
import time
from fnmatch import fnmatch
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "BLIS_NUM_THREADS": "1"}


class RunFailed(Exception):
    """A training that did not end well; the message is the end of what it said."""


def launch(ranks, command):
    """Runs a command on so many ranks; returns its wall time. Raises RunFailed."""
    before = time.perf_counter()
    done = subprocess.run([str(ROOT / "jobs/local.sh"), str(ranks), *map(str, command)], cwd=ROOT, text=True,
                          stdin=subprocess.DEVNULL, capture_output=True, env={**os.environ, **ONE_THREAD})
    if done.returncode != 0:
        raise RunFailed("\n".join((done.stderr or done.stdout).strip().splitlines()[-12:]))
    return time.perf_counter() - before


def chosen(cases, patterns):
    """The cases whose name fits one of the patterns, all without patterns; raises ValueError for a pattern that none fits."""
    for pattern in patterns:
        if not any(fnmatch(case.name, pattern) for case in cases):
            raise ValueError(f"no case fits '{pattern}'; there are: {', '.join(case.name for case in cases)}")
    return [case for case in cases if not patterns or any(fnmatch(case.name, pattern) for pattern in patterns)]
