# SPDX-License-Identifier: BSD-3-Clause
"""The command line of the analysis."""

import argparse
import sys

from lockstep_analysis.runs import NoRuns, load_runs
from lockstep_analysis.table import comparison_table


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="lockstep-analysis", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    table = commands.add_parser("table", help="compare runs: accuracy, time per epoch, speed-up, where the time went")
    table.add_argument("paths", nargs="+", help="run files, or folders of them")
    options = parser.parse_args(arguments)
    try:
        runs, left_out = load_runs(options.paths)
    except NoRuns as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    for path, reason in left_out:
        print(f"left out: {path}: {reason}", file=sys.stderr)
    print(comparison_table(runs))
    return 0


if __name__ == "__main__":
    sys.exit(main())
