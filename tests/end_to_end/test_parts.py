# SPDX-License-Identifier: BSD-3-Clause
"""What `make deps` says of parts is what the environments of Spack and conda hold."""

import re
import subprocess

import pytest

from conftest import ROOT

ALWAYS = ("build", "run", "test", "bench", "analysis", "data")


def rows():
    """The table of mk/deps.sh: group, part, how, Debian package, Spack spec, conda package."""
    table = re.search(r'^parts="\\\n(.*?)"$', (ROOT / "mk/deps.sh").read_text(), re.M | re.S)[1]
    table = table.replace("$blas_row", "pc:openblas|libopenblas-dev|openblas|openblas")
    return [line.split("|") for line in table.splitlines()]


@pytest.mark.parametrize("column,file", [(4, "spack.yaml"), (5, "environment.yml")])
def test_the_environments_hold_every_part(column, file):
    held = re.findall(r"^ +- ([^\s=]+)", (ROOT / file).read_text(), re.M)
    wanted = {row[column] for row in rows() if row[0] in ALWAYS and row[column]}
    assert len(wanted) > 20
    # gcc is there when Spack is; what its other specs say of the build is the same.
    assert sorted(wanted - set(held) - {"gcc"}) == []


def test_a_builtin_of_the_shell_is_no_part(tmp_path):
    """A program `kill` is procps' as pgrep is; every bash has a builtin of that name."""
    for name in ("bash", "dirname", "cut", "paste", "sed", "awk", "grep", "id", "env"):
        (tmp_path / name).symlink_to(f"/usr/bin/{name}")
    done = subprocess.run([ROOT / "mk/deps.sh", "--check", "slurm"], env={"PATH": str(tmp_path)}, capture_output=True, text=True)
    assert done.returncode == 1
    assert "kill" in done.stderr.splitlines()[0].split(": ")[1].split(", ") and "procps" in done.stderr
