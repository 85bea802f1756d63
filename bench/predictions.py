# SPDX-License-Identifier: BSD-3-Clause
"""Predicted times beside measured ones: shared by what holds simulations against reality."""

import statistics


def report(rows):
    """Prints a line for each {case, predicted_s, measured_s: [...]}, adds its `error`, and sums up."""
    widest = max(len(row["case"]) for row in rows)
    print(f"{'case':{widest}} {'measured s':>10} {'quartiles':>17} {'predicted s':>11} {'error':>7}")
    for row in rows:
        low, middle, high = statistics.quantiles(row["measured_s"], n=4)
        row["error"] = row["predicted_s"] / middle - 1
        print(f"{row['case']:{widest}} {middle:10.4f} {low:8.4f} {high:8.4f} {row['predicted_s']:11.4f} {row['error']:+7.1%}")
    errors = sorted(abs(row["error"]) for row in rows)
    within = sum(error <= 0.10 for error in errors) / len(errors)
    print(f"{len(rows)} cases: {within:.0%} within 10%, median {statistics.median(errors):.1%}, largest {errors[-1]:.1%}", flush=True)
