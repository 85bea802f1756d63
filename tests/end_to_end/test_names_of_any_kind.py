# SPDX-License-Identifier: BSD-3-Clause
"""Blanks, quotes and what a shell would run, wherever a name or a path can be given; links that lead elsewhere."""

import json
import os
import shutil
import subprocess

import pytest

from conftest import BIN, PATIENCE_S, ROOT, SMALL
from test_idx_folder import idx

# A shell that sees it anywhere but in quotes leaves a file `ran`.
HOSTILE = "ü a$(touch ran)`touch ran`;touch ran;\"'<b>|&*"


def expect(done, *words, status=0):
    assert done.returncode == status, done.stdout + done.stderr
    for word in words:
        assert word in done.stdout + done.stderr


@pytest.fixture
def folder(tmp_path):
    """A folder of a hostile name with all of a checkout, and data of a few samples; nothing in it may have run in the end."""
    import numpy

    folder = tmp_path / HOSTILE
    folder.mkdir()
    for name in ("Makefile", "VERSION", "mk", "src", "build", "tests", "jobs", "analysis", "bench"):
        (folder / name).symlink_to(ROOT / name)
    (folder / "data/fashion_mnist").mkdir(parents=True)
    random = numpy.random.default_rng(1)
    for part, count in (("train", 200), ("t10k", 50)):
        (folder / f"data/fashion_mnist/{part}-images-idx3-ubyte").write_bytes(idx(random.integers(0, 256, (count, 28, 28))))
        (folder / f"data/fashion_mnist/{part}-labels-idx1-ubyte").write_bytes(idx(numpy.arange(count) % 10))
    yield folder
    assert not list(tmp_path.rglob("ran")) and not (ROOT / "ran").exists()


def run_in(folder, *words, **environment):
    return subprocess.run([*map(str, words)], cwd=folder, capture_output=True, text=True, timeout=PATIENCE_S, stdin=subprocess.DEVNULL,
                          env={**os.environ, "LOCKSTEP_CACHE_DIR": str(folder / "cache"), **environment})


def test_train_and_the_analysis_take_them(folder):
    name = HOSTILE.replace("/", "")
    expect(run_in(folder, "jobs/local.sh", 2, "build/bin/train", "--algorithm", "param_avg", "--dataset", f"idx:{folder}/data/fashion_mnist",
                  "--model", "mlp:784-8-10", "--epochs", 1, "--results", "my " + name, "--experiment", name, "--run-id", name))
    assert (folder / f"my {name}" / name / f"{name}.h5").exists()
    expect(run_in(folder, "analysis/lockstep-analysis", "table", "my " + name), "param_avg")
    for option in ("--config", "--model", "--dataset"):
        expect(run_in(folder, "build/bin/train", option, HOSTILE), status=2)


def test_sweeps_take_them(folder):
    fixed = {"dataset": "synthetic", "synthetic_train": 100, "synthetic_test": 50, "epochs": 1, "model": "mlp:784-8-10"}
    spec = folder / f"{HOSTILE}.json"
    spec.write_text(json.dumps({"name": "odd", "title": f"{HOSTILE}\n#SBATCH --hold\ntouch ran", "fixed": fixed,
                                "matrix": {"algorithm": ["serial"]}}))
    site = folder / f"site{HOSTILE}.json"
    site.write_text(json.dumps({"scheduler": "none", "launcher": "mpirun", "environment": {"OMPI_MCA_lockstep_mark": HOSTILE}}))
    expect(run_in(folder, "build/bin/sweep", "run", spec, "--results", HOSTILE, "--site", site), "all complete")
    expect(run_in(folder, "build/bin/sweep", "status", f"{HOSTILE}/odd"), "1 complete")
    shown = run_in(folder, "build/bin/sweep", "submit", "--dry-run", spec, "--results", HOSTILE, PATH="/usr/bin:/bin")
    expect(shown)
    for script in (folder / HOSTILE / "odd/sweep/dry-run").glob("*.sbatch"):
        assert "#SBATCH --hold" not in script.read_text()
        # What the script calls, called by a shell: the words are those of our folder.
        last = script.read_text()[script.read_text().index("exec "):].replace("exec ", "printf '%s\\n' ", 1)
        said = subprocess.run(["bash", "-c", last], capture_output=True, text=True, cwd=folder, check=False).stdout
        assert str(folder / HOSTILE / "odd") in said.splitlines()
    bad = json.loads(spec.read_text()) | {"name": HOSTILE}
    spec.write_text(json.dumps(bad))
    expect(run_in(folder, "build/bin/sweep", "expand", spec), "bad sweep name", status=2)


@pytest.mark.slow
def test_the_demo_takes_them(folder):
    expect(run_in(folder, "jobs/demo.sh", "build/bin", EPOCHS="1"), "w_param_avg")
    expect(run_in(folder, "jobs/collect.sh", "results/none"), status=1)


def test_variables_of_make_reach_no_shell(folder):
    """What make itself would expand, $(shell ...), is the language of whoever types it."""
    value = HOSTILE.replace("$", "")
    expect(run_in(folder, "make", "report", f"RESULTS={value}"), f"error: {value} does not exist", status=2)
    for variable in ("LAUNCH", "ARCH"):
        expect(run_in(folder, "make", "experiments", f"{variable}=x;touch ran"), f"{variable} cannot hold ;", status=2)


def test_links_in_the_place_of_session_folders_are_not_followed(tmp_path):
    owner = f"{os.uname().nodename.split('.')[0]}.{os.getuid()}"
    precious = tmp_path / "precious"
    (precious / "pid.999999999").mkdir(parents=True)
    (precious / "pid.999999999" / "thesis.tex").write_text("years of work")
    (tmp_path / "tmp").mkdir()
    (tmp_path / "tmp" / f"ompi.{owner}").symlink_to(precious)
    subprocess.run(["jobs/local.sh", "1", "true"], cwd=ROOT, capture_output=True, check=False, env={**os.environ, "TMPDIR": str(tmp_path / "tmp")})
    assert (precious / "pid.999999999" / "thesis.tex").exists()


def test_no_file_of_a_run_has_a_secret_of_the_environment(lockstep):
    """Others may read results and caches."""
    secret = {"SLURM_EXPORT_ENV": "ALL,MY_TOKEN=hidden-1", "OMPI_MCA_my_password": "hidden-2", "AWS_SECRET_ACCESS_KEY": "hidden-3"}
    lockstep.train(*SMALL, "--algorithm", "param_avg", "--gemm", "auto", "--checkpoint-epochs", "1", ranks=2, env=secret)
    files = [path for path in lockstep.folder.rglob("*") if path.is_file()]
    assert len(files) >= 2 and not [path for path in files if b"hidden-" in path.read_bytes()]


def test_a_cache_that_others_write_to_leads_nowhere(lockstep, tmp_path):
    """A link of the file's name is replaced, not followed."""
    cache = lockstep.folder / "cache"
    lockstep.train(*SMALL, "--gemm", "auto")
    (file,) = [path for path in cache.rglob("*") if path.is_file()]
    assert not list(cache.rglob("*partial*"))
    victim = tmp_path / "precious"
    victim.write_text("precious\n")
    file.unlink()
    file.symlink_to(victim)
    lockstep.train(*SMALL, "--gemm", "auto")
    assert victim.read_text() == "precious\n" and not file.is_symlink()
    shutil.rmtree(cache)
