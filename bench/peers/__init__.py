# SPDX-License-Identifier: BSD-3-Clause
"""Lockstep beside PyTorch on the same training; docs/benchmarks.md."""
