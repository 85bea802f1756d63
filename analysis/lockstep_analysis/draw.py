# SPDX-License-Identifier: BSD-3-Clause
"""Pictures of figures: SVG panels for a page, PDF and PNG for a paper. All by matplotlib, without a display."""

from __future__ import annotations

import io
import os
import re
from pathlib import Path
from typing import Any, Sequence

# A user's settings are for their own pictures. An unknown backend would end the import.
os.environ["MPLBACKEND"] = "Agg"

import matplotlib

matplotlib.use("Agg")
matplotlib.rcdefaults()
import matplotlib.pyplot as plt
import numpy as np
from matplotlib import ticker
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from lockstep_analysis.chart import Figure, Panel, Series
from lockstep_analysis.palette import DASHES, GUIDE_DASHES, light, mark, with_variables

PANEL_INCHES = (3.9, 3.0)
WIDE_INCHES = (5.4, 3.4)
STYLE: dict[str, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "lockstep",
    "pdf.fonttype": 42,
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 9.5,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "axes.titlepad": 9,
    "axes.labelsize": 9.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.linewidth": 0.7,
    "lines.linewidth": 1.8,
    "lines.markersize": 6,
    "xtick.major.size": 3,
    "ytick.major.size": 0,
    "xtick.minor.size": 0,
    "ytick.minor.size": 0,
    "legend.frameon": False,
    "axes.linewidth": 0.8,
    "axes.edgecolor": light("muted"),
    "axes.labelcolor": light("muted"),
    "xtick.color": light("muted"),
    "ytick.color": light("muted"),
    "xtick.labelcolor": light("muted"),
    "ytick.labelcolor": light("muted"),
    "axes.titlecolor": light("ink"),
    "text.color": light("ink"),
    "grid.color": light("grid"),
    "figure.facecolor": light("paper"),
    "axes.facecolor": light("paper"),
    "savefig.facecolor": light("paper"),
}


def draw_panel(axes: Axes, panel: Panel) -> None:
    axes.set_title(panel.title)
    axes.set_xlabel(panel.x_label)
    axes.set_ylabel(panel.y_label)
    bottom = np.zeros(len(panel.categories))
    for i, series in enumerate(panel.series):
        if series.style == "bars":
            bars = dict(color=light(series.color), edgecolor=light("paper"), linewidth=0.8, zorder=3)
            axes.barh(series.x, series.y, left=bottom[: len(series.x)], height=0.66, **bars)
            bottom[: len(series.x)] += series.y
        else:
            draw_series(axes, series, offset=jitter(panel, i))
    scale_axes(axes, panel)
    for y, words in panel.h_lines:
        axes.axhline(y, color=light("bound"), linewidth=1.0, linestyle=(0, (4, 3)), zorder=1)
        axes.annotate(
            words,
            (1.0, y),
            xycoords=("axes fraction", "data"),
            ha="left",
            va="center",
            fontsize=8.5,
            color=light("muted"),
            xytext=(4, 0),
            textcoords="offset points",
        )


def jitter(panel: Panel, index: int) -> float:
    """Series with intervals stand beside each other, not on top of each other: a few percent apart on a log2 axis."""
    if panel.x_scale not in ("log2", "category"):
        return 0.0
    places = list(dict.fromkeys((s.color, s.variant) for s in panel.series if s.style in ("points", "ticks")))
    mine = (panel.series[index].color, panel.series[index].variant)
    step = min(0.06, 0.4 / max(len(places), 1))
    return (
        (places.index(mine) - (len(places) - 1) / 2) * step
        if mine in places and panel.series[index].style in ("points", "ticks")
        else 0.0
    )


def draw_series(axes: Axes, s: Series, offset: float = 0.0) -> None:
    color = light(s.color)
    x = np.asarray(s.x) * 2.0 ** offset if axes.name and offset and np.all(np.asarray(s.x) > 0) else np.asarray(s.x) + offset
    dash = DASHES[s.variant % len(DASHES)]
    symbol, filled = mark(s.color, s.variant)
    fill = color if filled else light("paper")
    if s.style == "guide":
        axes.plot(s.x, s.y, color=color, linestyle=GUIDE_DASHES[s.variant % len(GUIDE_DASHES)], linewidth=1.3, zorder=2)
        if s.low is not None:
            axes.fill_between(s.x, s.low, s.high, color=color, alpha=0.12, linewidth=0)
    elif s.style == "ticks":
        axes.plot(x, s.y, "_", color=color, markersize=15, markeredgewidth=1.4, zorder=3)
    elif s.style == "dots":
        axes.plot(x, s.y, "o", color=color, markersize=2.6, alpha=0.35, markeredgewidth=0, zorder=2)
    elif s.style == "points":
        if s.low is not None and s.high is not None:
            has = ~np.isnan(s.low)
            axes.vlines(x[has], s.low[has], s.high[has], color=color, linewidth=1.3, zorder=3)
        axes.plot(x, s.y, symbol, color=color, markerfacecolor=fill, markeredgewidth=1.3, zorder=4)
    elif s.style == "steps":
        axes.step(s.x, s.y, where="post", color=color, linestyle=dash, zorder=3)
        if s.low is not None:
            axes.fill_between(s.x, s.low, s.high, step="post", color=color, alpha=0.13, linewidth=0)
    else:
        if s.low is not None:
            axes.fill_between(s.x, s.low, s.high, color=color, alpha=0.15, linewidth=0, zorder=1)
        few = len(s.x) <= 25
        axes.plot(
            s.x, s.y, marker=symbol if few else None, color=color, linestyle=dash, markersize=4.2, markerfacecolor=fill, zorder=3
        )
    if s.end_label and len(s.x):
        axes.annotate(
            s.end_label,
            (x[-1], s.y[-1]),
            xytext=(8 if s.style == "ticks" else 5, 0),
            textcoords="offset points",
            va="center",
            fontsize=8.5,
            color=light("muted"),
            annotation_clip=False,
        )


