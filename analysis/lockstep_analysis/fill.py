# SPDX-License-Identifier: BSD-3-Clause
"""Tables and figures in a Markdown file, made again from its own comments: prose and numbers stay together, and the numbers are
those of the runs.

    <!-- lockstep: table table2 results/table2 -->
    ... made: all that stands here is replaced ...
    <!-- end -->

Figures are PNG files in a folder beside the document, named after it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Callable

from lockstep_analysis.chart import Figure, Table
from lockstep_analysis.draw import save
from lockstep_analysis.errors import AnalysisError
from lockstep_analysis.report import slug
from lockstep_analysis.tables import to_markdown

BEGIN = re.compile(r"^<!-- lockstep: (.+) -->$")
END = "<!-- end -->"
SMALL_DPI = 110  # documents are kept in git


def fill_document(path: Path, build: Callable[[str], Table | Figure]) -> int:
    """Fills every place; returns how many there are. Nothing is written unless all could be made."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as failure:
        raise AnalysisError(f"{path} cannot be read: {failure.strerror}") from None
    pictures: dict[Path, Figure] = {}
    filled: list[str] = []
    count = at = 0
    while at < len(lines):
        filled.append(lines[at])
        begin = BEGIN.match(lines[at])
        if begin:
            count += 1
            end = next((i for i in range(at + 1, len(lines)) if lines[i] == END or BEGIN.match(lines[i])), len(lines))
            if end == len(lines) or lines[end] != END:
                raise AnalysisError(f"{path}, line {at + 1}: nothing ends this place", f"put a line {END} below it")
            made = build(begin[1])
            if isinstance(made, Figure):
                picture = path.with_suffix("") / f"{slug(begin[1].removeprefix('figure'))}.png"
                pictures[picture] = made
                filled += ["", f"![{made.title}]({picture.relative_to(path.parent)})", "", *caption(made), ""]
            else:
                filled += ["", *to_markdown(made.frame).splitlines(), "", *caption(made), ""]
            filled.append(END)
            at = end
        at += 1
    for picture, figure in pictures.items():
        picture.parent.mkdir(exist_ok=True)
        save(figure, picture, ("png",), SMALL_DPI)
    path.write_text("\n".join(filled) + "\n", encoding="utf-8")
    return count


def caption(made: Table | Figure) -> list[str]:
    checks = [f"Checks: {'; '.join(made.warnings)}."] if made.warnings else []
    return [" ".join([f"*{made.title}.*", *made.caption(), *checks])]
