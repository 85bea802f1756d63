# SPDX-License-Identifier: BSD-3-Clause
"""jobs/doctor.sh finds what is wrong: each check is broken by itself."""

import os
import re
import shutil
import stat
import subprocess

import pytest

from conftest import BIN, ROOT

pytestmark = pytest.mark.slow


@pytest.fixture
def doctor(tmp_path):
    """Runs it in a sound environment but for what a test breaks."""
    def run(**environment):
        command = [str(ROOT / "jobs/doctor.sh"), "--results", environment.pop("results", str(tmp_path / "results"))]
        base = {**os.environ, "LOCKSTEP_BIN": str(BIN), "LOCKSTEP_CACHE_DIR": str(tmp_path / "cache"), "PATH": without_slurm(tmp_path)}
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, env={**base, **environment})
        assert done.stderr == "", done.stderr
        return done
    return run


def without_slurm(folder):
    """A PATH that has everything but srun: links to all of /usr/bin."""
    path = folder / "path"
    if not path.exists():
        path.mkdir()
        for program in [*os.scandir("/usr/bin"), *os.scandir("/bin")]:
            if program.name != "srun" and not (path / program.name).exists():
                (path / program.name).symlink_to(program.path)
    return f"{path}:{os.environ['PATH']}" if shutil.which("srun") is None else str(path)


def script(path, text):
    path.parent.mkdir(exist_ok=True)
    path.unlink(missing_ok=True)
    path.write_text("#!/bin/sh\n" + text)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def bad_lines(done):
    return re.findall(r"^  BAD   (.*)\n        (.+)$", done.stdout, re.MULTILINE)


def notes(done):
    return re.findall(r"^  note  (.*)\n        (.+)$", done.stdout, re.MULTILINE)


def test_a_sound_machine_is_called_so(doctor):
    done = doctor()
    assert done.returncode == 0 and "nothing bad was found" in done.stdout, done.stdout
    assert "two ranks train together" in done.stdout


def expect_bad(done, what, hint):
    assert done.returncode == 1, done.stdout
    assert [what in problem and hint in action for problem, action in bad_lines(done)] == [True], done.stdout
    assert "1 thing to mend" in done.stdout


def test_programs_that_are_not_built(doctor, tmp_path):
    expect_bad(doctor(LOCKSTEP_BIN=str(tmp_path)), "there is no", "make")


def test_programs_of_a_newer_processor(doctor, tmp_path):
    script(tmp_path / "bin/train", "kill -ILL $$\n")
    expect_bad(doctor(LOCKSTEP_BIN=str(tmp_path / "bin")), "does not run on this processor", "ARCH=x86-64-v3")


def test_a_library_that_is_missing(doctor, tmp_path):
    script(tmp_path / "bin/train", "echo 'libhdf5.so.103: cannot open shared object file' >&2; exit 127\n")
    expect_bad(doctor(LOCKSTEP_BIN=str(tmp_path / "bin")), "libhdf5.so.103", "ldd")


def test_an_mpiexec_that_starts_programs_alone(doctor, tmp_path):
    without_slurm(tmp_path)
    script(tmp_path / "path/mpiexec", """case $1 in --version) echo 'HYDRA 4.0'; exit;; esac
while [ "${1#-}" != "$1" ] || [ "$1" = 2 ] || [ "$1" = core ]; do shift; done
"$@"; "$@"
""")
    done = doctor()
    assert done.returncode == 1, done.stdout
    assert re.search("  BAD   (two ranks under mpiexec fail|mpiexec starts two programs that do not know each other)", done.stdout), done.stdout


def test_ranks_that_hang(doctor, tmp_path):
    without_slurm(tmp_path)
    script(tmp_path / "path/mpiexec", "[ $1 = --version ] || { echo no route to host; exit 5; }\n")
    expect_bad(doctor(), "make no progress", "no route to host")


@pytest.mark.skipif(os.cpu_count() == 1, reason="there is less than one core to be had")
def test_a_limit_of_cores(doctor, tmp_path):
    (tmp_path / "cpu.max").write_text("100000 100000\n")
    assert any("the time of 1" in what for what, _ in notes(doctor(DOCTOR_CGROUP=str(tmp_path))))


def test_a_limit_of_memory(doctor, tmp_path):
    (tmp_path / "memory.max").write_text(f"{100 << 20}\n")
    expect_bad(doctor(DOCTOR_CGROUP=str(tmp_path)), "100 MB of memory", "--mem")


@pytest.mark.parametrize("files, groups", [
    ({"memory.max": "max", "user/memory.max": str(100 << 20)}, "0::/user/job"),
    pytest.param({"unified/job/memory.max": str(100 << 20)}, "0::/job", marks=pytest.mark.long),
    pytest.param({"memory/memory.limit_in_bytes": str(1 << 62), "memory/slurm/memory.limit_in_bytes": str(100 << 20)},
                 "5:cpu,memory:/slurm/job_1", marks=pytest.mark.long)])
