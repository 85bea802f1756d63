# SPDX-License-Identifier: BSD-3-Clause
"""Numbers as text: for the terminal, CSV, Markdown, LaTeX and HTML."""

from __future__ import annotations

import html
import math
from typing import TYPE_CHECKING, Any, Callable

if TYPE_CHECKING:
    import pandas as pd

LATEX_SPECIAL = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "±": r"$\pm$",
    "λ": r"$\lambda$",
    "×": r"$\times$",
    "–": "--",
    "−": "$-$",
}


def cell(value: Any, name: str = "") -> str:
    """A number with three to four digits that count; nothing where nothing is known. `name` is the column's: percentages and
    accuracies have a fixed number of digits, so that they align."""
    if isinstance(value, str):
        return value
    if isinstance(value, float) and math.isfinite(value) and ("%" in name or "accuracy" in name):
        return f"{value:.2f}" if "accuracy" in name else f"{value:.1f}"
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, float) and math.isinf(value):
        return "not seen"
    if isinstance(value, float):
        size = abs(value)
        if value == int(value) and size < 1e6:
            return str(int(value))
        return (
            f"{value:.0f}"
            if size >= 1000
            else (
                f"{value:.1f}"
                if size >= 100
                else f"{value:.2f}" if size >= 10 else f"{value:.3f}" if size >= 0.01 else f"{value:.2g}"
            )
        )
    return str(value)


def layout(rows: list[list[str]]) -> list[str]:
    """Columns as wide as their widest cell; the first is aligned left, numbers right."""
    widths = [max(len(cells[i]) for cells in rows) for i in range(len(rows[0]))]
    lines = [
        "  ".join(text.ljust(width) if i == 0 else text.rjust(width) for i, (text, width) in enumerate(zip(cells, widths)))
        for cells in rows
    ]
    return [lines[0], "-" * len(lines[0]), *lines[1:]]


def cells_of(frame: "pd.DataFrame") -> list[list[str]]:
    """Header and rows as text. Columns "X", "X low", "X high" become "X" and "95% interval"-like "low .. high"."""
    names = list(frame.columns)
    joined = [n for n in names if f"{n} low" in names and f"{n} high" in names]
    hidden = {f"{n} {end}" for n in joined for end in ("low", "high")}
    header: list[str] = []
    for name in names:
        if name not in hidden:
            header += [str(name), "interval"] if name in joined else [str(name)]
    rows = [header]
    for record in frame.to_dict("records"):
        row: list[str] = []
        for name in names:
            if name in hidden:
                continue
            row.append(cell(record[name], name))
            if name in joined:
                low, high = cell(record[f"{name} low"], name), cell(record[f"{name} high"], name)
                row.append(f"{low} .. {high}" if low and high else "")
        rows.append(row)
    return rows


def to_text(frame: "pd.DataFrame") -> str:
    return "\n".join(layout(cells_of(frame))) if len(frame) else "(no rows)"


def to_csv(frame: "pd.DataFrame") -> str:
    """Every digit: for programs."""
    return frame.to_csv(index=False)


def to_markdown(frame: "pd.DataFrame") -> str:
    header, *rows = [[c.replace("|", "\\|") for c in row] for row in cells_of(frame)]
    marks = ["---"] + ["---:"] * (len(header) - 1)
    return "\n".join("| " + " | ".join(row) + " |" for row in (header, marks, *rows)) + "\n"


def to_latex(frame: "pd.DataFrame") -> str:
    """A tabular with booktabs rules."""
    header, *rows = [[latex(c) for c in row] for row in cells_of(frame)]
    lines = [
        r"\begin{tabular}{l" + "r" * (len(header) - 1) + "}",
        r"\toprule",
        " & ".join(header) + r" \\",
        r"\midrule",
        *(" & ".join(row) + r" \\" for row in rows),
        r"\bottomrule",
        r"\end{tabular}",
    ]
    return "\n".join(lines) + "\n"


def latex(text: str) -> str:
    return "".join(LATEX_SPECIAL.get(c, c) for c in text)


def to_html(frame: "pd.DataFrame", most: int = 80) -> str:
    """Intervals stand below their value, so that a table is half as wide."""
    header, *rows = cells_of(frame)
    shown = [i for i, name in enumerate(header) if name != "interval"]

    def value(row: list[str], i: int) -> str:
        has_interval = i + 1 < len(header) and header[i + 1] == "interval" and row[i + 1]
        return html.escape(row[i]) + (f"<small>{html.escape(row[i + 1])}</small>" if has_interval else "")

    head = "".join(f"<th scope=col>{html.escape(header[i])}</th>" for i in shown)
    body = "".join("<tr>" + "".join(f"<td>{value(row, i)}</td>" for i in shown) + "</tr>" for row in rows[:most])
    more = f"<p class=more>{len(rows) - most} more rows are in the CSV file.</p>" if len(rows) > most else ""
    return f"<div class=scroll><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>{more}"


FORMATS: dict[str, Callable[["pd.DataFrame"], str]] = {"text": to_text, "csv": to_csv, "markdown": to_markdown, "latex": to_latex}
SUFFIXES = {"csv": ".csv", "markdown": ".md", "latex": ".tex"}
