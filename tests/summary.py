#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""The closing lines of `make test`: how many tests passed, and what was left out or took other data, with the reason.

    tests/summary.py [--complete] FOLDER GROUP ...

The groups have left their results in FOLDER: GROUP.xml, or GROUP-N.xml for several runs of the same tests (JUnit's format, which
GoogleTest and pytest write); GROUP.left_out holds the reason why a group did not run. --complete: exit status 1 if anything was
left out.
"""

import re
import sys
import xml.etree.ElementTree as ElementTree
from collections import Counter
from pathlib import Path

PLACE = re.compile(r"\S+:\d+\n")  # GoogleTest puts the line of the source before a reason


def read(files):
    """Of the tests in these files: how many ran, and the reasons of those that no run has tried or that took other data."""
    ran, skipped, notes = set(), {}, {}
    for file in files:
        for case in ElementTree.parse(file).iter("testcase"):
            name = case.get("classname"), case.get("name")
            reason = case.find("skipped")
            if reason is not None:
                skipped[name] = PLACE.sub("", reason.get("message") or "no reason given").strip()
                continue
            ran.add(name)
            for note in case.iterfind("properties/property[@name='instead']"):
                notes[name] = note.get("value")
    never = {name: reason for name, reason in skipped.items() if name not in ran}
    return len(ran), Counter(never.values()), Counter(notes.values())


def main(arguments):
    complete = "--complete" in arguments
    folder, *groups = [a for a in arguments if a != "--complete"]
    passed, lines = 0, []
    for group in groups:
        files = sorted(Path(folder).glob(f"{group}.xml")) + sorted(Path(folder).glob(f"{group}-*.xml"))
        reason = Path(folder, f"{group}.left_out")
        if not files and not reason.exists():
            sys.exit(f"tests/summary.py: the group {group} has left neither results nor a reason in {folder}")
        if not files:
            lines.append(f"LEFT OUT: all tests of {group}: {reason.read_text().strip()}")
            continue
        count, never, notes = read(files)
        passed += count
        lines += [f"LEFT OUT: {number} of the tests of {group}: {why}" for why, number in never.items()]
        lines += [f"OTHER DATA: {number} of the tests of {group}: {why}" for why, number in notes.items()]
    print(f"\n== {passed} tests passed; {'not everything was tried' if lines else 'nothing was left out'}")
    for line in lines:
        print(f"== {line}")
    return 1 if complete and lines else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
