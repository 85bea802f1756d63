# SPDX-License-Identifier: BSD-3-Clause
"""A private Slurm on this machine: a login host with the controller, and nodes, each with network, hostname, /dev/shm and
processes of its own. Needs root. Nothing of it is seen outside its namespaces but one folder.

    with Cluster(nodes=4, cpus=4) as cluster:
        cluster.exec("sbatch", "-n", "8", "jobs/train.sbatch", ...)
"""

import json
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import config
from host import Host, LabError, clean_environment
from process import Process

ROOT = Path(__file__).resolve().parents[2]
PREFIX = "lockstep-lab."
PATIENCE_S = 300  # what takes longer hangs: a machine with other work is slow, and some of Slurm's timers take a minute
LONGEST_FOLDER = 60  # the path of a Unix socket is 107 bytes at most, and Slurm puts its own below
ENDED = ("COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL", "PREEMPTED", "OUT_OF_MEMORY", "BOOT_FAIL", "DEADLINE")


class Cluster:
    def __init__(self, nodes=4, cpus=4, folder=None):
        """With a folder the cluster stays up until somebody calls down() on it; without one it has a temporary folder and
        dies with this process."""
        self.temporary = folder is None
        if folder is None:
            clear_leftovers()
            us = Process.of(os.getpid())
            folder = tempfile.mkdtemp(prefix=f"{PREFIX}{us.pid}.{us.started}.")
        self.folder = Path(folder).resolve()
        self.nodes, self.cpus = nodes, cpus
        self.hosts = {}

    @classmethod
    def at(cls, folder):
        """The cluster that lives in a folder."""
        try:
            state = json.loads((Path(folder) / "cluster.json").read_text())
        except FileNotFoundError:
            raise LabError(f"no cluster in {folder}") from None
        self = cls(state["nodes"], state["cpus"], folder)
        self.hosts = {name: Host(name, Process(*process)) for name, process in state["hosts"].items()}
        return self

    def __enter__(self):
        return self.up()

    def __exit__(self, *_):
        self.down()

    # Up and down

    def up(self):
        """Starts all hosts and waits until every node is idle."""
        if len(str(self.folder)) > LONGEST_FOLDER:
            raise LabError(f"the path of the folder is longer than {LONGEST_FOLDER} bytes: {self.folder}")
        self.folder.mkdir(exist_ok=True)
        if any(self.folder.iterdir()):
            raise LabError(f"{self.folder} is not empty")
        try:
            config.write_files(self.folder, self.nodes, self.cpus)
            self._start("login", 0)
            for index in range(1, self.nodes + 1):
                self._start(f"n{index}", index)
            self.wait_idle()
        except BaseException:  # a Ctrl-C too
            self.down()
            raise
        return self

    def down(self):
        """Ends everything that runs on the cluster, and removes its folder. Does no harm when called twice."""
        for host in reversed(self.hosts.values()):  # the nodes first
            host.init.kill()
        self.hosts.clear()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _start(self, name, index):
        self.hosts[name] = Host.start(self.folder, name, config.address(index), beside=self.hosts.get("login"),
                                      die_with_us=self.temporary)
        self._save()

    def _save(self):
        hosts = {host.name: [host.init.pid, host.init.started] for host in self.hosts.values()}
        text = json.dumps({"nodes": self.nodes, "cpus": self.cpus, "hosts": hosts})
        new = self.folder / "cluster.json.new"
        new.write_text(text)
        new.rename(self.folder / "cluster.json")

    # Faults

    def crash(self, node):
        """Ends a node with all that runs on it, as a loss of power does."""
        self.hosts.pop(node).init.kill()
        self._save()

    def boot(self, node):
        """Starts a node that has crashed."""
        if node in self.hosts and self.hosts[node].init.alive():
            raise LabError(f"{node} is up")
        self._start(node, int(node.removeprefix("n")))

    def kill_slurmd(self, node):
        """Ends a node's slurmd alone; its job steps go on."""
        self.on(node, "kill", "-9", (self.folder / "run" / f"slurmd.{node}.pid").read_text().strip())

    def start_slurmd(self, node):
        self.on(node, "slurmd", "-N", node)

    # Commands

    def command(self, command, host="login", cwd=ROOT):
        """What to run outside so that `command` runs on a host."""
        if host not in self.hosts or not self.hosts[host].init.alive():
            raise LabError(f"{host} is not up")
        return self.hosts[host].command(command, cwd)

    def on(self, host, *command, cwd=ROOT, env=None, check=True, timeout=PATIENCE_S):
        """Runs a command on a host, and returns what subprocess.run does. A command that fails is an error unless `check` is
        False."""
        done = subprocess.run(self.command(command, host, cwd), capture_output=True, text=True, timeout=timeout,
                              stdin=subprocess.DEVNULL, env={**clean_environment(self.folder), **(env or {})})
        if check and done.returncode != 0:
            raise LabError(f"{' '.join(map(str, command))}: exit status {done.returncode}\n{done.stdout}{done.stderr}")
        return done

    def exec(self, *command, **options):
        """Runs a command on the login host."""
        return self.on("login", *command, **options)

    def sbatch(self, *arguments, **options):
        """Submits a job and returns its number."""
        return int(self.exec("sbatch", "--parsable", *arguments, **options).stdout.split(";")[0])

    # Waiting

    def wait_idle(self, timeout=PATIENCE_S):
        """Until every node that is up is idle and no job waits, such as one that depended on those that have ended."""
        names = ",".join(name for name in self.hosts if name != "login")
        wait_until(lambda: set(self.exec("sinfo", "-h", "-N", "-o", "%T", "-n", names).stdout.split()) == {"idle"}
                   and not self.exec("squeue", "-h").stdout,
                   "the cluster is not idle", lambda: self.exec("sinfo", "-N", "-l").stdout + self.exec("squeue").stdout, timeout)

    def jobs(self):
        """All jobs since the start, as `squeue --json` tells them, by number."""
        return {job["job_id"]: job for job in json.loads(self.exec("squeue", "-t", "all", "--json").stdout)["jobs"]}

    def job(self, number):
        return self.jobs()[number]

    def wait_for(self, number, states=ENDED, timeout=PATIENCE_S):
        """Until a job is in one of the states; returns it. Without states: until it has ended."""
        states = (states,) if isinstance(states, str) else states
        wait_until(lambda: self.job(number)["job_state"] in states, f"job {number} is not {' or '.join(states)}",
                   lambda: self.exec("scontrol", "show", "job", number).stdout, timeout)
        return self.job(number)


def wait_until(condition, complaint, evidence=lambda: "", timeout=PATIENCE_S):
    """Looks ten times a second; returns what it saw at last. After the timeout: an error with the complaint and the evidence."""
    deadline = time.monotonic() + timeout
    while not (seen := condition()):
        if time.monotonic() > deadline:
            raise LabError(f"{complaint} after {timeout} s:\n{evidence()}")
        time.sleep(0.1)
    return seen


def clear_leftovers():
    """Removes the temporary clusters whose owners have died without doing so."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*.*.*"):
        pid, started = map(int, folder.name.removeprefix(PREFIX).split(".")[:2])
        if Process(pid, started).alive():
            continue
        try:
            Cluster.at(folder).down()
        except LabError:  # it had not come so far, or another process clears it too
            shutil.rmtree(folder, ignore_errors=True)
