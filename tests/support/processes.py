# SPDX-License-Identifier: BSD-3-Clause
"""Processes that may end while a test looks at them."""

import os


def program_of(pid):
    """The path of the program that a process runs; "" if it has ended."""
    try:
        return os.readlink(f"/proc/{pid}/exe")
    except OSError:
        return ""
