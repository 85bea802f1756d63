# SPDX-License-Identifier: BSD-3-Clause
"""A "host": network, hostname, mounts and processes of its own, on the kernel and the files of this machine.

All of a host lives in the namespaces of its first process. When that dies, the kernel ends every process of the host and takes
the namespaces away, network and all: nothing is left behind, whatever way it died.
"""

import os
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from process import Process

SCRIPTS = Path(__file__).resolve().parent / "hosts"


class LabError(Exception):
    """The cluster did not do what it was asked for; the message says what was seen."""


@dataclass(frozen=True)
class Host:
    name: str
    init: Process  # the host's first process

    @classmethod
    def start(cls, folder, name, address, *, beside=None, die_with_us=False):
        """Starts a new host and waits until it is ready: a node on the bridge of the host `beside`, or without one the login
        host. `die_with_us`: the kernel kills the host when this process dies."""
        ready, log = folder / "run" / f"{name}.ready", folder / "log" / f"{name}.log"
        ready.unlink(missing_ok=True)
        script = SCRIPTS / ("node.sh" if beside else "login.sh")
        command = [*(["setpriv", "--pdeathsig", "KILL"] if die_with_us else []),
                   "unshare", "--net", "--uts", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc",
                   str(script), str(folder), name, address]
        # The neighbour's network goes along as an open file: its name in /proc means nothing in the new namespaces.
        network = [os.open(f"/proc/{beside.init.pid}/ns/net", os.O_RDONLY)] if beside else []
        try:
            with open(log, "ab") as output:
                # In a session of its own: a Ctrl-C at the terminal is ours to answer.
                outer = subprocess.Popen([*command, *map(str, network)], cwd="/", env=clean_environment(folder),
                                         stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                                         start_new_session=True, pass_fds=network)
        finally:
            for handle in network:
                os.close(handle)
        try:
            deadline = time.monotonic() + 20
            while not ready.exists():
                if outer.poll() is not None or time.monotonic() > deadline:
                    raise LabError(f"host {name} did not start:\n{log.read_text()}")
                time.sleep(0.01)
            return cls(name, Process.of(outer.pid).child())
        except BaseException:
            outer.kill()  # and with it the host
            raise

    def command(self, command, cwd="/"):
        """What to run here so that `command` runs there."""
        return ["nsenter", "--target", str(self.init.pid), "--net", "--uts", "--mount", "--pid", "--",
                "env", "-C", str(cwd), *map(str, command)]


def clean_environment(folder):
    """Our environment without what Slurm and Open MPI may have put there: the lab may itself be run in a job."""
    kept = {key: value for key, value in os.environ.items()
            if not key.startswith(("SLURM_", "SBATCH_", "SRUN_", "SQUEUE_", "PMIX_", "PMI_", "OMPI_"))}
    return {**kept, "SLURM_CONF": str(folder / "slurm.conf"), "PATH": f"{kept.get('PATH', '/usr/bin:/bin')}:/usr/sbin:/sbin"}
