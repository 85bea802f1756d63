# SPDX-License-Identifier: BSD-3-Clause
"""What a private Slurm needs of the machine."""

import os
import subprocess
from pathlib import Path

from host import LabError

ROOT = Path(__file__).resolve().parents[2]
ROOT_ONLY = "only root can make the namespaces of its hosts"
NAMESPACES = ("this machine lets nobody make namespaces (unshare says so); in a container, start it with the right to: "
              "docker run --privileged")


def why_impossible():
    """Why this user on this machine cannot have one, whatever is installed; "" if that is not so."""
    if os.geteuid() != 0:
        return ROOT_ONLY
    trial = ["unshare", "--net", "--uts", "--mount", "--pid", "--fork", "--mount-proc", "true"]
    return "" if subprocess.run(trial, capture_output=True).returncode == 0 else NAMESPACES


def check():
    """Throws an error that says what is missing."""
    if why := why_impossible():
        raise LabError(why)
    packages = subprocess.run([ROOT / "mk/deps.sh", "--check", "slurm"], capture_output=True, text=True)
    if packages.returncode != 0:
        raise LabError(packages.stderr.strip())
