#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Lists the parts of a build as SPDX 2.3: what its programs are linked to, what was compiled in, what tests and analysis load.

mk/sbom.py --out FILE --modules "eigen3 fmt ..." PROGRAM...     versions come from dpkg, else from pkg-config and Python
"""

import argparse
import datetime
import importlib
import json
import os
import platform
import re
import shutil
import subprocess
import uuid
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# Upstream's licence by Debian's source package. What is not here has its names from Debian's copyright file as a comment.
LICENCES = {
    "cli11": "BSD-3-Clause", "curl": "curl", "eigen3": "MPL-2.0", "fmtlib": "MIT", "gcc": "GPL-3.0-or-later WITH GCC-exception-3.1",
    "git": "GPL-2.0-only", "glibc": "LGPL-2.1-or-later", "benchmark": "Apache-2.0", "googletest": "BSD-3-Clause",
    "h5py": "BSD-3-Clause", "hdf5": "BSD-3-Clause", "hwloc": "BSD-3-Clause", "libevent": "BSD-3-Clause", "libxsmm": "BSD-3-Clause",
    "nlohmann-json3": "MIT", "numpy": "BSD-3-Clause", "openblas": "BSD-3-Clause", "openmpi": "BSD-3-Clause-Open-MPI",
    "openssl": "Apache-2.0", "pandas": "BSD-3-Clause", "pytest": "MIT", "scipy": "BSD-3-Clause", "zlib": "Zlib",
}
# Groups of mk/deps.sh, and what they are to Lockstep.
GROUPS = {"run": "RUNTIME_DEPENDENCY_OF", "analysis": "OPTIONAL_DEPENDENCY_OF", "test": "TEST_DEPENDENCY_OF", "bench": "TEST_DEPENDENCY_OF"}


def said(*command):
    """What a command prints; "" where it fails or is absent."""
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


class Debian:
    """Packages by file and by name, asked for once; nothing where there is no dpkg."""

    def __init__(self, files, names):
        self.owners, self.packages = {}, {}
        if shutil.which("dpkg-query") is None:
            return
        spellings = [spelling for path in files for spelling in self.spellings(path)]
        listing = subprocess.run(["dpkg-query", "-S", *spellings], capture_output=True, text=True, check=False).stdout
        for line in listing.splitlines():  # "package:architecture, another: /path"
            packages, _, path = line.rpartition(": ")
            self.owners[path] = packages.split(", ")[0].split(":")[0]
        form = "${Package}\t${Version}\t${Architecture}\t${Maintainer}\t${source:Package}\t${db:Status-Status}\n"
        wanted = sorted({*self.owners.values(), *names})
        rows = subprocess.run(["dpkg-query", "-W", "-f", form, *wanted], capture_output=True, text=True, check=False).stdout
        for *fields, state in (row.split("\t") for row in rows.splitlines()):
            if state == "installed":
                self.packages[fields[0]] = fields

    @staticmethod
    def spellings(path):
        """A file may be registered below / or /usr, or behind a link."""
        names = [str(path), os.path.realpath(path)]
        return names + [name[4:] if name.startswith("/usr/lib") else f"/usr{name}" for name in names]

    def owner(self, path):
        """The package that a file is of."""
        return next((self.owners[name] for name in self.spellings(path) if name in self.owners), None)

    def part(self, package):
        """None where it is not installed."""
        if package not in self.packages:
            return None
        name, version, architecture, maintainer, source = self.packages[package]
        person, _, mail = maintainer.partition(" <")
        kind = "Organization" if re.search("(?i)team|Maintainers|Group|Developers|Packagers", person) else "Person"
        found = part(name, version)
        found["supplier"] = f"{kind}: {person} ({mail.rstrip('>')})"
        found["licenseDeclared"] = LICENCES.get(re.sub(r"^(gcc)-\d+$", r"\1", source), "NOASSERTION")
        named = licences_named(name)
        if named and found["licenseDeclared"] == "NOASSERTION":
            found["licenseComments"] = f"Debian's copyright file names: {named}"
        found["externalRefs"] = [{"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl",
                                  "referenceLocator": f"pkg:deb/debian/{name}@{version}?arch={architecture}"}]
        return found


def licences_named(package):
    """Names of licences in Debian's copyright file of a package."""
    path = Path("/usr/share/doc", package, "copyright")
    text = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
    return ", ".join(sorted(set(re.findall(r"^License: *(\S.*)$", text, re.MULTILINE))))


def part(name, version):
    """A part of which no more is known."""
    return {"SPDXID": "SPDXRef-Package-" + re.sub(r"[^A-Za-z0-9.-]", "-", name), "name": name, "versionInfo": version or "unknown",
            "supplier": "NOASSERTION", "downloadLocation": "NOASSERTION", "filesAnalyzed": False, "licenseConcluded": "NOASSERTION",
            "licenseDeclared": "NOASSERTION", "copyrightText": "NOASSERTION"}


