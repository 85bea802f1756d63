# SPDX-License-Identifier: BSD-3-Clause
"""Colours: safe for the colour-blind, one per algorithm in every figure, in a light and a dark version.

Algorithms take the colours of Okabe & Ito (2008), phases those of Paul Tol's medium-contrast scheme (2021). A marker or a
label always says the same as the colour. In SVG the light colour is the fall-back of a CSS variable of the same name, so that a
page can go dark."""

from __future__ import annotations

# name -> (light, dark); every light value occurs once, so that it can be found in an SVG.
COLORS: dict[str, tuple[str, str]] = {
    "ink": ("#1c2024", "#e8eaed"),
    "muted": ("#5b6470", "#a3acb8"),
    "grid": ("#e3e6ea", "#343a42"),
    "paper": ("#fefefe", "#16191d"),
    "serial": ("#4d5661", "#b4bcc6"),
    "parallel_sgd": ("#0072b2", "#4ea8de"),
    "param_avg": ("#d55e00", "#f08a45"),
    "w_param_avg": ("#009e73", "#2fc79d"),
    "drift_avg": ("#b8568f", "#de8fbd"),
    "other1": ("#8a6d00", "#e0b83c"),
    "other2": ("#5a4fcf", "#a79ff5"),
    "other3": ("#a3341f", "#f0806a"),
    "phase_compute": ("#6699cc", "#6d9fd1"),
    "phase_exchange": ("#994455", "#d0768a"),
    "phase_wait": ("#eecc66", "#e6c766"),
    "phase_update": ("#004488", "#9cc3ef"),
    "phase_data": ("#997700", "#b8962e"),
    "phase_evaluate": ("#bbbbbb", "#8d8d8d"),
    "phase_checkpoint": ("#777777", "#bdbdbd"),
    "bound": ("#7b8794", "#8b96a3"),
    "old": ("#3a3a9e", "#b0b0ff"),
}
# The algorithms that have a colour and a mark of their own; others share these by turns.
MARKERS = {"serial": "s", "parallel_sgd": "o", "param_avg": "^", "w_param_avg": "D", "drift_avg": "v"}
OTHER_MARKERS = ("P", "X", "*")
# How variants of one algorithm differ: dash and mark; the colour stays.
GUIDE_DASHES = (
    (0, (4, 2.5)),
    (0, (1.5, 1.5)),
    (0, (7, 2, 1.5, 2)),
    (0, (8, 3)),
    (0, (3, 1)),
    (0, (1, 3)),
)  # what nobody measured
DASHES = ("-", (0, (5, 2)), (0, (1.5, 1.5)), (0, (6, 2, 1.5, 2)), (0, (8, 3)), (0, (3, 1)))


def algorithm_color(algorithm: str, known: list[str] | None = None) -> str:
    """The colour's name. An algorithm that is not in the table gets one of the others by its place among the unknown."""
    if algorithm in MARKERS:
        return algorithm
    strangers = sorted({a for a in (known or [algorithm]) if a not in MARKERS})
    return f"other{strangers.index(algorithm) % len(OTHER_MARKERS) + 1}" if algorithm in strangers else "other1"


def mark(color: str, variant: int = 0) -> tuple[str, bool]:
    """(marker, filled): the algorithm's own, filled and open, for its first two variants; others for what comes after."""
    own = OTHER_MARKERS[int(color[-1]) - 1] if color.startswith("other") else MARKERS.get(color, "o")
    return ((own, True), (own, False), ("<", True), (">", True), ("<", False), (">", False))[variant % 6]


def light(name: str) -> str:
    return COLORS[name][0]


def css() -> str:
    """The variables of both versions: by the reader's system, or by data-theme on the root."""

    def block(version: int) -> str:
        return "".join(f"--{name}:{pair[version]};" for name, pair in COLORS.items())

    return (
        f":root{{{block(0)}color-scheme:light}}"
        f"@media(prefers-color-scheme:dark){{:root:not([data-theme=light]){{{block(1)}color-scheme:dark}}}}"
        f":root[data-theme=dark]{{{block(1)}color-scheme:dark}}"
        f"@media print{{:root,:root:not([data-theme=light]),:root[data-theme=dark]{{{block(0)}color-scheme:light}}}}"
    )


def with_variables(svg: str) -> str:
    """An SVG whose colours are CSS variables, with the light ones to fall back on."""
    for name, (value, _) in COLORS.items():
        svg = svg.replace(value, f"var(--{name},{value})")
    return svg
