# SPDX-License-Identifier: BSD-3-Clause
"""The report: a page with everything, and beside it each figure as PDF and PNG and each table as CSV, Markdown and LaTeX."""

from __future__ import annotations

import re
import shlex
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any, Sequence

from lockstep_analysis import page, slow_ranks
from lockstep_analysis.chart import Figure, Table
from lockstep_analysis.check import RULES, Finding, caption_words, check_figure, check_points
from lockstep_analysis.comparison import frame, has_step_times
from lockstep_analysis.draw import save
from lockstep_analysis.figures import FIGURES
from lockstep_analysis.figures.common import NothingToShow, Options, how_summarised
from lockstep_analysis.named import NAMED, named_figure, named_table
from lockstep_analysis.points import Point, by_problem, counted, find_experiment, group_points
from lockstep_analysis.runs import Run, as_text
from lockstep_analysis.speedup import find_base
from lockstep_analysis.summary import facts, sentences
from lockstep_analysis.tables import SUFFIXES, FORMATS

MOST_BYTES = 3_000_000
# In a page of many sweeps, one that has a figure of its own shows these besides; else all that there are.
FULL_CHAPTERS = 3
BESIDES = ("strong_scaling", "phases", "model")


class Report:
    """Chapters by experiment and problem, each with its table, figures and findings."""

    def __init__(self, out: Path, options: Options, pictures: bool = True) -> None:
        self.out, self.options, self.pictures = out, options, pictures
        self.links: list[tuple[str, str]] = []
        self.parts: list[str] = []
        self.findings: list[tuple[str, Finding]] = []
        self.absent: list[str] = []
        self.made: list[Figure | Table] = []

    def write(self, runs: list[Run], left_out: list[tuple[Path, str]]) -> Path:
        self.out.mkdir(parents=True, exist_ok=True)
        chapters = chapters_of(runs)
        for name, points in chapters.items():
            self.chapter(name, points, brief=len(chapters) > FULL_CHAPTERS)
        self.closing(runs, left_out)
        title, lead = self.head(runs, chapters)
        text = page.document(
            title, "Lockstep: how the work was shared, and what it brought", lead, self.links, "".join(self.parts)
        )
        if len(text.encode()) > MOST_BYTES:
            text = without_data(text)
        path = self.out / "index.html"
        partial = path.with_suffix(".html.partial")
        partial.write_text(text, encoding="utf-8")
        partial.replace(path)
        return path

    def head(self, runs: list[Run], chapters: dict[str, list[Point]]) -> tuple[str, str]:
        models = sorted({p.problem for points in chapters.values() for p in points})
        names = sorted({find_experiment(r) for r in runs})
        days = sorted({r.started[:10] for r in runs if r.started})
        when = "" if not days else f", {days[0]}" if len(days) == 1 else f", {days[0]} to {days[-1]}"
        machines = sorted({str(r.provenance.get("cpu_model", "unknown CPU")) for r in runs})
        lead = (
            f"{counted(len(runs), 'run')} of {counted(sum(map(len, chapters.values())), 'configuration')}{when}, on"
            f" {page.escape('; '.join(machines[:2]))}. {page.escape('; '.join(models[:4]))}{'…' if len(models) > 4 else ''}."
        )
        return (", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")), lead

    def chapter(self, name: str, points: list[Point], brief: bool) -> None:
        named = named_of(points)
        anchor = slug(name)
        self.links.append((anchor, name))
        findings = check_points(points)
        self.findings += [(name, f) for f in findings]
        self.parts.append(f'<section><h2 id="{anchor}">{page.escape(name)}</h2>')
        self.parts.append(page.facts_html(facts(points, self.options.target)))
        self.parts.append(page.words_html([page.escape(s) for s in sentences(points)]))
        self.add(comparison(points), anchor, points, findings, f"table {self.typed(points)} --format csv")
        if named:
            self.add_named(named, anchor, points, findings)
        for kind in BESIDES if named and brief else FIGURES:
            try:
                self.add(
                    FIGURES[kind].build(points, self.options), anchor, points, findings, f"figure {kind} {self.typed(points)}"
                )
            except NothingToShow as nothing:
                if not brief:
                    self.absent.append(f"{name}: {kind}: {nothing}")
        self.parts.append("</section>")

    def add_named(self, named: str, anchor: str, points: list[Point], findings: list[Finding]) -> None:
        is_table = named.startswith("table")
        try:
            made: Figure | Table
            made = named_table(named, points, self.options) if is_table else named_figure(named, points, self.options)
            self.add(made, anchor, points, findings, f"{'table' if is_table else 'figure'} {named} {self.typed(points)}")
        except NothingToShow as nothing:
            self.absent.append(f"{named}: {nothing}")

    def typed(self, points: list[Point]) -> str:
        """The paths and the choice of runs that give these points again."""
        folders = sorted({str(r.path.parent) for p in points for r in p.runs})
        return shlex.join([*folders, *options_typed(self.options)])

    def add(self, item: Figure | Table, anchor: str, points: list[Point], findings: list[Finding], command: str) -> None:
        own = check_figure(item, findings)
        item.warnings = caption_words(own)
        item.command = f"analysis/lockstep-analysis {command}"
        stem = f"{anchor}-{slug(item.name)}"
        files = write_files(item, self.out / stem, self.pictures)
        csv = next(f.name for f in files if f.suffix == ".csv")
        build = page.figure_html if isinstance(item, Figure) else page.table_html
        self.parts.append(build(item, stem, csv))  # type: ignore[operator]
        self.made.append(item)

    def closing(self, runs: list[Run], left_out: list[tuple[Path, str]]) -> None:
        longest = page.words_html([page.escape(s) for s in slow_ranks.longest_steps(runs)])
        self.links += [("slow-ranks", "Slow ranks"), *([("longest-steps", "Longest steps")] if longest else [])]
        self.links += [("checks", "Checks"), ("left-out", "Left out"), ("provenance", "Provenance")]
        waits = page.words_html([page.escape(s) for s in slow_ranks.sentences(runs)])
        self.parts.append(
            '<section><h2 id="slow-ranks">Slow ranks</h2><p>Whom the others wait for: a rank is named where they waited for 5% of'
            f" their training time or more, and it for less than half as long.</p>{waits or '<p>None.</p>'}</section>"
        )
        if longest:
            self.parts.append(
                '<section><h2 id="longest-steps">Longest steps</h2><p>Of each run the step that took the most times the median of its'
                f" epoch; the first few.</p>{longest}</section>"
            )
        self.parts.append(
            '<section><h2 id="checks">Checks</h2><p>The twelve rules of Hoefler &amp; Belli (SC15), looked for in these runs and'
            f" figures.</p>{self.checks()}</section>"
        )
        self.parts.append(f'<section><h2 id="left-out">Left out</h2>{left_out_html(left_out, self.absent)}</section>')
        self.parts.append(f'<section><h2 id="provenance">Provenance</h2>{page.definitions_html(provenance(runs))}</section>')

    def checks(self) -> str:
        if not self.findings:
            return "<p>No finding.</p>"
        grouped: dict[tuple[str, int, str, str], list[str]] = defaultdict(list)
        for chapter, f in self.findings:
            grouped[f.level, f.rule, f.what, f.hint].append(chapter)
        rows = []
        for (level, rule, what, hint), names in grouped.items():
            where = f"{page.escape(names[0])}: " if len(self.links) > 4 and len(names) == 1 else ""
            rows.append(
                f'<p class="warn {level}"><strong>{level}</strong>, rule {rule} ({page.escape(RULES[rule])}):'
                f" {where}{page.escape(what)}"
                + (f" — {page.escape(hint)}" if hint else "")
                + "</p>"
            )
        return "".join(rows)


