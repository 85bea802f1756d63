# SPDX-License-Identifier: BSD-3-Clause
"""A process that is known by more than its number: numbers are used again, so we kill only what also started when ours did."""

import os
import select
import signal
from dataclasses import dataclass
from pathlib import Path


def _stat(pid):
    """State, parent and start time (in ticks since the machine started) of a process; None if there is none."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()  # the name before it may hold blanks
    except (FileNotFoundError, ProcessLookupError):
        return None
    return fields[0], int(fields[1]), int(fields[19])


@dataclass(frozen=True)
class Process:
    pid: int
    started: int

    @classmethod
    def of(cls, pid):
        return cls(pid, _stat(pid)[2])

    def alive(self):
        stat = _stat(self.pid)
        return stat is not None and stat[2] == self.started and stat[0] != "Z"

    def child(self):
        """Its first child, or None."""
        for entry in sorted(Path("/proc").glob("[0-9]*"), key=lambda entry: int(entry.name)):
            stat = _stat(entry.name)
            if stat is not None and stat[1] == self.pid and self.alive():
                return Process(int(entry.name), stat[2])
        return None

    def kill(self, timeout_s=10):
        """Kills it and waits until it is gone. A process that is gone already is none of our business."""
        try:
            handle = os.pidfd_open(self.pid)  # from here on the number cannot come to mean another process
        except ProcessLookupError:
            return
        try:
            if self.alive():
                signal.pidfd_send_signal(handle, signal.SIGKILL)
                if not select.select([handle], [], [], timeout_s)[0]:
                    raise TimeoutError(f"process {self.pid} outlives kill -9 by {timeout_s} s")
        finally:
            os.close(handle)