def scale_axes(axes: Axes, panel: Panel) -> None:
    if panel.categories:
        axes.set_yticks(range(len(panel.categories)), panel.categories)
        axes.invert_yaxis()
        axes.grid(axis="y", visible=False)
        if any(s.style == "bars" for s in panel.series):
            axes.set_xlim(left=0, right=1.0 if panel.percent else None)
        if panel.percent:
            axes.xaxis.set_major_formatter(ticker.PercentFormatter(1.0, decimals=0))
        axes.set_ylim(len(panel.categories) - 0.5, -0.5)
        return
    for axis, scale, values in (
        (axes.xaxis, panel.x_scale, [s.x for s in panel.series]),
        (axes.yaxis, panel.y_scale, [s.y for s in panel.series]),
    ):
        set_scale(axes, axis, scale, np.concatenate([np.asarray(v) for v in values]) if values else np.array([]))
    if panel.x_label == "epoch":
        axes.xaxis.set_major_locator(ticker.MaxNLocator(integer=True, nbins=8))
    if panel.percent:
        if panel.y_scale == "log":
            axes.yaxis.set_major_formatter(ticker.FuncFormatter(lambda v, _: f"{100 * v:g}%"))
            axes.yaxis.set_minor_formatter(ticker.NullFormatter())
        else:
            axes.yaxis.set_major_formatter(ticker.PercentFormatter(1.0))
    if panel.y_from_zero and panel.y_scale == "linear":
        axes.set_ylim(bottom=0)
    for y, _ in panel.h_lines:  # in sight, whatever was measured
        low, high = axes.get_ylim()
        axes.set_ylim(
            min(low, y if panel.y_scale == "linear" else y / 1.1), max(high, y if panel.y_scale == "linear" else y * 1.1)
        )
    low, high = panel.y_limits
    axes.set_ylim(bottom=low if low is not None else axes.get_ylim()[0], top=high if high is not None else axes.get_ylim()[1])


