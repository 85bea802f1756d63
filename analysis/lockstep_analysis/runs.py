# SPDX-License-Identifier: BSD-3-Clause
"""Reading of run files (docs/run_file.md), of every layout that was ever written."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Iterable

# Readers need no lock, since a run file is only ever replaced as a whole; and some file systems have none. HDF5 looks when it loads.
os.environ["HDF5_USE_FILE_LOCKING"] = "FALSE"

import h5py
import numpy as np

from lockstep_analysis.capabilities import capabilities, without_later_options
from lockstep_analysis.errors import NoRuns

NEWEST_SCHEMA = 1  # of src/record/run_record.hpp; what docs/run_file.md lets a file have or lack does not count
SIGNATURE = b"\x89HDF\r\n\x1a\n"
# A file with this text ends with the SHA-256 of all bytes before (src/record/file_checksum.hpp).
CHECKSUM_NOTE = b"SHA-256 of all other bytes, the last 64 of the file"
CHECKSUM_LENGTH = 64

# Options that change neither the training nor its clock: runs that differ in these alone repeat each other.
NOT_SETTINGS = ("seed", "experiment", "data_dir", "eval_acc", "eval_ranks", "checkpoint_epochs", "checkpoint_minutes")
PROVENANCE = (
    "git_sha",
    "git_dirty",
    "compiler",
    "compiler_flags",
    "build_config",
    "lockstep_version",
    "blas",
    "blas_library",
    "mpi_library",
    "hostname",
    "kernel",
    "cpu_model",
    "online_cpus",
    "smt",
    "governor",
    "boost",
    "nodes",
    "bindings",
    "requested_binding",
    "binding_as_requested",
    "command_line",
    "dataset_sha256",
    "dataset_note",
    "largest_batch",
    "parameter_count",
    "startup_s",
    "capabilities",
    "simulation",
    "exchange_choice",
    "allreduce_choice",
    "gemm_choices",
    "slurm_job_id",
    "peak_rss_bytes",
    "private_bytes",
    "hdf5_version",
    "eigen_version",
    "l1d_bytes",
    "l2_bytes",
    "l3_bytes",
    "memory_bytes",
)
PHASES = ("data", "compute", "exchange", "wait", "update")


class NotARun(Exception):
    """A file that cannot be used; the message says why."""


@dataclass
class Run:
    """One run: its configuration and its series, "group/name" -> array [epoch] or [epoch, rank]."""

    path: Path
    run_id: str
    config: dict[str, Any]
    ranks: int
    hosts: list[str]
    series: dict[str, np.ndarray]
    status: str = "complete"
    started: str = ""
    finished: str = ""
    schema: int = 1
    model_text: str = "{}"
    provenance: dict[str, Any] = field(default_factory=dict)
    segments: dict[str, np.ndarray] = field(default_factory=dict)

    @property
    def algorithm(self) -> str:
        return self.config["algorithm"]

    @cached_property
    def capabilities(self) -> frozenset[str]:
        """What its algorithm declares, e.g. "equals_serial"."""
        return capabilities(self.config, self.provenance)

    @cached_property
    def simulation(self) -> dict[str, Any]:
        """What was simulated and how (docs/run_file.md); {} if its times are real."""
        return json.loads(self.provenance.get("simulation", "{}"))

    @property
    def simulated(self) -> str:
        """The simulated cluster whose seconds its times are; "" if they are real."""
        return self.simulation.get("cluster", "")

    @property
    def computing(self) -> str:
        """Where the time of computing is from."""
        kernels = self.simulation.get("kernels")
        return f"modelled by the kernels of {kernels.get('name', 'a table')}" if kernels else "measured on this machine"

    @property
    def epochs(self) -> int:
        return len(self.series["epochs/epoch_s"])

    @property
    def diverged(self) -> bool:
        """The training failed because its numbers were not finite any more: a result, not an accident. Versions up to 0.1.0 did not
        say so, but recorded the epoch."""
        loss = self.series.get("epochs/train_loss", np.zeros(1))
        recorded = len(loss) > 0 and not np.isfinite(loss[-1])
        return self.status == "failed" and ("diverged" in self.provenance or recorded)

    @property
    def final_accuracy(self) -> float:
        """Test accuracy after the last epoch; NaN when it was not evaluated."""
        return float(self.series["epochs/test_accuracy"][-1])

    @cached_property
    def model(self) -> dict[str, Any]:
        """The resolved description of the model, layer by layer."""
        return json.loads(self.model_text)

    @property
    def lost_s(self) -> float:
        """Seconds of work that interruptions cost; 0 for a file of old, which has no segments."""
        return float(np.nansum(self.segments.get("lost_s", [0.0])))

    def settings(self) -> str:
        """All that makes runs repetitions of each other: the configuration but for the seed, the ranks, and what was simulated."""
        unused = () if self.config.get("dataset") == "synthetic" else ("synthetic_train", "synthetic_test")
        kept = {
            key: value
            for key, value in without_later_options(self.config).items()
            if key not in (*NOT_SETTINGS, *unused)
        }
        simulation = {"simulation": self.provenance["simulation"]} if self.simulated else {}
        return json.dumps({**kept, "ranks": self.ranks, **simulation}, sort_keys=True)


def text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def plain(value: Any) -> Any:
    """Python's own types for what HDF5 holds."""
    if isinstance(value, np.ndarray):
        return [plain(v) for v in value.tolist()]
    return value.decode() if isinstance(value, bytes) else value.item() if isinstance(value, np.generic) else value