def chapters_of(runs: list[Run]) -> dict[str, list[Point]]:
    """One chapter for each experiment and problem: what may be compared."""
    by_experiment: dict[str, list[Run]] = defaultdict(list)
    for run in runs:
        by_experiment[find_experiment(run)].append(run)
    found = {}
    for experiment, members in sorted(by_experiment.items(), key=lambda item: natural(item[0])):
        for problem, points in by_problem(group_points(members)).items():
            found[f"{experiment}: {problem}"] = points
    return found


def natural(text: str) -> list[Any]:
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", text)]


def named_of(points: list[Point]) -> str | None:
    """The table or figure of the old report that this sweep is about: its name, without -smoke."""
    name = find_experiment(points[0].first).removesuffix("-smoke")
    return name if name in NAMED else None


def comparison(points: list[Point], settings: Sequence[str] = ()) -> Table:
    bases = {b.text(): None for p in points if (b := find_base(p, points))}
    return Table(
        "comparison",
        "All configurations",
        frame(points, settings),
        [
            how_summarised(points, "Times: medians", "below them"),
            "Accuracy: median over the runs. Compute, exchange and wait: shares of all ranks' training time.",
            *(["Steps of all ranks: half take p50 at most, 99% p99, medians over the epochs; the longest is of all epochs."]
              if has_step_times(points) else []),
        ],
        base="; ".join(bases),
        is_relative=bool(bases),
    )


