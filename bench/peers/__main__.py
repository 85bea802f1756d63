# SPDX-License-Identifier: BSD-3-Clause
"""Lockstep beside PyTorch: the same training, in turns, on the same cores. The table goes to the terminal, all numbers to a
JSON file. Times are medians over rounds; a ratio is taken within each round, so that what disturbs the machine disturbs both."""

import argparse
import json
import os
import shlex
import sys
import tempfile
from pathlib import Path

from trainings import ONE_THREAD, ROOT, RunFailed, chosen

from .cases import all_cases
from .report import faults, summarize, table
from .runners import run_lockstep, run_torch, torch_absence


def arguments():
    parser = argparse.ArgumentParser(prog="peers", description=__doc__)
    parser.add_argument("--bin", type=Path, default=ROOT / "build/bin", help="folder of Lockstep's programs")
    parser.add_argument("--rounds", type=int, default=6, help="how often all take their turn; 6 give a 95%% interval")
    parser.add_argument("--ranks", type=int, default=2, help="ranks of the parallel contestants")
    parser.add_argument("--cases", default="", help="patterns of the cases to run, e.g. 'model_a/* lenet5/64'")
    parser.add_argument("--lockstep-args", default="", help="more options of Lockstep, e.g. '--gemm eigen'")
    parser.add_argument("--torch-storage", choices=("byte", "float"), default="byte",
                        help="how PyTorch keeps the images: float is scaled once, off the clock, but four times as large")
    parser.add_argument("--keep-coretype", action="store_true",
                        help="keep OPENBLAS_CORETYPE where the environment sets it; otherwise OpenBLAS chooses its kernels itself")
    parser.add_argument("--dataset", default="mnist")
    parser.add_argument("--data-dir", default="data")
    parser.add_argument("--out", type=Path, default=ROOT / "results/bench/peers.json")
    options = parser.parse_args()
    options.bin = options.bin.resolve()
    options.lockstep_args = shlex.split(options.lockstep_args)
    if options.rounds < 1 or options.ranks < 1:
        parser.error("--rounds and --ranks are at least 1")
    return options


def progress(text):
    if sys.stderr.isatty():
        print(f"\r{text.ljust(79)}\r", end="", file=sys.stderr, flush=True)


def run_case(case, options, absence, context):
    """The summary of a case. A peer that fails is named as absent, with what it said; Lockstep must not fail."""
    absent = {who.name: absence[who.algorithm] for who in case.contestants
              if who.who == "torch" and who.algorithm in absence}
    runs = {who.name: [] for who in case.contestants}
    for seed in range(1, options.rounds + 1):
        base = None
        for who in case.contestants:
            if who.name in absent:
                continue
            progress(f"{case.name}: round {seed} of {options.rounds}, {who.name}")
            with tempfile.TemporaryDirectory(prefix="peers-") as folder:
                if who.who == "lockstep":
                    run = run_lockstep(options, case, who, seed, Path(folder))
                    base = base or run
                    context.setdefault("lockstep", run["about"])
                    context.setdefault("configuration", {})[f"{case.name} {who.name}"] = run["config"]
                else:
                    try:
                        run = run_torch(who, base, Path(folder), options.torch_storage)
                    except RunFailed as failure:
                        absent[who.name] = f"failed: {failure}"
                        continue
                    context.setdefault("torch", {**run["about"], "storage": options.torch_storage})
                runs[who.name].append(run)
    progress("")
    return summarize(case, runs, absent)


def leave_kernels_to_openblas():
    """A kernel that somebody chose for another purpose holds PyTorch back: half as fast, on a processor with AVX-512."""
    chosen_kernel = os.environ.pop("OPENBLAS_CORETYPE", None)
    if chosen_kernel is not None:
        print(f"note: OPENBLAS_CORETYPE={chosen_kernel} is left out, so that OpenBLAS chooses its kernels itself; "
              "--keep-coretype keeps it", file=sys.stderr)


def headline(context):
    lockstep, torch = context["lockstep"], context.get("torch")
    config = next(iter(context["configuration"].values()))
    lines = [f"Lockstep {lockstep['git_sha'][:12]}{'+changes' * bool(lockstep['git_dirty'])}: gemm {config['gemm']}, "
             f"allreduce {config['allreduce']}, {lockstep['blas_library']}"]
    if torch:
        blas = torch["blas_library"] or ", ".join(torch["blas"]) or "BLAS unknown"
        lines.append(f"PyTorch {torch['torch']}: {torch['threads']} thread a rank, {blas}")
    interval = "95% interval" if context["rounds"] >= 6 else "lowest .. highest"
    lines += [f"{lockstep['hostname']}: {lockstep['cpu_model']}, {lockstep['online_cpus']} CPUs, one rank a core",
              f"medians of {context['rounds']} round{'s' * (context['rounds'] > 1)}; interval: {interval}; start+end: all of a run but "
              "its training"]
    return "\n".join(lines)


def main():
    options = arguments()
    if not (ROOT / options.data_dir / options.dataset / "train-images-idx3-ubyte").exists():
        print(f"error: {options.data_dir}/{options.dataset} is not here; `make data` fetches it", file=sys.stderr)
        return 2
    if not options.keep_coretype:
        leave_kernels_to_openblas()
    cores = len(os.sched_getaffinity(0))
    if cores < options.ranks:  # jobs/local.sh binds nobody then
        print(f"note: {options.ranks} ranks share {cores} core{'s' * (cores > 1)}: their times say little", file=sys.stderr)
    context = {"environment": {key: value for key, value in sorted({**os.environ, **ONE_THREAD}.items())
                               if key.startswith(("OMP_", "OPENBLAS_", "MKL_", "BLIS_"))},
               "rounds": options.rounds, "dataset": options.dataset, "lockstep_args": options.lockstep_args}
    summaries = []
    try:
        absence = torch_absence()
        for case in chosen(all_cases(options.ranks), options.cases.split()):
            summaries.append(run_case(case, options, absence, context))
            if len(summaries) == 1:
                print(headline(context), flush=True)
            print("", table(summaries[-1]), sep="\n", flush=True)
            # After every case, so that an interruption loses only the one at hand.
            options.out.parent.mkdir(parents=True, exist_ok=True)
            options.out.write_text(json.dumps({"context": context, "cases": summaries}, indent=1) + "\n")
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except RunFailed as failure:
        print(f"error: Lockstep did not train:\n{failure}", file=sys.stderr)
        return 1
    print(f"\n-> {options.out}")
    failed = any(row.get("absent", "").startswith("failed") for summary in summaries for row in summary["contestants"])
    return 1 if failed or any(faults(summary) for summary in summaries) else 0


if __name__ == "__main__":
    sys.exit(main())