def set_scale(axes: Axes, axis: Any, scale: str, values: np.ndarray) -> None:
    """log2 is for rank counts: ticks at the counts that occur. log has its ticks at 1, 2, 5, so that there are some."""
    name = "x" if axis is axes.xaxis else "y"
    if scale == "log2":
        getattr(axes, f"set_{name}scale")("log", base=2)
        present = np.unique(values[np.isfinite(values) & (values > 0)])
        if name == "x" and len(present):
            ticks = (
                present
                if len(present) <= 9
                else 2.0 ** np.arange(np.floor(np.log2(present[0])), np.ceil(np.log2(present[-1])) + 1)
            )
            ticks = ticks[:: -(-len(ticks) // 7)] if len(ticks) > 9 else ticks
            axis.set_ticks(ticks)
            axes.set_xlim(present[0] / 1.25, present[-1] * 1.25)
        axis.set_major_formatter(ticker.FuncFormatter(lambda v, _: f"{v:g}"))
        axis.set_minor_locator(ticker.NullLocator())
    elif scale == "log":
        getattr(axes, f"set_{name}scale")("log")
        finite = values[np.isfinite(values) & (values > 0)]
        decades = np.log10(finite.max() / finite.min()) if len(finite) else 1.0
        if decades < 2.5:
            axis.set_major_locator(ticker.LogLocator(base=10, subs=(1.0, 2.0, 5.0) if decades > 0.8 else (1, 1.5, 2, 3, 5, 7)))
        axis.set_major_formatter(ticker.FuncFormatter(lambda v, _: f"{v:g}"))
        axis.set_minor_formatter(ticker.NullFormatter())
        axis.set_minor_locator(ticker.NullLocator())


def legend_entries(figure: Figure) -> list[Series]:
    """What a legend must explain: each label once, in the order in which it comes."""
    entries: dict[str, Series] = {}
    for panel in figure.panels:
        for series in panel.series:
            if series.in_legend and series.label and series.style != "dots":
                entries.setdefault(series.label, series)
    return list(entries.values())


def handle(s: Series) -> Any:
    color = light(s.color)
    if s.style == "bars":
        return Patch(facecolor=color)
    if s.style == "ticks":
        return Line2D([], [], color=color, marker="_", linestyle="none", markersize=13, markeredgewidth=1.4)
    dash: Any = DASHES[s.variant % len(DASHES)]
    symbol, filled = mark(s.color, s.variant)
    if s.style == "guide":
        return Line2D([], [], color=color, linestyle=GUIDE_DASHES[s.variant % len(GUIDE_DASHES)], linewidth=1.3)
    return Line2D(
        [],
        [],
        color=color,
        marker=symbol if s.style != "steps" else None,
        linestyle="none" if s.style == "points" else dash,
        markerfacecolor=color if filled else light("paper"),
        markeredgewidth=1.3,
    )


def panel_size(panel: Panel) -> tuple[float, float]:
    width, height = WIDE_INCHES if panel.wide else PANEL_INCHES
    return (width, max(1.8, 0.95 + 0.27 * len(panel.categories))) if panel.categories else (width, height)


def to_svg(panel: Panel, label: str) -> str:
    """One panel as SVG to be put into a page: real text, colours as CSS variables, a size of its own, no XML prolog."""
    with plt.rc_context(STYLE):
        size = panel_size(panel)
        picture, axes = plt.subplots(figsize=size, layout="constrained")
        picture.patch.set_alpha(0.0)
        axes.patch.set_alpha(0.0)
        draw_panel(axes, panel)
        out = io.StringIO()
        picture.savefig(out, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
        plt.close(picture)
    return inline(out.getvalue(), label)


def inline(svg: str, label: str) -> str:
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.S)
    prefix = re.sub(r"\W+", "-", label).strip("-").lower()
    svg = re.sub(r'\bid="([^"]+)"', rf'id="{prefix}-\1"', svg)  # ids are the page's, not the picture's
    svg = re.sub(r'(xlink:href="#|url\(#)', rf"\g<1>{prefix}-", svg)
    svg = re.sub(r'width="[\d.]+pt" height="[\d.]+pt"', f'role="img" aria-label="{label}"', svg, count=1)
    svg = re.sub(r"font: ([\d.]+px) [^;\"]*", r"font-size: \1", svg)
    svg = re.sub(r"font: (bold|700) ([\d.]+px) [^;\"]*", r"font-weight: 600; font-size: \2", svg)
    # Hundredths of a point are enough for places; words stay as they are.
    svg = re.sub(r'\b(?:d|x|y|points|transform)="[^"]*"', lambda m: re.sub(r"(\.\d{2})\d+", r"\1", m[0]), svg)
    return with_variables(re.sub(r"\n\s*", "\n", svg)).strip()


def save(figure: Figure, stem: Path, suffixes: Sequence[str] = ("pdf", "png"), dpi: int = 200) -> list[Path]:
    """Pictures of the whole figure, panels beside each other and one legend below."""
    written = []
    with plt.rc_context(STYLE):
        picture = compose(figure)
        for suffix in suffixes:
            path = stem.with_suffix(f".{suffix}")
            picture.savefig(path, dpi=dpi, metadata={"CreationDate": None} if suffix == "pdf" else None)
            written.append(path)
        plt.close(picture)
    return written


def compose(figure: Figure) -> Any:
    columns = (
        min(2, len(figure.panels))
        if any(p.wide for p in figure.panels)
        else 2 if len(figure.panels) == 4 else min(3, len(figure.panels))
    )
    rows = -(-len(figure.panels) // columns)
    sizes = [panel_size(p) for p in figure.panels]
    entries = legend_entries(figure)
    width = max(s[0] for s in sizes) * columns * 0.92
    longest = max((len(s.label) for s in entries), default=0)
    legend_columns = max(1, min(len(entries), int(width / (0.75 + 0.078 * longest))))
    legend_rows = -(-len(entries) // legend_columns) if len(entries) > 1 else 0
    height = sum(max(s[1] for s in sizes[r * columns : (r + 1) * columns]) for r in range(rows)) + 0.24 * legend_rows
    picture, grid = plt.subplots(rows, columns, squeeze=False, figsize=(width, height))
    below = (0.24 * legend_rows + 0.08) / height if legend_rows else 0.0
    picture.set_layout_engine("constrained", rect=(0.0, below, 1.0, 1.0 - below))
    for axes, panel in zip(grid.flat, figure.panels):
        draw_panel(axes, panel)
    for axes in list(grid.flat)[len(figure.panels) :]:
        axes.set_visible(False)
    if len(entries) > 1:
        picture.legend(
            [handle(s) for s in entries],
            [s.label for s in entries],
            loc="lower center",
            ncols=legend_columns,
            handlelength=2.2,
            columnspacing=1.6,
        )
    return picture
