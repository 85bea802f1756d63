# SPDX-License-Identifier: BSD-3-Clause
"""Odd machines: little shared memory, forbidden calls, few cores, an old processor, another language."""

import os
import platform
import subprocess

import h5py
import pytest

from conftest import BIN, PATIENCE_S, ROOT, SMALL, series

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")
PARALLEL = [*SMALL, "--algorithm", "parallel_sgd"]


def mounted(commands, words, **environment):
    """Runs words after mount commands, in a mount namespace of its own."""
    return subprocess.run(["unshare", "-m", "sh", "-c", f'{commands} && exec "$@"', "sh", *map(str, words)], cwd=ROOT, text=True,
                          capture_output=True, timeout=PATIENCE_S, env={**os.environ, **environment})


def with_shm(size, *words, **environment):
    return mounted(f"mount -t tmpfs -o size={size} tmpfs /dev/shm", words, **environment)


@as_root
def test_a_full_dev_shm_does_not_matter_to_checkpoints(tmp_path):
    done = with_shm("4k", BIN / "train", *SMALL, "--checkpoint-epochs", 1, "--results", tmp_path)
    assert done.returncode == 0 and "warning" not in done.stderr, done.stderr


@as_root
def test_ranks_that_share_too_little_memory_say_so_before_they_work(tmp_path):
    big = ["jobs/local.sh", 2, BIN / "train", *PARALLEL, "--synthetic-train", 30000, "--results", tmp_path]
    done = with_shm("16m", *big)
    assert done.returncode == 2 and done.stderr.count("error:") == 1, done.stderr
    assert "too little shared memory" in done.stderr and "in /dev/shm" in done.stderr and "--shm-size" in done.stderr
    assert "MPI_ABORT" not in done.stderr and not list(tmp_path.rglob("*.h5"))


@as_root
def test_ranks_can_share_memory_elsewhere_as_the_error_says(tmp_path):
    other = {"OMPI_MCA_osc_sm_backing_directory": str(tmp_path), "OMPI_MCA_btl_vader_backing_directory": str(tmp_path)}
    done = with_shm("1m", "jobs/local.sh", 2, BIN / "train", *PARALLEL, "--results", tmp_path, **other)
    assert done.returncode == 0, done.stderr


@as_root
def test_ranks_of_which_mpi_gets_no_shared_memory_at_all_say_so(tmp_path):
    done = with_shm("1m", "jobs/local.sh", 2, BIN / "train", *PARALLEL, "--results", tmp_path)
    assert done.returncode in (1, 2) and "shared memory" in done.stderr and "--shm-size" in done.stderr, done.stderr


@pytest.fixture(scope="module")
def no_copies(tmp_path_factory):
    library = tmp_path_factory.mktemp("preload") / "no_copies.so"
    subprocess.run(["g++", "-std=c++20", "-O1", "-shared", "-fPIC", "-o", library, ROOT / "tests/preload/no_copies.cpp"], check=True)
    return library


def test_ranks_that_may_not_read_each_others_memory_train_all_the_same(lockstep, no_copies):
    """Messages of more than 4 KiB would be copied by process_vm_readv; Open MPI complains at each of them."""
    options = [*PARALLEL, "--allreduce", "mpi", "--results", lockstep.folder]
    free = lockstep.run(*options, "--run-id", "free", ranks=2)
    done = lockstep.run(*options, "--run-id", "forbidden", ranks=2, env={"LD_PRELOAD": str(no_copies)})
    assert free.status == done.status == 0, done.err
    note = "ranks may not copy out of each other's memory"
    assert done.err.count(note) == 1 and "Read -1" not in done.err, done.err
    assert note not in free.err
    losses = [series(lockstep.folder / "runs" / f"{name}.h5", "epochs/train_loss") for name in ("free", "forbidden")]
    assert (losses[0] == losses[1]).all()


@pytest.mark.skipif(platform.machine() != "x86_64", reason="other processors have other instruction sets")
def test_a_build_for_another_processor_says_so_instead_of_dying(tmp_path):
    """XOP was in AMD's processors of 2011 to 2017 alone."""
    (tmp_path / "main.cpp").write_text('#include <cstdio>\nint main() { std::puts("works"); }\n')
    for sets, rank, status in ((" SSE2 ", "0", 0), (" SSE2 XOP ", "0", 2), (" SSE2 XOP ", "1", 2)):
        subprocess.run(["g++", "-std=c++20", f'-DLOCKSTEP_INSTRUCTION_SETS="{sets}"', ROOT / "src/core/instruction_sets.cpp",
                        tmp_path / "main.cpp", "-o", tmp_path / "program"], check=True)
        done = subprocess.run([tmp_path / "program"], capture_output=True, text=True, env={"OMPI_COMM_WORLD_LOCAL_RANK": rank})
        assert done.returncode == status and ("works" in done.stdout) == (status == 0), done
        assert ("without XOP" in done.stderr and "ARCH=" in done.stderr) == (status == 2 and rank == "0"), done.stderr
    for program in ("train", "serial", "sweep", "runfile"):
        names = subprocess.run(["nm", BIN / program], capture_output=True, text=True, check=True).stdout
        assert "lockstep_check_processor" in names, program


