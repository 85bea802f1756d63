# SPDX-License-Identifier: BSD-3-Clause
"""The command line of the analysis. Exit status: 0 done; 1 something was found (check, compare --fail-if-slower); 2 bad input."""

from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Callable, Sequence

from lockstep_analysis.errors import AnalysisError
from lockstep_analysis.plain import say
from lockstep_analysis.runs import Run, load_runs

if TYPE_CHECKING:
    import pandas as pd

    from lockstep_analysis.chart import Figure, Table

FOUND, BAD_INPUT = 1, 2
WORDS = {
    "table": "compare runs: accuracy, time per epoch, speed-up, where the time went; or a table of the old report",
    "figure": "draw one figure, as PDF and PNG with its numbers as CSV, Markdown and LaTeX",
    "fill": "put tables and figures into a Markdown file, below the comments that name them",
    "report": "one page with everything, and all figures and tables beside it",
    "compare": "what changed between two sweeps, or a stored reference and a sweep",
    "check": "the twelve rules of Hoefler & Belli over a folder of runs",
    "timeline": "a picture of what each rank did in a few steps, from a file of train --trace",
    "replay": "a trace as the cost formulas of a cluster would have it: a second opinion on a simulation",
}
TAKE_NO_RUNS = ("timeline", "replay")


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(
        prog="lockstep-analysis",
        description="Turns run files into tables, figures and reports.",
        epilog="docs/analysis.md explains every command, statistic and figure.",
    )
    commands = top.add_subparsers(dest="command", required=True, metavar="|".join(WORDS))
    for name, words in WORDS.items():
        sub = commands.add_parser(name, help=words, description=words[0].upper() + words[1:] + ".")
        globals()[f"options_of_{name}"](sub)
        if name in TAKE_NO_RUNS:
            continue
        sub.add_argument(
            "--where",
            action="append",
            default=[],
            metavar="KEY=VALUE[,VALUE]",
            help="only runs whose configuration agrees, e.g. dataset=mnist or ranks=1,2",
        )
    return top


def options_of_table(sub: argparse.ArgumentParser) -> None:
    sub.add_argument(
        "paths", nargs="+", help="run files, or folders of them; before them the name of a table of the old report, e.g. table2"
    )
    sub.add_argument("--format", choices=("text", "csv", "markdown", "latex"), default="text")
    sub.add_argument("--columns", help="only these columns, in this order, separated by commas; any setting can be one")
    drawing_options(sub)


