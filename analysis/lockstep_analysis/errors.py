# SPDX-License-Identifier: BSD-3-Clause
"""What a user can cause: each message says what is wrong, and the hint what to do."""

from __future__ import annotations


class AnalysisError(Exception):
    """Bad input. The command line prints it and ends with status 2."""

    def __init__(self, what: str, hint: str = "") -> None:
        super().__init__(f"{what}\n  {hint}" if hint else what)
        self.what, self.hint = what, hint


class NoRuns(AnalysisError):
    """There is nothing to analyse."""


class NotComparable(AnalysisError):
    """Runs that answer different questions were put into one figure."""