@pytest.mark.parametrize("ranks", [1, 3])
def test_one_core_is_enough(tmp_path, ranks):
    core = str(min(os.sched_getaffinity(0)))
    done = subprocess.run(["taskset", "-c", core, "jobs/local.sh", str(ranks), BIN / "train", *PARALLEL, "--results", tmp_path],
                          cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_S)
    assert done.returncode == 0, done.stderr


@as_root
@pytest.mark.skipif(os.cpu_count() < 2, reason="one processor has no hyper-threads")
def test_hyper_threads_are_no_cores(tmp_path):
    """All of this machine's processors are one core, to the system and to Open MPI: two ranks share it."""
    count = os.cpu_count()
    (tmp_path / "siblings").write_text(f"0-{count - 1}\n")
    mounts = " && ".join(f"mount --bind {tmp_path}/siblings /sys/devices/system/cpu/cpu{i}/topology/thread_siblings_list" for i in range(count))
    done = mounted(mounts, ["jobs/local.sh", 2, BIN / "train", *PARALLEL, "--results", tmp_path],
                   HWLOC_SYNTHETIC=f"package:1 core:1 pu:{count}", HWLOC_THISSYSTEM="1")
    assert done.returncode == 0, done.stderr


def test_a_folder_for_temporary_files_that_cannot_be_written_is_named():
    done = subprocess.run(["jobs/local.sh", "1", "true"], cwd=ROOT, capture_output=True, text=True, env={**os.environ, "TMPDIR": "/proc/none"})
    assert done.returncode == 2 and "/proc/none, cannot be written" in done.stderr and "TMPDIR" in done.stderr


def test_a_home_that_cannot_be_written_is_no_obstacle(lockstep):
    home = {"HOME": "/proc/nowhere", "XDG_CACHE_HOME": "", "LOCKSTEP_CACHE_DIR": ""}
    result = lockstep.run(*PARALLEL, "--gemm", "auto", "--results", lockstep.folder, ranks=2, env=home)
    assert result.status == 0 and "/proc/nowhere" not in result.err, result.err


@pytest.mark.slow
def test_decimal_commas_change_no_number(lockstep, tmp_path):
    (tmp_path / "locales").mkdir()
    subprocess.run(["localedef", "-i", "de_DE", "-f", "UTF-8", tmp_path / "locales/de_DE.UTF-8"], check=True, capture_output=True)
    german = {"LOCPATH": str(tmp_path / "locales"), "LC_ALL": "de_DE.UTF-8"}
    said = subprocess.run(["bash", "-c", "printf %.1f 1,5"], capture_output=True, text=True, env={**os.environ, **german}).stdout
    assert said == "1,5", "the locale is not in force"
    options = ["--learning-rate", "0.0125", "--seed", "7"]
    paths = [lockstep.train(*SMALL, *options, env=environment) for environment in ({}, german)]
    with h5py.File(paths[0]) as plain, h5py.File(paths[1]) as other:
        assert plain["config"][()] == other["config"][()] and b"0.0125" in other["config"][()]
        assert (plain["epochs/train_loss"][()] == other["epochs/train_loss"][()]).all()
    for command in ([BIN / "sweep", "expand", "jobs/experiments/first.json", "--scale", "smoke"],
                    ["analysis/lockstep-analysis", "table", lockstep.folder]):
        shown = [subprocess.run([*map(str, command)], cwd=ROOT, capture_output=True, text=True, env={**os.environ, **environment}).stdout
                 for environment in ({}, german)]
        assert shown[0] == shown[1] and shown[0]


@pytest.mark.slow
def test_nobody_but_root_is_needed(tmp_path):
    if os.geteuid() != 0:
        pytest.skip("all tests run as another user then")
    tmp_path.chmod(0o777)
    for folder in tmp_path.parents[:3]:
        if folder.stat().st_uid == 0 and folder.name.startswith(("pytest-", "popen-")):
            folder.chmod(folder.stat().st_mode | 0o055)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OMPI_")}
    done = subprocess.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "jobs/local.sh", "2", BIN / "train", *PARALLEL,
                           "--results", tmp_path / "results"], cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_S,
                          env={**environment, "HOME": str(tmp_path)})
    assert done.returncode == 0, done.stderr
