# SPDX-License-Identifier: BSD-3-Clause
"""The page of a report: one HTML file that needs nothing else, in light and dark, on a phone and in print."""

from __future__ import annotations

import html

from lockstep_analysis.chart import Figure, Series, Table
from lockstep_analysis.draw import legend_entries, to_svg
from lockstep_analysis.palette import css, mark
from lockstep_analysis.tables import to_html

STYLE = """
*{box-sizing:border-box}
html{font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif;background:var(--paper);color:var(--ink);-webkit-text-size-adjust:100%}
body{margin:0 auto;max-width:72rem;padding:1.5rem clamp(1rem,4vw,2.5rem) 5rem}
header{border-bottom:1px solid var(--grid);padding-bottom:1.2rem;margin-bottom:1.6rem}
.eyebrow{font-size:.8rem;letter-spacing:.08em;text-transform:uppercase;color:var(--muted);margin:0}
h1{font-size:clamp(1.6rem,4.5vw,2.3rem);line-height:1.15;margin:.25rem 0 .5rem;letter-spacing:-.015em}
h2{font-size:1.45rem;margin:3.2rem 0 .8rem;line-height:1.2;letter-spacing:-.01em;border-top:2px solid var(--ink);padding-top:.7rem}
h3{font-size:1.1rem;margin:0 0 .5rem}
p{max-width:46rem;margin:.5rem 0}
a{color:var(--parallel_sgd)}
nav{display:flex;flex-wrap:wrap;gap:.3rem 1rem;font-size:.9rem;margin-top:.8rem}
nav a{text-decoration:none}nav a:hover{text-decoration:underline}
.facts{display:grid;grid-template-columns:repeat(auto-fit,minmax(11rem,1fr));gap:.8rem;margin:1.2rem 0;padding:0;list-style:none}
.facts li{border:1px solid var(--grid);border-radius:.6rem;padding:.75rem .9rem}
.facts .what{display:block;font-size:.8rem;color:var(--muted);line-height:1.35}
.facts .value{display:block;font-size:1.55rem;font-weight:650;line-height:1.25;font-variant-numeric:tabular-nums}
.facts .about{display:block;font-size:.82rem;color:var(--muted);line-height:1.35}
ul.words{padding-left:1.1rem;max-width:46rem}ul.words li{margin:.25rem 0}
figure,.table{margin:2.2rem 0 0}
.panels{display:flex;flex-wrap:wrap;gap:.8rem 1.4rem;align-items:flex-start}
.panel{flex:1 1 19rem;max-width:26.5rem;min-width:0}
.panel.wide{flex-basis:24rem;max-width:38rem}
.panels svg{display:block;width:100%;height:auto;overflow:visible}
svg text{font-family:system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif}
.legend{display:flex;flex-wrap:wrap;gap:.25rem 1.1rem;margin:.1rem 0 .6rem;padding:0;list-style:none;font-size:.88rem}
.legend li{display:inline-flex;align-items:center;gap:.4rem}
.legend svg{width:1.9rem;height:.9rem;flex:none;overflow:visible}
@media(min-width:56rem){.single .body{display:grid;grid-template-columns:minmax(0,36rem) minmax(12rem,1fr);gap:1rem 2rem;align-items:start}}
figcaption,.caption{font-size:.86rem;color:var(--muted);max-width:54rem;margin-top:.5rem;line-height:1.45}
figcaption p,.caption p{margin:.15rem 0;max-width:none}
.warn{color:var(--ink);border-left:3px solid var(--phase_wait);padding-left:.6rem;margin:.4rem 0}
.warn.error{border-color:var(--param_avg)}
details{margin-top:.5rem;font-size:.88rem}summary{cursor:pointer;color:var(--muted)}
code{font:.84em/1.4 ui-monospace,"SF Mono",Menlo,Consolas,"DejaVu Sans Mono",monospace;background:var(--grid);border-radius:.3rem;padding:.1em .35em;overflow-wrap:anywhere}
.scroll{overflow-x:auto;margin:.5rem 0}
table{border-collapse:collapse;font-size:.85rem;font-variant-numeric:tabular-nums;min-width:min(100%,30rem)}
th{font-weight:600;text-align:right;color:var(--muted);border-bottom:1px solid var(--muted);padding:.3rem .65rem;vertical-align:bottom;white-space:nowrap}
td small{display:block;color:var(--muted);font-size:.86em;line-height:1.3}
td{text-align:right;padding:.26rem .65rem;border-bottom:1px solid var(--grid);white-space:nowrap}
td{vertical-align:top}
th:first-child,td:first-child{text-align:left;padding-left:0}
dl{display:grid;grid-template-columns:minmax(8rem,14rem) 1fr;gap:.2rem 1rem;font-size:.88rem;margin:0}
dt{color:var(--muted)}dd{margin:0;overflow-wrap:anywhere}
.more{color:var(--muted);font-size:.85rem}
@media(max-width:34rem){html{font-size:15.5px}dl{grid-template-columns:1fr}dd{margin-bottom:.5rem}}
@media print{html{font-size:10.5px}body{max-width:none;padding:0}nav,.theme{display:none}figure,.table,.facts li{break-inside:avoid}h2{break-after:avoid}
.panel{flex-basis:32%;max-width:48%}.panel.wide{max-width:62%}a{color:inherit}.scroll{overflow:visible}table{font-size:.74rem}th,td{padding:.2rem .4rem;white-space:normal}}
"""
MARKS = {"s": '<rect x="11" y="4" width="8" height="8"/>', "o": '<circle cx="15" cy="8" r="4.4"/>', "^": '<path d="M15 3l5 9h-10z"/>',
         "<": '<path d="M10 8l9-5v10z"/>', ">": '<path d="M20 8l-9-5v10z"/>',
         "v": '<path d="M15 13l5-9h-10z"/>', "D": '<path d="M15 2.5l5.3 5.5-5.3 5.5-5.3-5.5z"/>', "P": '<path d="M13 3h4v3h3v4h-3v3h-4v-3h-3v-4h3z"/>',
         "X": '<path d="M11 3l4 3 4-3 1 1-3 4 3 4-1 1-4-3-4 3-1-1 3-4-3-4z"/>', "*": '<path d="M15 2l2 4 4 .5-3 3 1 4.500-4-2-4 2 1-4.500-3-3 4-.5z"/>'}


