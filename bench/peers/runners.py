# SPDX-License-Identifier: BSD-3-Clause
"""Runs one training of Lockstep or of PyTorch, both under jobs/local.sh: the same launcher, binding and thread count."""

import json
import os
import subprocess
import sys
from pathlib import Path

import h5py

from trainings import ONE_THREAD, ROOT, RunFailed, launch

NOT_INSTALLED = "not installed: apt install python3-torch"


def text(value):
    return value.decode() if isinstance(value, bytes) else str(value)


def run_lockstep(options, case, contestant, seed, folder):
    """One run of Lockstep, as its run file tells it (docs/run_file.md)."""
    run_id = contestant.name.replace(" ", "-")
    wall_s = launch(contestant.ranks, [
        options.bin / "train", "--algorithm", contestant.algorithm, "--model", case.model, "--dataset", options.dataset,
        "--data-dir", options.data_dir, "--batch-size", case.batch, "--epochs", case.epochs, "--seed", seed,
        "--experiment", "peers", "--results", folder, "--run-id", run_id, "--progress", "off",
        *case.settings, *options.lockstep_args])
    with h5py.File(folder / "peers" / f"{run_id}.h5") as run:
        series = run["epochs"]
        provenance = {key: text(value[()]) if value.shape == () and value.dtype.kind == "O" else value[()].tolist()
                      for key, value in run["provenance"].items() if value.shape == ()}
        return {"epoch_s": series["epoch_s"][:].tolist(), "train_loss": series["train_loss"][:].tolist(),
                "accuracy": series["test_accuracy"][:].tolist(), "parameters": provenance["parameter_count"],
                "outside_s": wall_s - float(series["wall_clock_s"][-1]),
                "config": json.loads(text(run["config"][()])), "model": json.loads(text(run["model"][()])),
                "about": {**provenance, "bindings": [text(value) for value in run["provenance/bindings"][()]]}}


def torch_absence():
    """Why PyTorch cannot take part: {contestant's kind of training: reason}; empty when all is there."""
    probe = "import torch.distributed as d; print(int(d.is_available() and d.is_gloo_available()))"
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, env={**os.environ, **ONE_THREAD})
    if done.returncode != 0:
        named = "No module named 'torch'" in done.stderr
        reason = NOT_INSTALLED if named else f"{NOT_INSTALLED} ({(done.stderr.strip().splitlines() or ['?'])[-1]})"
        return {"serial": reason, "parallel_sgd": reason}
    return {} if done.stdout.strip() == "1" else {"parallel_sgd": "this PyTorch is built without gloo"}


def run_torch(contestant, base, folder, storage):
    """One run of PyTorch with the settings and the model that the run `base` of Lockstep recorded."""
    config = base["config"]
    job, result = folder / "job.json", folder / "result.json"
    job.write_text(json.dumps({"config": config, "model": base["model"], "classes": 10, "epochs": config["epochs"],
                               "storage": storage, "data": str((ROOT / config["data_dir"] / config["dataset"]).resolve())}))
    for left in (result, folder / "result.json.meet"):
        left.unlink(missing_ok=True)
    wall_s = launch(contestant.ranks, [sys.executable, Path(__file__).with_name("torch_worker.py"), job, result])
    run = json.loads(result.read_text())
    if run["parameters"] != base["parameters"]:
        raise RunFailed(f"its model has {run['parameters']} parameters, Lockstep's has {base['parameters']}")
    return {**run, "outside_s": wall_s - run.pop("wall_s")}
