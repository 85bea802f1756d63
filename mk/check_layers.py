#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Fails on a use in src/ that points upwards, and on a rule that nobody needs.   mk/check_layers.py [--self-test]"""

import re
import sys
import tempfile
from pathlib import Path

# What each folder may use beside itself, from the lowest to the highest: what it needs of what stands above it here.
# docs/design.md has the same table.
ALLOWED = {
    "core": [],
    "math": ["core"],
    "comm": ["core"],
    "data": ["core", "math"],
    "nn": ["core", "math"],
    "algorithms": ["core", "math", "comm", "data", "nn"],
    "record": ["core"],
    "watch": ["core", "comm"],
    "train": ["core", "math", "comm", "data", "nn", "algorithms", "record", "watch"],
    "simulate": ["core", "math", "comm", "record", "train"],
    "sweep": ["core", "math", "data", "algorithms", "record", "train"],  # train: what a configuration is
}
# The folders of a layer that has several, and what each may use of the others: from the lowest to the highest, too.
PARTS = {
    "sweep/spec": [],
    "sweep": ["sweep/spec"],
    "sweep/local": ["sweep"],
    "sweep/slurm": ["sweep/spec", "sweep"],
    "sweep/commands": ["sweep/spec", "sweep", "sweep/local", "sweep/slurm"],
    "sweep/programs": ["sweep/commands"],
}
# Libraries that only certain folders may know: name of the header, folders.
OWNERS = {r"mpi\.h": ["comm", "simulate"], r"s4u\.hpp": ["simulate"], r"(hdf5(_hl)?|H5\w+)\.h": ["record"]}
DESIGN = "docs/design.md"

HEADERS = {".hpp", ".h", ".hh"}
SOURCES = {".cpp", ".cc", ".cxx"}
OTHERS = {".def", ".inc", ".ipp"}
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
PRAGMA_ONCE = re.compile(r"^\s*#\s*pragma\s+once\b")
# A layer is a namespace too. Comments and texts in quotes are taken off first.
NAMED = re.compile(r"(?<![\w:.])(?:::)?(?:lockstep::)?(%s)::" % "|".join(ALLOWED))
NO_CODE = re.compile(r"""//.*|/\*.*?\*/|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)'""")
# A row of the table of layers: | `src/core` | what lives there | what it may use |
DESIGN_ROW = re.compile(r"^\| `src/(\w+)` \|.*\| ([^|]*) \|$")


def problems_of(path, root, used):
    """Yields (line number, problem) for a source file below root/src; adds the (layer, other layer) that it uses to `used`."""
    relative = path.relative_to(root / "src")
    layer = relative.parts[0]
    if layer not in ALLOWED:
        yield 1, f"src/{layer} is no layer; there are: {', '.join(ALLOWED)}"
        return
    may = f"{layer} may use {', '.join([layer, *ALLOWED[layer]])}"
    part = relative.parent.as_posix()
    if part not in PARTS and layer in PARTS:
        yield 1, f"src/{part} is no part of {layer}; there are: {', '.join(PARTS)}"
        return
    lines = path.read_text(encoding="utf-8").splitlines()
    if path.suffix in HEADERS and not any(map(PRAGMA_ONCE.match, lines)):
        yield 1, "a header needs #pragma once"
    matches = [(number, INCLUDE.match(line)) for number, line in enumerate(lines, 1)]
    includes = [(number, *match.groups()) for number, match in matches if match]

    for number, quote, name in includes:
        parts = Path(name).parts
        if ".." in parts:
            yield number, f"{name}: paths start at src/, without '..'"
        # The search path holds src/, so <nn/model.hpp> finds what "nn/model.hpp" finds.
        elif parts[0] in ALLOWED:
            used.add((layer, parts[0]))
            if parts[0] != layer and parts[0] not in ALLOWED[layer]:
                yield number, f"{name}: {may}; not {parts[0]}"
            other = Path(name).parent.as_posix()
            if part in PARTS and other in PARTS and other != part:
                used.add((part, other))
                if other not in PARTS[part]:
                    yield number, f"{name}: {part} may use {', '.join([part, *PARTS[part]])}; not {other}"
        # "model.hpp" for "nn/model.hpp" would slip past the table.
        elif quote == '"' and ((path.parent / name).exists() or (root / "src" / name).exists()):
            yield number, f"{name}: paths start at src/ and name a layer"
        for pattern, owners in OWNERS.items():
            if re.fullmatch(pattern, parts[-1]):
                used.add((layer, pattern))
                if layer not in owners:
                    yield number, f"{name}: only {' and '.join(owners)} may include it"

    # What comes in through another layer's header is used all the same.
    for number, line in enumerate(lines, 1):
        for other in NAMED.findall(NO_CODE.sub("", line)):
            used.add((layer, other))
            if other != layer and other not in ALLOWED[layer]:
                yield number, f"{other}:: {may}; not {other}"

    own = [relative.with_suffix(suffix) for suffix in sorted(HEADERS) if path.with_suffix(suffix).exists()]
    if path.suffix in SOURCES and own and (not includes or Path(includes[0][2]) not in own):
        yield includes[0][0] if includes else 1, f"its own header comes first: {own[0]}"