def escape(text: object) -> str:
    return html.escape(str(text))


def swatch(s: Series) -> str:
    """A legend's key: the same mark and dash as in the picture."""
    color = f"var(--{s.color})"
    if s.style == "bars":
        return f'<svg viewBox="0 0 30 16" aria-hidden="true"><rect x="4" y="2" width="22" height="12" rx="2" fill="{color}"/></svg>'
    dashes = ("", "6 3", "2 2", "7 3 2 3", "9 4", "4 2")
    guides = ("5 3", "2 2", "7 2 2 2", "8 3", "3 1", "1 3")
    dash = (guides if s.style == "guide" else dashes)[s.variant % len(dashes)]
    line = "" if s.style in ("points", "ticks") else f'<path d="M1 8H29" stroke="{color}" stroke-width="2" stroke-dasharray="{dash}" fill="none"/>'
    if s.style == "ticks":
        line = f'<path d="M8 8H22" stroke="{color}" stroke-width="2"/>'
    symbol = ""
    if s.style in ("points", "line"):
        shape, filled = mark(s.color, s.variant)
        symbol = MARKS[shape].replace("/>", f' fill="{color if filled else "var(--paper)"}" stroke="{color}" stroke-width="1.5"/>')
    return f'<svg viewBox="0 0 30 16" aria-hidden="true">{line}{symbol}</svg>'


def legend(figure: Figure) -> str:
    entries = legend_entries(figure)
    if len(entries) < 2:
        return ""
    return "<ul class=legend>" + "".join(f"<li>{swatch(s)}{escape(s.label)}</li>" for s in entries) + "</ul>"


def caption(item: Figure | Table, tag: str) -> str:
    words = "".join(f"<p>{escape(s)}</p>" for s in item.caption())
    warnings = f'<p class="warn"><strong>Mind:</strong> {escape("; ".join(item.warnings))}. <a href="#checks">Checks</a> says more.</p>' if item.warnings else ""
    return f'<{tag} class="caption">{words}{warnings}</{tag}>'


def figure_html(figure: Figure, anchor: str, csv: str) -> str:
    """A figure with its legend, caption, data and command."""
    panels = "".join(f'<div class="panel{" wide" if p.wide else ""}">{to_svg(p, f"{anchor} {p.title}")}</div>' for p in figure.panels)
    single = ' class="single"' if len(figure.panels) == 1 else ""
    return (f'<figure id="{anchor}"{single}><h3>{escape(figure.title)}</h3>{legend(figure)}<div class="body"><div class="panels">{panels}</div>{caption(figure, "figcaption")}</div>'
            f'<details><summary>Data and command</summary>{to_html(figure.table)}<p class=more>Every digit: <a href="{escape(csv)}">{escape(csv)}</a>. Drawn by '
            f'<code>{escape(figure.command)}</code></p></details></figure>')


def table_html(table: Table, anchor: str, csv: str) -> str:
    return (f'<div class="table" id="{anchor}"><h3>{escape(table.title)}</h3>{to_html(table.frame)}{caption(table, "div")}'
            f'<p class=more>Every digit: <a href="{escape(csv)}">{escape(csv)}</a>. Made by <code>{escape(table.command)}</code></p></div>')


def facts_html(facts: list[tuple[str, str, str]]) -> str:
    return "<ul class=facts>" + "".join(f'<li><span class=what>{escape(w)}</span><span class=value>{escape(v)}</span><span class=about>{escape(a)}</span></li>'
                                         for w, v, a in facts) + "</ul>"


def words_html(words: list[str]) -> str:
    return "<ul class=words>" + "".join(f"<li>{w}</li>" for w in words) + "</ul>" if words else ""


def definitions_html(rows: list[tuple[str, str]]) -> str:
    return "<dl>" + "".join(f"<dt>{escape(k)}</dt><dd>{escape(v)}</dd>" for k, v in rows) + "</dl>"


def document(title: str, eyebrow: str, lead: str, links: list[tuple[str, str]], body: str) -> str:
    nav = "".join(f'<a href="#{escape(a)}">{escape(t)}</a>' for a, t in links)
    return (f'<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">'
            f'<meta name="color-scheme" content="light dark"><title>{escape(title)}</title><link rel="icon" href="data:,"><style>{css()}{STYLE}</style></head><body>'
            f'<header><p class=eyebrow>{escape(eyebrow)}</p><h1>{escape(title)}</h1><p>{lead}</p><nav aria-label="Contents">{nav}</nav></header>'
            f'<main>{body}</main></body></html>\n')