# By HDF5's own calls: h5py's convenient ones take several times as long, which is what a folder of a thousand runs waits for.
_TEXT = h5py.h5t.py_create(h5py.string_dtype())  # Python objects, in memory


def read_value(group: h5py.h5g.GroupID, name: bytes) -> Any:
    """A data set in Python's own types: texts, numbers, or lists of them."""
    data = h5py.h5d.open(group, name)
    if data.get_type().get_class() == h5py.h5t.STRING:
        texts = np.empty(data.shape, dtype=object)
        data.read(h5py.h5s.ALL, h5py.h5s.ALL, texts, _TEXT)
        return plain(texts) if texts.shape else text(texts[()])
    values = np.empty(data.shape, dtype=data.dtype)
    data.read(h5py.h5s.ALL, h5py.h5s.ALL, values)
    return values.tolist()


def read_group(file: h5py.File, name: str) -> dict[str, np.ndarray]:
    """All series of a group."""
    series: dict[str, np.ndarray] = {}
    if name.encode() not in file.id:
        return series
    group = h5py.h5g.open(file.id, name.encode())
    for member in group:
        data = h5py.h5d.open(group, member)
        values = np.empty(data.shape, dtype=np.float64)
        data.read(h5py.h5s.ALL, h5py.h5s.ALL, values)
        series[f"{name}/{member.decode()}"] = values
    return series


def read_run(path: Path | str) -> Run:
    """The Run in a file, whatever its status; raises NotARun."""
    data = whole_file(Path(path))
    try:
        file = h5py.File(h5py.h5f.open_file_image(data))
    except (OSError, RuntimeError, ValueError):
        raise NotARun("not a readable HDF5 file: torn, it ends before its data do") from None
    try:
        with file:
            return read_open_file(file, Path(path))
    except KeyError as error:
        raise NotARun(f"a run file that lacks something: {error.args[0]}") from None
    except (OSError, RuntimeError, ValueError, TypeError) as error:
        raise NotARun(f"torn: its data cannot be read ({str(error).splitlines()[0]})") from None