def options_typed(options: Options) -> list[str]:
    typed = [] if options.base == "serial" else ["--base", options.base]
    typed += [] if options.target is None else ["--target", f"{options.target:g}"]
    typed += [] if options.bench is None or not options.bench.exists() else ["--bench", str(options.bench)]
    return typed + ([] if options.cluster is None else ["--cluster", str(options.cluster)])


def write_files(item: Figure | Table, stem: Path, pictures: bool) -> list[Path]:
    """CSV, Markdown and LaTeX of the numbers, and the pictures."""
    table = item.table if isinstance(item, Figure) else item.frame
    stem.parent.mkdir(parents=True, exist_ok=True)
    written = []
    for name, suffix in SUFFIXES.items():
        path = stem.with_suffix(suffix)
        path.write_text(FORMATS[name](table), encoding="utf-8")
        written.append(path)
    return written + (save(item, stem) if pictures and isinstance(item, Figure) else [])


def left_out_html(left_out: list[tuple[Path, str]], absent: list[str]) -> str:
    parts = []
    if left_out:
        reasons = Counter(reason for _, reason in left_out)
        rows = [f"<code>{page.escape(path)}</code>: {page.escape(reason)}" for path, reason in left_out[:40]]
        more = (
            f"<p class=more>and {len(left_out) - 40} more: "
            + page.escape("; ".join(f"{n} × {r}" for r, n in reasons.most_common(6)))
            + "</p>"
            if len(left_out) > 40
            else ""
        )
        parts.append(f"<p>{len(left_out)} file{'s' * (len(left_out) != 1)} left out:</p>" + page.words_html(rows) + more)
    if absent:
        parts.append(
            "<p>Figures that these runs have nothing for:</p>"
            + page.words_html([page.escape(a.splitlines()[0]) for a in absent[:40]])
        )
    return "".join(parts) or "<p>Nothing.</p>"


def provenance(runs: list[Run]) -> list[tuple[str, str]]:
    """Every value that occurs, with the number of runs that have it where they differ."""
    rows = []
    for key, words in (
        ("hostname", "host of rank 0"),
        ("cpu_model", "CPU"),
        ("online_cpus", "CPUs"),
        ("smt", "SMT"),
        ("governor", "frequency governor"),
        ("boost", "boost"),
        ("l2_bytes", "L2, bytes"),
        ("l3_bytes", "L3, bytes"),
        ("kernel", "kernel"),
        ("git_sha", "commit"),
        ("git_dirty", "uncommitted changes"),
        ("lockstep_version", "version"),
        ("compiler", "compiler"),
        ("compiler_flags", "flags"),
        ("build_config", "build"),
        ("mpi_library", "MPI"),
        ("blas_library", "BLAS"),
        ("hdf5_version", "HDF5"),
        ("requested_binding", "binding asked for"),
        ("binding_as_requested", "bound as asked"),
        ("dataset_sha256", "data, SHA-256"),
        ("slurm_job_id", "Slurm job"),
    ):
        counts = Counter(as_text(r.provenance[key]) for r in runs if key in r.provenance)
        if counts:
            shown = "; ".join(value if len(counts) == 1 else f"{value} ({n} runs)" for value, n in counts.most_common(6))
            rows.append((words, shown + (f"; {len(counts) - 6} more" if len(counts) > 6 else "")))
    rows.append(("run files of schema", ", ".join(str(s) for s in sorted({r.schema for r in runs}))))
    rows.append(("first and last start", f"{min(r.started for r in runs)}, {max(r.started for r in runs)}"))
    return rows


def without_data(text: str) -> str:
    """A page of very many sweeps without the data below its figures; they are in the CSV files beside it, which it links to."""
    note = "<p class=more>The page would be too large with its data.</p>"
    return re.sub(r"(<summary>Data and command</summary>)<div class=scroll>.*?</div>", rf"\1{note}", text, flags=re.S)


def slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
