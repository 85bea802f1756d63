# SPDX-License-Identifier: BSD-3-Clause
"""Medians, ratios and the table of the comparison, from the runs of all rounds."""

import numpy as np

from lockstep_analysis.statistics import median_interval
from lockstep_analysis.tables import layout

HEADER = ["contestant", "ranks", "epoch s (median)", "interval", "start+end s", "loss", "accuracy %"]


def spread(values):
    """{median, low, high, of}: the 95% interval of the median, or lowest and highest of fewer than 6 values."""
    median, low, high = median_interval(values)
    if np.isnan(low):
        return {"median": median, "low": float(min(values)), "high": float(max(values)), "of": "range"}
    return {"median": median, "low": low, "high": high, "of": "95%"}


def counted(run):
    """The median epoch of a run without its first one, in which caches, allocators and pages are still cold."""
    return float(np.median(run["epoch_s"][1:]))


def learns(run):
    return bool(np.isfinite(run["train_loss"]).all() and run["train_loss"][-1] < run["train_loss"][0])


def summarize(case, runs, absent):
    """The JSON of a case: `runs` is {contestant: [run of each round]}, `absent` is {contestant: why}."""
    contestants = []
    for who in case.contestants:
        row = {"name": who.name, "who": who.who, "algorithm": who.algorithm, "ranks": who.ranks}
        if who.name in absent:
            row["absent"] = absent[who.name]
        else:
            mine = runs[who.name]
            row.update(epoch_s=spread([counted(run) for run in mine]),
                       outside_s=float(np.median([run["outside_s"] for run in mine])),
                       accuracy=float(np.median([run["accuracy"][-1] for run in mine])),
                       learns=all(map(learns, mine)), rounds=[
                           {key: run[key] for key in ("epoch_s", "train_loss", "accuracy", "outside_s")} for run in mine])
        contestants.append(row)
    usable = {row["name"] for row in contestants if row.get("learns")}
    ratios = [{"over": pair.over, "under": pair.under, **spread(
                  [counted(a) / counted(b) for a, b in zip(runs[pair.over], runs[pair.under])])}
              for pair in case.comparisons if {pair.over, pair.under} <= usable]
    return {"name": case.name, "model": case.model, "batch": case.batch, "epochs_a_round": case.epochs,
            "contestants": contestants, "ratios": ratios}


def row_of(contestant):
    first = [contestant["name"], str(contestant["ranks"])]
    if "absent" in contestant:
        return [*first, *["-"] * (len(HEADER) - 2)]
    time = contestant["epoch_s"]
    first_loss = float(np.median([run["train_loss"][0] for run in contestant["rounds"]]))
    return [*first, f"{time['median']:.3f}", f"{time['low']:.3f} .. {time['high']:.3f}", f"{contestant['outside_s']:.1f}",
            f"{first_loss:.4f} -> {last_loss(contestant):.4f}", f"{100 * contestant['accuracy']:.2f}"]


def faults(summary):
    """What forbids to believe a case: a training that does not learn, or that ends elsewhere than the others."""
    present = [row for row in summary["contestants"] if "absent" not in row]
    found = [f"{row['name']} does not learn: its times are left out of the ratios" for row in present if not row["learns"]]
    # param_avg takes fewer steps: it may lag behind. Losses say more than accuracies, which are rough early in a training.
    losses = [last_loss(row) for row in present if row["algorithm"] != "param_avg"]
    if losses and not max(losses) <= 1.15 * min(losses):
        found.append("the losses at the end differ by more than 15%: is it the same training?")
    return found


def last_loss(contestant):
    return float(np.median([run["train_loss"][-1] for run in contestant["rounds"]]))


def table(summary):
    lines = [f"{summary['model']}, batch size {summary['batch']}, {summary['epochs_a_round']} epochs a round, the first not counted"]
    lines += layout([HEADER, *map(row_of, summary["contestants"])])
    lines += [f"{row['name']} ({row['ranks']} rank{'s' * (row['ranks'] > 1)}): {row['absent']}"
              for row in summary["contestants"] if "absent" in row]
    ranks = {row["name"]: row["ranks"] for row in summary["contestants"]}
    for ratio in summary["ratios"]:
        title = f"{ratio['over']} ({ranks[ratio['over']]}) / {ratio['under']} ({ranks[ratio['under']]})"
        lines.append(f"  {title:48} {ratio['median']:6.2f}   {ratio['low']:.2f} .. {ratio['high']:.2f}")
    return "\n".join([*lines, *(f"WARNING: {fault}" for fault in faults(summary))])