def test_a_limit_of_memory_in_any_group_above(doctor, tmp_path, files, groups):
    for name, text in files.items():
        (tmp_path / "groups" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "groups" / name).write_text(text + "\n")
    (tmp_path / "own").write_text(groups + "\n")
    expect_bad(doctor(DOCTOR_CGROUP=str(tmp_path / "groups"), DOCTOR_OWN_GROUPS=str(tmp_path / "own")), "100 MB of memory", "--mem")


@pytest.mark.skipif(os.cpu_count() == 1, reason="there is less than one core to be had")
def test_a_limit_of_cores_in_a_group_of_version_1(doctor, tmp_path):
    group = tmp_path / "groups/cpu/job"
    group.mkdir(parents=True)
    (group / "cpu.cfs_quota_us").write_text("50000\n")
    (group / "cpu.cfs_period_us").write_text("100000\n")
    (tmp_path / "own").write_text("3:cpu:/job\n0::/\n")
    shown = doctor(DOCTOR_CGROUP=str(tmp_path / "groups"), DOCTOR_OWN_GROUPS=str(tmp_path / "own"))
    assert any("the time of 0.5" in what for what, _ in notes(shown)), shown.stdout


def test_copies_that_are_forbidden(doctor, tmp_path):
    library = tmp_path / "no_copies.so"
    subprocess.run(["g++", "-std=c++20", "-shared", "-fPIC", "-o", library, ROOT / "tests/preload/no_copies.cpp"], check=True)
    shown = doctor(LD_PRELOAD=str(library))
    assert any("process_vm_readv: Operation not permitted" in what for what, _ in notes(shown)), shown.stdout


def test_no_shared_memory(doctor, tmp_path):
    expect_bad(doctor(DOCTOR_SHM=str(tmp_path / "none")), "is not there", "--ipc=host")


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")
def test_little_shared_memory(doctor, tmp_path):
    small = tmp_path / "shm"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", small], check=True)
    try:
        expect_bad(doctor(DOCTOR_SHM=str(small)), "has 4 MB free", "--shm-size")
    finally:
        subprocess.run(["umount", small], check=True)


def test_processes_that_may_not_read_each_other(doctor, tmp_path):
    (tmp_path / "scope").write_text("2\n")
    assert any("ptrace_scope is 2" in what for what, _ in notes(doctor(DOCTOR_PTRACE_SCOPE=str(tmp_path / "scope"))))


def test_a_results_folder_that_cannot_be_written(doctor):
    expect_bad(doctor(results="/proc/results"), "/proc/results cannot be written", "--results")


def test_a_file_system_without_locks(doctor):
    assert any("no file locks" in what for what, _ in notes(doctor(DOCTOR_FLOCK="false")))


def test_a_home_that_cannot_be_written(doctor):
    expect_bad(doctor(LOCKSTEP_CACHE_DIR="/proc/cache"), "/proc/cache cannot be written", "LOCKSTEP_CACHE_DIR")


def test_data_that_are_not_what_they_say(doctor, tmp_path):
    shutil.copytree(ROOT / "data/fashion_mnist", tmp_path / "data/fashion_mnist")
    file = tmp_path / "data/fashion_mnist/t10k-labels-idx1-ubyte"
    content = bytearray(file.read_bytes())
    content[100] ^= 1
    file.write_bytes(content)
    expect_bad(doctor(DOCTOR_DATA=str(tmp_path / "data")), "t10k-labels-idx1-ubyte", "make data")


def test_no_data(doctor, tmp_path):
    assert any("no data sets" in what for what, _ in notes(doctor(DOCTOR_DATA=str(tmp_path))))


def test_slurm_without_pmix_and_with_small_arrays(doctor, tmp_path):
    without_slurm(tmp_path)
    script(tmp_path / "path/srun", "echo 'MPI plugin types are...\n\tnone\n\tcray_shasta'\n")
    script(tmp_path / "path/scontrol", "echo 'MaxArraySize            = 501'\n")
    found = notes(doctor())
    assert any("no PMIx" in what for what, _ in found) and any("500 tasks" in what for what, _ in found), found


def test_slurm_whose_controller_is_down(doctor, tmp_path):
    without_slurm(tmp_path)
    script(tmp_path / "path/srun", "echo pmix\n")
    script(tmp_path / "path/scontrol", "exit 1\n")
    expect_bad(doctor(), "controller does not answer", "scontrol ping")


def test_sweep_doctor_looks_at_a_site_without_a_scheduler(tmp_path):
    (tmp_path / "site.json").write_text('{"scheduler": "none", "launcher": "mpirun"}')
    results = tmp_path / "a file"
    results.touch()
    done = subprocess.run([BIN / "sweep", "doctor", "--site", tmp_path / "site.json", "--results", results], capture_output=True, text=True,
                          env={**os.environ, "PATH": without_slurm(tmp_path), "LOCKSTEP_HOME": str(ROOT), "LOCKSTEP_BIN": str(BIN)})
    expect_bad(done, f"results: {results} cannot be written", "--results")
