# SPDX-License-Identifier: BSD-3-Clause
"""The page of a report: one HTML file that needs nothing else, in light and dark, on a phone and in print."""

from __future__ import annotations

import html
import re
from pathlib import Path

from lockstep_analysis.chart import Figure, Series, Table
from lockstep_analysis.draw import legend_entries, to_svg
from lockstep_analysis.palette import css, mark
from lockstep_analysis.tables import to_html

STYLE = re.sub(r"/\*.*?\*/\s*", "", (Path(__file__).parent / "page.css").read_text(encoding="utf-8"))
MARKS = {
    "s": '<rect x="11" y="4" width="8" height="8"/>',
    "o": '<circle cx="15" cy="8" r="4.4"/>',
    "^": '<path d="M15 3l5 9h-10z"/>',
    "<": '<path d="M10 8l9-5v10z"/>',
    ">": '<path d="M20 8l-9-5v10z"/>',
    "v": '<path d="M15 13l5-9h-10z"/>',
    "D": '<path d="M15 2.5l5.3 5.5-5.3 5.5-5.3-5.5z"/>',
    "P": '<path d="M13 3h4v3h3v4h-3v3h-4v-3h-3v-4h3z"/>',
    "X": '<path d="M11 3l4 3 4-3 1 1-3 4 3 4-1 1-4-3-4 3-1-1 3-4-3-4z"/>',
    "*": '<path d="M15 2l2 4 4 .5-3 3 1 4.500-4-2-4 2 1-4.500-3-3 4-.5z"/>',
}


def escape(text: object) -> str:
    return html.escape(str(text))


def swatch(s: Series) -> str:
    """A legend's key: the same mark and dash as in the picture."""
    color = f"var(--{s.color})"
    if s.style == "bars":
        return (
            f'<svg viewBox="0 0 30 16" aria-hidden="true"><rect x="4" y="2" width="22" height="12" rx="2" fill="{color}"/></svg>'
        )
    dashes = ("", "6 3", "2 2", "7 3 2 3", "9 4", "4 2")
    guides = ("5 3", "2 2", "7 2 2 2", "8 3", "3 1", "1 3")
    dash = (guides if s.style == "guide" else dashes)[s.variant % len(dashes)]
    line = (
        ""
        if s.style in ("points", "ticks")
        else f'<path d="M1 8H29" stroke="{color}" stroke-width="2" stroke-dasharray="{dash}" fill="none"/>'
    )
    if s.style == "ticks":
        line = f'<path d="M8 8H22" stroke="{color}" stroke-width="2"/>'
    symbol = ""
    if s.style in ("points", "line"):
        shape, filled = mark(s.color, s.variant)
        symbol = MARKS[shape].replace(
            "/>", f' fill="{color if filled else "var(--paper)"}" stroke="{color}" stroke-width="1.5"/>'
        )
    return f'<svg viewBox="0 0 30 16" aria-hidden="true">{line}{symbol}</svg>'


def legend(figure: Figure) -> str:
    entries = legend_entries(figure)
    if len(entries) < 2:
        return ""
    return "<ul class=legend>" + "".join(f"<li>{swatch(s)}{escape(s.label)}</li>" for s in entries) + "</ul>"


def caption(item: Figure | Table, tag: str) -> str:
    words = "".join(f"<p>{escape(s)}</p>" for s in item.caption())
    warnings = (
        f'<p class="warn"><strong>Mind:</strong> {escape("; ".join(item.warnings))}. <a href="#checks">Checks</a> says more.</p>'
        if item.warnings
        else ""
    )
    return f'<{tag} class="caption">{words}{warnings}</{tag}>'


def figure_html(figure: Figure, anchor: str, csv: str) -> str:
    """A figure with its legend, caption, data and command."""
    panels = "".join(
        f'<div class="panel{" wide" if p.wide else ""}">{to_svg(p, f"{anchor} {p.title}")}</div>' for p in figure.panels
    )
    single = ' class="single"' if len(figure.panels) == 1 else ""
    return (
        f'<figure id="{anchor}"{single}><h3>{escape(figure.title)}</h3>{legend(figure)}<div class="body"><div'
        f' class="panels">{panels}</div>{caption(figure, "figcaption")}</div><details><summary>Data and'
        f' command</summary>{to_html(figure.table)}<p class=more>Every digit: <a href="{escape(csv)}">{escape(csv)}</a>. Drawn by'
        f" <code>{escape(figure.command)}</code></p></details></figure>"
    )


def table_html(table: Table, anchor: str, csv: str) -> str:
    return (
        f'<div class="table" id="{anchor}"><h3>{escape(table.title)}</h3>{to_html(table.frame)}{caption(table, "div")}<p'
        f' class=more>Every digit: <a href="{escape(csv)}">{escape(csv)}</a>. Made by'
        f" <code>{escape(table.command)}</code></p></div>"
    )


def facts_html(facts: list[tuple[str, str, str]]) -> str:
    return (
        "<ul class=facts>"
        + "".join(
            f"<li><span class=what>{escape(w)}</span><span class=value>{escape(v)}</span><span"
            f" class=about>{escape(a)}</span></li>"
            for w, v, a in facts
        )
        + "</ul>"
    )


def words_html(words: list[str]) -> str:
    return "<ul class=words>" + "".join(f"<li>{w}</li>" for w in words) + "</ul>" if words else ""


def definitions_html(rows: list[tuple[str, str]]) -> str:
    return "<dl>" + "".join(f"<dt>{escape(k)}</dt><dd>{escape(v)}</dd>" for k, v in rows) + "</dl>"


def document(title: str, eyebrow: str, lead: str, links: list[tuple[str, str]], body: str) -> str:
    nav = "".join(f'<a href="#{escape(a)}">{escape(t)}</a>' for a, t in links)
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport"'
        ' content="width=device-width,initial-scale=1"><meta name="color-scheme" content="light'
        f' dark"><title>{escape(title)}</title><link rel="icon"'
        f' href="data:,"><style>{css()}{STYLE}</style></head><body><header><p'
        f" class=eyebrow>{escape(eyebrow)}</p><h1>{escape(title)}</h1><p>{lead}</p><nav"
        f' aria-label="Contents">{nav}</nav></header><main>{body}</main></body></html>\n'
    )
