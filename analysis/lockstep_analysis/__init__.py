# SPDX-License-Identifier: BSD-3-Clause
"""Turns Lockstep's run files into tables."""