def unused_rules(used):
    """Yields what is allowed above and not among `used`."""
    own = Path(__file__).name
    for folder, others in [*ALLOWED.items(), *PARTS.items()]:
        for other in others:
            if (folder, other) not in used:
                yield own, 1, f"{folder} may use {other}, and no file does: take it off the table"
    for pattern, owners in OWNERS.items():
        for layer in owners:
            if (layer, pattern) not in used:
                yield own, 1, f"{layer} may include {pattern}, and no file does: take it off the table"


def design_problems(text):
    """Yields where the table of layers in the text of docs/design.md is not the one above."""
    told = {}
    for number, line in enumerate(text.splitlines(), 1):
        if match := DESIGN_ROW.match(line):
            layer, uses = match.groups()
            told[layer] = uses
            expected = ", ".join(ALLOWED.get(layer, ["is no layer"])) or "nothing"
            if uses != expected:
                yield DESIGN, number, f"src/{layer} uses '{uses}', where mk/check_layers.py says '{expected}'"
    if list(told) != list(ALLOWED):
        yield DESIGN, 1, f"its table of layers has {', '.join(told) or 'no row'}; expected {', '.join(ALLOWED)}"


def check(root):
    """Lists (path, line, problem) for the tree root/src, and counts its files; also what they use."""
    files = sorted(p for p in (root / "src").rglob("*") if p.suffix in HEADERS | SOURCES | OTHERS)
    used = set()
    found = [(p.relative_to(root), *problem) for p in files for problem in problems_of(p, root, used)]
    return found, len(files), used


