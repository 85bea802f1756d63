# SPDX-License-Identifier: BSD-3-Clause
"""The performance model: why an epoch takes as long as it does, from microbenchmarks of the same machine."""
