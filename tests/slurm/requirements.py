# SPDX-License-Identifier: BSD-3-Clause
"""What a private Slurm needs of the machine."""

import os
import shutil
import subprocess
from pathlib import Path

from host import LabError

ROOT = Path(__file__).resolve().parents[2]
ROOT_ONLY = "only root can make the namespaces of its hosts"
NAMESPACES = ("this machine lets nobody make namespaces (unshare says so); in a container, start it with the right to: "
              "docker run --privileged")

NO_SLURM = "Slurm is not here, and `make deps` installs it by apt-get only, which is not here either"


def missing_packages():
    """What mk/deps.sh says of its group slurm; "" if all is here."""
    done = subprocess.run([ROOT / "mk/deps.sh", "--check", "slurm"], capture_output=True, text=True)
    return done.stderr.strip() if done.returncode != 0 else ""


def why_impossible():
    """Why this user on this machine cannot have one, whatever `make deps` may install; "" if that is not so."""
    if os.geteuid() != 0:
        return ROOT_ONLY
    trial = ["unshare", "--net", "--uts", "--mount", "--pid", "--fork", "--mount-proc", "true"]
    if subprocess.run(trial, capture_output=True).returncode != 0:
        return NAMESPACES
    return NO_SLURM if shutil.which("apt-get") is None and missing_packages() else ""


def check():
    """Throws an error that says what is missing."""
    if why := why_impossible():
        raise LabError(why)
    if missing := missing_packages():
        raise LabError(missing)