def linked_libraries(programs):
    """Path by name of every library that the loader brings, and names of those that it does not find."""
    paths = {}
    for program in programs:
        for line in said("ldd", program).splitlines():
            match = re.match(r"\s*(\S+) => (/\S+)|\s*(/\S+)", line)
            if match:
                path = match[2] or match[3]
                paths[match[1] or Path(path).name] = path
    return paths


def description(module):
    """The file that pkg-config reads."""
    return f"{said('pkg-config', '--variable=pcfiledir', module)}/{module}.pc"


def is_compiled_in(module, libraries):
    """Headers alone, or a static library: what it names first (others are what that needs) is not loaded."""
    loaded = {os.path.realpath(path) for path in libraries.values()}
    words = said("pkg-config", "--libs", module).split()
    folders = [word[2:] for word in words if word.startswith("-L")]
    own = next((f"lib{word[2:]}.so" for word in words if word.startswith("-l")), None)
    return own is None or not (any(library.startswith(own) for library in libraries)
                               or any(os.path.realpath(Path(folder, own)) in loaded for folder in folders))


def part_found(how):
    """A part in one of the ways of mk/deps.sh, where dpkg does not know it; None where it is not here."""
    for kind, _, name in (way.partition(":") for way in how.split()):
        if kind == "pc" and said("pkg-config", "--modversion", name):
            return part(name, said("pkg-config", "--modversion", name))
        if kind == "cmd" and shutil.which(name):
            return part(name, "")
        if kind == "py":
            try:
                # Modules of Python's own have its version.
                return part(name, getattr(importlib.import_module(name), "__version__", platform.python_version()))
            except ImportError:
                continue
    return None


class Document:
    def __init__(self):
        self.commit = said("git", "rev-parse", "HEAD") or "unknown"
        changed = " with changes" if said("git", "status", "--porcelain", "--untracked-files=no") else ""
        self.own = part("lockstep", (ROOT / "VERSION").read_text(encoding="utf-8").strip())
        self.own |= {"licenseDeclared": "BSD-3-Clause", "supplier": "Organization: Lockstep", "sourceInfo": f"git commit {self.commit}{changed}"}
        self.parts = {self.own["SPDXID"]: self.own}
        self.relations = [("SPDXRef-DOCUMENT", "DESCRIBES", self.own["SPDXID"], "")]

    def add(self, found, kind, comment=""):
        self.parts.setdefault(found["SPDXID"], found)
        ends = (found["SPDXID"], self.own["SPDXID"])
        one, other = ends if kind.endswith("_OF") else ends[::-1]
        if (one, kind, other) not in [relation[:3] for relation in self.relations]:
            self.relations.append((one, kind, other, comment))

    def json(self):
        content = json.dumps(list(self.parts.values()), sort_keys=True)
        when = os.environ.get("SOURCE_DATE_EPOCH") or said("git", "log", "-1", "--format=%ct") or "0"
        created = datetime.datetime.fromtimestamp(int(when), datetime.timezone.utc)
        return {
            "spdxVersion": "SPDX-2.3", "dataLicense": "CC0-1.0", "SPDXID": "SPDXRef-DOCUMENT", "name": f"lockstep-{self.own['versionInfo']}",
            "documentNamespace": f"https://spdx.org/spdxdocs/lockstep-{self.commit}-{uuid.uuid5(uuid.NAMESPACE_URL, content)}",
            "creationInfo": {"created": created.strftime("%Y-%m-%dT%H:%M:%SZ"), "creators": ["Tool: lockstep-mk/sbom.py"]},
            "packages": list(self.parts.values()),
            "relationships": [{"spdxElementId": one, "relationshipType": kind, "relatedSpdxElement": other} | ({"comment": why} if why else {})
                              for one, kind, other, why in self.relations],
        }


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--out", required=True, type=Path)
    arguments.add_argument("--modules", default="", help="of pkg-config")
    arguments.add_argument("programs", nargs="+")
    given = arguments.parse_args()
    document = Document()
    libraries = linked_libraries(given.programs)
    modules = {module: description(module) for module in given.modules.split() if is_compiled_in(module, libraries)}
    rows = [row.split("|") for row in said("mk/deps.sh", "--list").splitlines()]
    debian = Debian([*libraries.values(), *modules.values()], [row[3] for row in rows if row[3]])
    for name, path in sorted(libraries.items()):
        document.add(debian.part(debian.owner(path)) or part(name, ""), "DYNAMIC_LINK", name)
    for module, path in modules.items():
        found = debian.part(debian.owner(path)) or part(module, said("pkg-config", "--modversion", module))
        document.add(found, "STATIC_LINK", f"{module}: headers, or a static library")
    for group, title, how, package, *_ in rows:
        found = (debian.part(package) or part_found(how)) if group in GROUPS else None
        if found:
            document.add(found, GROUPS[group], f"{group}: {title}")
    given.out.write_text(json.dumps(document.json(), indent=1) + "\n", encoding="utf-8")
    print(f"{given.out}: {len(document.parts)} parts, SPDX 2.3")


if __name__ == "__main__":
    main()