def self_test():
    """Each of the bad files breaks one rule, in its line 2; the good ones break none. Each rule is missed when it is unused."""
    for table in (ALLOWED, PARTS):
        order = list(table)
        for folder, others in table.items():
            assert all(order.index(other) < order.index(folder) for other in others), f"{folder} points upwards"
    upwards = [(a, b) for a in ALLOWED for b in ALLOWED if a != b and b not in ALLOWED[a]]
    # The rules in words, so that a slip in the table is seen here.
    for pair in ("math comm", "comm math", "data nn", "nn data", "data comm", "nn comm", "core math", "math nn",
                 "comm algorithms", "algorithms record", "record comm", "record nn", "record train", "train sweep",
                 "sweep comm", "sweep nn"):
        assert tuple(pair.split()) in upwards, pair
    bad = [(f"src/{a}/a.cpp", f'\n#include "{b}/x.hpp"\n', f"{a} may use") for a, b in upwards]
    bad += [(f"src/{a}/a.cpp", f"\nint x = {b}::y;\n", f"{a} may use") for a, b in upwards]
    for header, pattern in (("mpi.h", r"mpi\.h"), ("hdf5.h", r"(hdf5(_hl)?|H5\w+)\.h"), ("simgrid/s4u.hpp", r"s4u\.hpp")):
        owners = OWNERS[pattern]
        bad += [(f"src/{a}/a.cpp", f"\n#include <{header}>\n", f"only {owners[0]}") for a in ALLOWED if a not in owners]
    bad += [
        ("src/nn/layers/a.def", '\n#  include "comm/x.hpp"\n', "nn may use"),
        ("src/nn/a.cpp", "\n#include <comm/x.hpp>\n", "nn may use"),
        ("src/nn/a.cpp", "\nusing lockstep::comm::Communicator;\n", "nn may use"),
        ("src/nn/a.cpp", '\nf("a", comm::x, "b");  // x\n', "nn may use"),
        ("src/nn/a.cpp", "\nf('\"', ::lockstep::comm::x, '\"');\n", "nn may use"),
        ("src/math/a.cpp", '\n#include "math/../core/x.hpp"\n', "without '..'"),
        ("src/math/a.cpp", '\n#include "../comm/x.hpp"\n', "without '..'"),
        ("src/core/a.cpp", '\n#include "own.hpp"\n', "name a layer"),
        ("src/core/own.cpp", '\n#include <vector>\n#include "core/own.hpp"\n', "own header comes first"),
        ("src/core/own.cpp", '\n#include "core/x.hpp"\n#include "core/own.hpp"\n', "own header comes first"),
        ("src/core/own.cpp", "", "own header comes first"),
        ("src/core/a.hpp", "\nint x;\n", "#pragma once"),
        ("src/core/a.hpp", "\n// #pragma once\n", "#pragma once"),
        ("src/strange/a.cpp", "\n", "is no layer"),
        ("src/a.cpp", "\n", "is no layer"),
        ("src/sweep/strange/a.cpp", "\n", "is no part"),
    ]
    bad += [(f"src/{a}/a.cpp", f'\n#include "{b}/x.hpp"\n', f"{a} may use") for a in PARTS for b in PARTS if b not in [a, *PARTS[a]]]
    good = [(f"src/{a}/a.cpp", f'#include <vector>\n#include "{b}/x.hpp"\n') for a in ALLOWED for b in [a, *ALLOWED[a]]]
    good += [(f"src/{a}/a.cpp", f'#include "{b}/x.hpp"\n') for a in PARTS for b in [a, *PARTS[a]]]
    good += [
        ("src/core/own.cpp", '// Comment.\n#include "core/own.hpp"\n#include <vector>\n'),
        ("src/core/a.hpp", "// Comment.\n#pragma once\n"),
        ("src/comm/a.cpp", "#include <mpi.h>\n"),
        ("src/record/a.cpp", "#include <hdf5.h>\n"),
        ("src/core/a.cpp", 'f("nn::x");  // nn::x\nstd::nn::x();\nrunn::x();\n'),
        ("src/core/a.cpp", '// #include "nn/x.hpp"\n#include "nlohmann/json.hpp"\n'),
    ]
    for name, text, expected in bad + [(*case, None) for case in good]:
        with tempfile.TemporaryDirectory() as folder:
            for file, content in {"src/core/own.hpp": "#pragma once\n", name: text}.items():
                path = Path(folder) / file
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(content)
            found, _, _ = check(Path(folder))
            right = not found if expected is None else len(found) == 1 and expected in found[0][2]
            if right and expected and ("#include" in text or "::" in text):
                right = found[0][1] == 2
            if not right:
                sys.exit(f"check_layers.py: self-test fails on {name} {text!r}: expected {expected}, found {found}")

    every_rule = {(a, b) for table in (ALLOWED, PARTS) for a in table for b in table[a]} | {(a, b) for b in OWNERS for a in OWNERS[b]}
    assert not list(unused_rules(every_rule))
    for rule in every_rule:
        [(_, _, problem)] = unused_rules(every_rule - {rule})
        assert problem.startswith(f"{rule[0]} may") and rule[1] in problem, problem

    rows = [f"| `src/{layer}` | what lives there | {', '.join(ALLOWED[layer]) or 'nothing'} |" for layer in ALLOWED]
    assert not list(design_problems("\n".join(rows)))
    for wrong in (rows[1:], [*rows, "| `src/x` | y | core |"], [rows[0], rows[1].replace("core", "comm"), *rows[2:]],
                  [*reversed(rows)], []):
        assert list(design_problems("\n".join(wrong))), wrong
    return len(bad), len(good), len(every_rule)


def main(arguments):
    if set(arguments) - {"--self-test"}:
        sys.exit(__doc__)
    if arguments:
        print("check-layers: self-test: %d violations found, %d good files passed, %d rules missed" % self_test())
    root = Path(__file__).resolve().parents[1]
    found, files, used = check(root)
    found += [*unused_rules(used), *design_problems((root / DESIGN).read_text(encoding="utf-8"))]
    for path, number, problem in found:
        print(f"{path}:{number}: {problem}")
    print(f"check-layers: {files} files, {len(found) or 'no'} problem{'' if len(found) == 1 else 's'}")
    return 1 if found or not files else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
