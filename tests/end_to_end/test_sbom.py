# SPDX-License-Identifier: BSD-3-Clause
"""make sbom: a valid list of parts, which has all that the programs are linked to."""

import json
import os
import re
import shutil
import subprocess

import pytest

from conftest import BIN, ROOT

REQUIRED = {"SPDXID", "spdxVersion", "dataLicense", "name", "documentNamespace", "creationInfo"}
REQUIRED_OF_A_PACKAGE = {"SPDXID", "name", "downloadLocation", "versionInfo", "supplier", "licenseDeclared"}
MODULES = "CLI11 eigen3 nlohmann_json fmt zlib openssl"


def made(tmp_path, env=None):
    out = tmp_path / "parts.json"
    command = ["/usr/bin/python3", ROOT / "mk/sbom.py", "--out", out, "--modules", MODULES, BIN / "train", BIN / "sweep"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env={**os.environ, **(env or {})})
    assert done.returncode == 0, done.stderr
    return json.loads(out.read_text())


def check_structure(document):
    assert REQUIRED <= document.keys() and document["spdxVersion"] == "SPDX-2.3" and document["dataLicense"] == "CC0-1.0"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", document["creationInfo"]["created"]) and document["creationInfo"]["creators"]
    assert re.fullmatch(r"https://[^#]+", document["documentNamespace"])
    ids = [package["SPDXID"] for package in document["packages"]]
    assert len(set(ids)) == len(ids) and all(re.fullmatch(r"SPDXRef-[A-Za-z0-9.-]+", name) for name in ids)
    for package in document["packages"]:
        assert REQUIRED_OF_A_PACKAGE <= package.keys() and package["versionInfo"], package
        assert re.match(r"NOASSERTION$|(Person|Organization): \S", package["supplier"]), package
        assert package["filesAnalyzed"] is False
    known = {*ids, "SPDXRef-DOCUMENT"}
    for relation in document["relationships"]:
        assert {relation["spdxElementId"], relation["relatedSpdxElement"]} <= known, relation
    related = {end for relation in document["relationships"] for end in (relation["spdxElementId"], relation["relatedSpdxElement"])}
    assert related == known


def of_kind(document, kind):
    """Comments of the relations of a kind: what is linked, or what for."""
    return " ".join(relation.get("comment", "") for relation in document["relationships"] if relation["relationshipType"] == kind)


def test_every_library_that_is_linked_is_listed_with_its_package(tmp_path):
    document = made(tmp_path)
    check_structure(document)
    packages = {package["SPDXID"]: package for package in document["packages"]}
    linked = {r["comment"]: packages[r["relatedSpdxElement"]] for r in document["relationships"] if r["relationshipType"] == "DYNAMIC_LINK"}
    listing = subprocess.run(["ldd", BIN / "train"], capture_output=True, text=True, check=True).stdout
    owners = set()
    for name, path in re.findall(r"^\s*(\S+) => (/\S+)", listing, re.MULTILINE):
        if shutil.which("dpkg-query"):
            spellings = [path, f"/usr{path}", os.path.realpath(path), os.path.realpath(path).removeprefix("/usr")]
            owner = subprocess.run(["dpkg-query", "-S", *spellings], capture_output=True, text=True).stdout.split(":")[0]
            owners.add(owner)
            assert owner in {package["name"] for package in document["packages"]}, name
        else:
            assert name in linked
    assert {"libhdf5", "libmpi", "libfmt"} <= {name.split("_")[0].split(".")[0] for name in linked}
    own = packages["SPDXRef-Package-lockstep"]
    commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True).stdout.strip()
    assert own["versionInfo"] == (ROOT / "VERSION").read_text().strip() and commit in own["sourceInfo"]
    for module in ("CLI11", "eigen3", "nlohmann_json"):
        assert module in of_kind(document, "STATIC_LINK")
    assert "fmt" not in of_kind(document, "STATIC_LINK"), "it is a shared library here"
    assert "GoogleTest" in of_kind(document, "TEST_DEPENDENCY_OF") and "h5py" in of_kind(document, "OPTIONAL_DEPENDENCY_OF")
    if owners:
        mpi = next(package for name, package in linked.items() if name.startswith("libmpi"))
        assert mpi["licenseDeclared"] == "BSD-3-Clause-Open-MPI" and mpi["externalRefs"][0]["referenceLocator"].startswith("pkg:deb/")


@pytest.mark.slow
def test_without_dpkg_versions_come_from_pkg_config_and_python(tmp_path):
    path = tmp_path / "path"
    path.mkdir()
    for program in os.scandir("/usr/bin"):
        if not program.name.startswith("dpkg"):
            (path / program.name).symlink_to(program.path)
    document = made(tmp_path, env={"PATH": str(path)})
    check_structure(document)
    versions = {package["name"]: package["versionInfo"] for package in document["packages"]}
    eigen = subprocess.run(["pkg-config", "--modversion", "eigen3"], capture_output=True, text=True, check=True).stdout.strip()
    assert versions["eigen3"] == eigen and re.match(r"\d+\.", versions["h5py"])
    assert any(name.startswith("libhdf5") for name in versions)