def whole_file(path: Path) -> bytes:
    """The bytes of a run file whose checksum is right, or that is from before there were checksums; raises NotARun. HDF5 must not
    see any other: it crashes, hangs or returns wrong numbers on a damaged file."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise NotARun(f"cannot be opened: {error.strerror}") from None
    if not data.startswith(SIGNATURE):
        raise NotARun("not a readable HDF5 file: it is something else" if data else "not a readable HDF5 file: it is empty")
    contents, end = data[:-CHECKSUM_LENGTH], data[-CHECKSUM_LENGTH:]
    has_checksum = CHECKSUM_NOTE in data or set(end) <= set(b"0123456789abcdef")
    if has_checksum and hashlib.sha256(contents).hexdigest().encode() != end:
        raise NotARun("damaged: its checksum is wrong; it was cut short or changed after it was written")
    return data


def read_open_file(file: h5py.File, path: Path) -> Run:
    if "schema_version" not in file.attrs:
        raise NotARun("HDF5, but not a run file (no schema_version)")
    schema = int(file.attrs["schema_version"])
    if schema > NEWEST_SCHEMA:
        raise NotARun(
            f"written by a newer Lockstep: its schema_version is {schema}, and this analysis reads {NEWEST_SCHEMA} or older"
        )
    if "provenance" not in file or "ranks" not in file["provenance"]:
        raise NotARun("a run file that lacks something: /provenance/ranks")
    provenance = file["provenance"].id
    there = set(provenance)
    kept = {key: read_value(provenance, key.encode()) for key in PROVENANCE if key.encode() in there}
    segments = {key: values[()] for key, values in file["segments"].items()} if "segments" in file else {}
    run = Run(
        path=path,
        run_id=text(file.attrs["run_id"]),
        config=json.loads(text(file["config"][()])),
        ranks=int(read_value(provenance, b"ranks")),
        hosts=read_value(provenance, b"hosts"),
        series=read_group(file, "epochs") | read_group(file, "exchange"),
        status=text(file.attrs["status"]),
        started=text(file.attrs.get("started", "")),
        finished=text(file.attrs.get("finished", "")),
        schema=schema,
        model_text=text(file["model"][()]),
        provenance=kept,
        segments=segments,
    )
    for needed in ("epochs/epoch_s", "epochs/test_accuracy", "epochs/train_s"):
        if needed not in run.series:
            raise NotARun(f"a run file that lacks something: /{needed}")
    if "algorithm" not in run.config:
        raise NotARun("a run file whose configuration names no algorithm")
    return run


def run_files(paths: Iterable[Path | str]) -> list[Path]:
    files: list[Path] = []
    for path in map(Path, paths):
        if not path.exists():
            raise NoRuns(f"{path} does not exist", "results of a sweep or of `train` are in results/<experiment>/")
        files += sorted(path.rglob("*.h5")) if path.is_dir() else [path]
    return files


def load_runs(
    paths: Iterable[Path | str], where: dict[str, str] | None = None, incomplete: bool = False
) -> tuple[list[Run], list[tuple[Path, str]]]:
    """(runs, left_out): all complete runs below the paths that agree with `where`, and [(path, reason)] for the rest. Runs
    that diverged are among them: whoever leaves them out makes an algorithm look better than it is.
    With `incomplete`, also runs that go on, were stopped or failed, as far as they came. Raises NoRuns."""
    paths = list(paths)
    runs: list[Run] = []
    left_out: list[tuple[Path, str]] = []
    for file in run_files(paths):
        try:
            run = read_run(file)
        except NotARun as fault:
            left_out.append((file, str(fault)))
            continue
        reason = refusal(run, where or {}, incomplete)
        if reason:
            left_out.append((file, reason))
        else:
            runs.append(run)
    if not runs:
        reasons = "".join(f"\n  {file}: {reason}" for file, reason in left_out)
        raise NoRuns(
            f"no complete run file in {', '.join(map(str, paths))}{reasons}",
            "" if left_out else "give the folder of a sweep, e.g. results/table2; `train` writes there with --experiment",
        )
    return runs, left_out


def refusal(run: Run, where: dict[str, str], incomplete: bool) -> str:
    """Why a run is left out; empty when it is not."""
    for key, wanted in where.items():
        others = {"ranks": str(run.ranks), "simulated": run.simulated or "no"}
        given = others.get(key) or as_text(run.config.get(key))
        if given not in wanted.split(","):
            return f"other configuration: {key} is {given}, not {wanted}"
    if run.epochs == 0:
        return f"its status is {run.status}, and it has no epoch yet"
    if run.status != "complete" and not incomplete and not run.diverged:
        return f"its status is {run.status} ({run.epochs} of {run.config.get('epochs', '?')} epochs)"
    return ""


def as_text(value: Any) -> str:
    """A value of the configuration as a user would type it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:g}"
    return "a described model" if isinstance(value, dict) else str(value)


def epoch_seconds(runs: Iterable[Run]) -> np.ndarray:
    """Training time of every epoch of every run, slowest rank, in seconds."""
    return np.concatenate([run.series["epochs/epoch_s"] for run in runs])


def phase_share(runs: Iterable[Run], phase: str) -> float:
    """Share of the ranks' training time that a phase took, over all epochs and ranks."""
    runs = list(runs)
    in_phase = sum(run.series[f"epochs/{phase}_s"].sum() for run in runs)
    return in_phase / sum(run.series["epochs/train_s"].sum() for run in runs)