def options_of_figure(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("name", help="e.g. strong_scaling, or figure11 of the old report; `figure list` lists them")
    sub.add_argument("paths", nargs="*", help="run files, or folders of them")
    sub.add_argument("--out", type=Path, help="folder for the files; figures/ in the first folder of runs when absent")
    drawing_options(sub)


def options_of_fill(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("document", type=Path, help="a Markdown file with comments like <!-- lockstep: table table2 results/table2 -->")


def options_of_report(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("paths", nargs="+", help="run files, or folders of them")
    sub.add_argument("--out", type=Path, help="folder for the report; report/ in the first folder of runs when absent")
    sub.add_argument("--page-only", action="store_true", help="no PDF and PNG beside the page (quicker)")
    drawing_options(sub)


def drawing_options(sub: argparse.ArgumentParser) -> None:
    sub.add_argument(
        "--base",
        choices=("serial", "one-rank"),
        default="serial",
        help="base of speed-ups: the best serial run, or the same code on one rank",
    )
    sub.add_argument("--target", type=share, metavar="ACCURACY", help="accuracy that runs race to, e.g. 0.97 or 97%%")
    sub.add_argument(
        "--bench",
        type=Path,
        default=Path("results/bench"),
        help="folder of `make bench`, for the performance model (results/bench)",
    )
    sub.add_argument(
        "--cluster", type=Path, help="description of a cluster to predict for: a JSON file, or a name in jobs/clusters"
    )
    sub.add_argument(
        "--incomplete", action="store_true", help="also runs that go on, were stopped or failed, as far as they came"
    )


def options_of_compare(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("base", type=Path, help="folder of runs, or a reference (JSON)")
    sub.add_argument("new", type=Path, nargs="?", help="folder of runs")
    sub.add_argument("--save", type=Path, metavar="FILE.json", help="write the folder as a reference instead")
    sub.add_argument(
        "--fail-if-slower",
        type=share,
        metavar="SHARE",
        help="exit status 1 when a point is significantly slower by more than this, e.g. 5%%",
    )
    sub.add_argument("--partial", action="store_true", help="compare what both have, where one has points that the other lacks")


def options_of_check(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("paths", nargs="+", help="run files, or folders of them")
    sub.add_argument("--strict", action="store_true", help="exit status 1 also for warnings, not for errors alone")
    drawing_options(sub)


def options_of_timeline(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("trace", type=Path, help="file of train --trace")
    sub.add_argument("-o", "--out", type=Path, metavar="FILE.png|svg|pdf", help="the picture; beside the trace when absent")
    sub.add_argument("--steps", type=steps, metavar="FIRST:LAST", help="steps to show, of those in the trace; the last 8 when absent")


def options_of_replay(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("trace", type=Path, help="file of train --trace, with as many steps as are to be replayed")
    sub.add_argument("--cluster", type=Path, required=True, help="a JSON file, or a name in jobs/clusters")
    sub.add_argument("--gamma", type=float, default=0.0, metavar="SECONDS", help="of each byte that a rank adds in an exchange (0)")


def steps(text: str) -> tuple[int, int]:
    """3:7, or 3 alone."""
    first, _, last = text.partition(":")
    try:
        return int(first), int(last or first)
    except ValueError:
        raise argparse.ArgumentTypeError(f"'{text}' is no range of steps: write 3:7") from None


def share(text: str) -> float:
    """0.05 or 5%."""
    try:
        value = float(text[:-1]) / 100.0 if text.endswith("%") else float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"'{text}' is neither a share (0.05) nor a percentage (5%)") from None
    if not 0.0 <= value <= 1.0:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 1: write 5% or 0.05")
    return value


def conditions(given: Sequence[str]) -> dict[str, str]:
    found = {}
    for text in given:
        key, equals, value = text.partition("=")
        if not equals or not key or not value:
            raise AnalysisError(f"--where {text} is no condition", "write KEY=VALUE, e.g. --where dataset=mnist")
        found[key] = value
    return found


def load(options: argparse.Namespace, paths: Sequence[str]) -> tuple[list[Run], list[tuple[Path, str]]]:
    """Runs, with what is left out told on the error stream."""
    runs, left_out = load_runs(paths, conditions(options.where), getattr(options, "incomplete", False))
    tell_left_out(left_out)
    return runs, left_out


def tell_left_out(left_out: list[tuple[Path, str]], most: int = 20) -> None:
    for path, reason in left_out[:most]:
        say(f"left out: {path}: {reason}", file=sys.stderr)
    if len(left_out) > most:
        say(f"left out: {len(left_out) - most} more files", file=sys.stderr)


def drawing(options: argparse.Namespace, paths: Sequence[str]):
    from lockstep_analysis.figures.common import Options

    return Options(base=options.base, target=options.target, bench=options.bench, cluster=options.cluster, paths=list(paths))


def table(options: argparse.Namespace) -> int:
    from lockstep_analysis.tables import FORMATS

    if table_name(options) is None and options.format == "text" and options.columns is None:
        from lockstep_analysis.comparison import comparison_table

        say(comparison_table(load(options, options.paths)[0]))
        return 0
    made = made_table(options)
    say(FORMATS[options.format](made.frame))
    if options.format == "text":
        say(made.title, *made.caption(), sep="\n")
    return 0


def table_name(options: argparse.Namespace) -> str | None:
    """The first of the paths, where it is a name and no path."""
    from lockstep_analysis.named import NAMED

    first = options.paths[0]
    return first if len(options.paths) > 1 and (first in NAMED or not Path(first).exists()) else None


def made_table(options: argparse.Namespace) -> Table:
    from lockstep_analysis.named import known, named_table
    from lockstep_analysis.points import group_points, one_problem
    from lockstep_analysis.report import comparison

    name = table_name(options)
    paths = options.paths if name is None else options.paths[1:]
    if name is not None:
        known(name, tables=True)
    points = one_problem(group_points(load(options, paths)[0]))
    wanted = [c.strip() for c in options.columns.split(",")] if options.columns is not None else []
    made = named_table(name, points, drawing(options, paths)) if name else comparison(points, wanted)
    if wanted:
        made.frame = with_columns(made.frame, wanted)
    return made


def with_columns(frame: pd.DataFrame, wanted: list[str]) -> pd.DataFrame:
    """Only these columns; an interval goes with its value."""
    unknown = [c for c in wanted if c not in frame.columns]
    if unknown:
        raise AnalysisError(f"there is no column {unknown[0]}", f"there are: {', '.join(map(str, frame.columns))}")
    return frame[[c for name in wanted for c in (name, f"{name} low", f"{name} high") if c in frame.columns]]


def figure(options: argparse.Namespace) -> int:
    from lockstep_analysis.figures import FIGURES
    from lockstep_analysis.named import NAMED
    from lockstep_analysis.report import write_files

    if options.name == "list":
        for row in FIGURES.values():
            say(f"{row.name:20} {row.help}")
        for name, definition in NAMED.items():
            if name.startswith("figure"):
                say(f"{name:20} {definition['title']}")
        return 0
    made = made_figure(options)
    out = options.out or folder_of(options.paths[0]) / "figures"
    for path in write_files(made, out / options.name, pictures=True):
        say(path)
    say("", made.title, *made.caption(), *made.warnings, sep="\n")
    return 0


def made_figure(options: argparse.Namespace) -> Figure:
    from lockstep_analysis.check import caption_words, check_figure, check_points
    from lockstep_analysis.figures import FIGURES
    from lockstep_analysis.named import NAMED, known, named_figure
    from lockstep_analysis.points import group_points, one_problem

    known(options.name, tables=False)
    if not options.paths:
        raise AnalysisError("no runs were named", f"lockstep-analysis figure {options.name} results/{options.name}")
    points = one_problem(group_points(load(options, options.paths)[0]))
    build: Callable = named_figure if options.name in NAMED else lambda name, p, o: FIGURES[name].build(p, o)
    made = build(options.name, points, drawing(options, options.paths))
    made.warnings = caption_words(check_figure(made, check_points(points)))
    return made


def fill(options: argparse.Namespace) -> int:
    from lockstep_analysis.fill import fill_document

    def build(command: str) -> Table | Figure:
        """What a command line makes that begins with table or figure."""
        words = shlex.split(command)
        if not words or words[0] not in ("table", "figure"):
            raise AnalysisError(f"'{command}' is neither a table nor a figure", "lockstep: table NAME PATH, or figure NAME PATH")
        asked = parser().parse_args(words)
        return made_table(asked) if words[0] == "table" else made_figure(asked)

    say(f"{options.document}: {fill_document(options.document, build)} tables and figures")
    return 0


def folder_of(path: str) -> Path:
    return Path(path) if Path(path).is_dir() else Path(path).parent


def report(options: argparse.Namespace) -> int:
    from lockstep_analysis.points import counted
    from lockstep_analysis.report import Report

    runs, left_out = load(options, options.paths)
    out = options.out or folder_of(options.paths[0]) / "report"
    made = Report(out, drawing(options, options.paths), pictures=not options.page_only)
    path = made.write(runs, left_out)
    say(f"{path}: {counted(len(runs), 'run')}, {len(made.made)} tables and figures, {path.stat().st_size / 1e6:.1f} MB")
    return 0


def compare(options: argparse.Namespace) -> int:
    from lockstep_analysis.compare import compare as compare_sides
    from lockstep_analysis.compare import read_side, save_reference, to_text

    base, left_out = read_side(options.base, conditions(options.where))
    tell_left_out(left_out)
    if options.save:
        save_reference(base, options.save)
        say(f"{options.save}: {len(base.points)} points")
        return 0
    if options.new is None:
        raise AnalysisError("only one side was named", "lockstep-analysis compare BASE NEW, or compare --save FILE.json FOLDER")
    new, left_out = read_side(options.new, conditions(options.where))
    tell_left_out(left_out)
    changes, notes = compare_sides(base, new, options.partial)
    say(to_text(changes, notes))
    slower = [c for c in changes if options.fail_if_slower is not None and c.is_slower_by(options.fail_if_slower)]
    for c in slower:
        say(
            f"FAILED: {c.name} is {100 * (c.ratio - 1):.1f}% slower, more than {100 * options.fail_if_slower:g}%", file=sys.stderr
        )
    return FOUND if slower else 0


def check(options: argparse.Namespace) -> int:
    from lockstep_analysis.check import check_figure, check_points
    from lockstep_analysis.figures import FIGURES
    from lockstep_analysis.figures.common import NothingToShow
    from lockstep_analysis.points import counted
    from lockstep_analysis.report import chapters_of

    levels = set()
    for name, points in chapters_of(load(options, options.paths)[0]).items():
        found = check_points(points)
        drawn = 0
        for row in FIGURES.values():
            try:
                found += check_figure(row.build(points, drawing(options, options.paths)), [])
                drawn += 1
            except NothingToShow:
                continue
        levels |= {f.level for f in found}
        say(
            f"{name}: {counted(sum(len(p.runs) for p in points), 'run')}, {counted(len(points), 'point')},"
            f" {counted(drawn, 'figure')}: {len(found) or 'no'} finding{'s' * (len(found) != 1)}"
        )
        for f in found:
            say(f"  {f.text()}")
    return FOUND if "error" in levels or (options.strict and "warning" in levels) else 0


def timeline(options: argparse.Namespace) -> int:
    from lockstep_analysis.timeline import draw_timeline, read_trace

    name = options.trace.name.removesuffix(".gz").removesuffix(".json")
    say(draw_timeline(read_trace(options.trace), options.out or options.trace.with_name(f"{name}.png"), options.steps))
    return 0


def replay(options: argparse.Namespace) -> int:
    from lockstep_analysis.model.cluster import read_cluster
    from lockstep_analysis.replay import replay_table
    from lockstep_analysis.timeline import read_trace

    say(replay_table(read_trace(options.trace), read_cluster(options.cluster), options.gamma))
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    options = parser().parse_args(arguments)
    try:
        return globals()[options.command](options)
    except AnalysisError as error:
        say(f"error: {error}", file=sys.stderr)
        return BAD_INPUT
    except BrokenPipeError:  # into head, or a pager that was left
        return 0


if __name__ == "__main__":
    sys.exit(main())
