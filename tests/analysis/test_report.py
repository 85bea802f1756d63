# SPDX-License-Identifier: BSD-3-Clause
"""The report: complete, self-contained, right while a sweep still runs, and as a browser shows it."""

import csv
import html
import json
import os
import re
import shutil
import subprocess

import pytest
from made_runs import analysis, copy
from test_model import bench  # noqa: F401  (a fixture)

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("report")]  # they share one
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
# Added to a copy of the page: writes what a reader would see into it.
PROBE = """<script>window.addEventListener('load', () => {
  const root = document.documentElement, style = getComputedStyle(root);
  const seen = [...document.querySelectorAll('figure svg[role=img]')].map(svg => {
    const box = svg.getBoundingClientRect(), texts = [...svg.querySelectorAll('text')].map(t => t.getBoundingClientRect());
    return {figure: svg.closest('figure').id, width: box.width, height: box.height,
            marks: svg.querySelectorAll('use, path').length, font: Math.min(...texts.map(t => t.height)),
            outside: texts.filter(t => t.right > root.clientWidth + 1).length};
  });
  document.body.dataset.probe = JSON.stringify({seen, figures: document.querySelectorAll('figure').length, wide: root.scrollWidth,
    window: root.clientWidth, paper: style.backgroundColor, ink: style.color,
    requests: performance.getEntriesByType('resource').length});
});</script>"""


@pytest.fixture(scope="module")
def report(small, tmp_path_factory):
    """A sweep that still runs, with files that are none, and its report."""
    folder = tmp_path_factory.mktemp("sweep")
    for path in small.glob("*.h5"):
        shutil.copy(path, folder)
    first = sorted(small.glob("serial*.h5"))[0]
    copy(first, folder / "going-on.h5", status="running")
    (folder / "torn.h5").write_bytes(first.read_bytes()[:3000])
    said = analysis("report", folder, "--target", "5%", "--bench", folder / "no-benchmarks")
    assert said.returncode == 0, said.stderr
    return folder / "report"


@pytest.fixture(scope="module")
def text(report):
    return (report / "index.html").read_text()


def test_it_needs_no_network_and_is_small(text):
    assert len(text.encode()) < 3_000_000
    assert not re.findall(r'(?:src|href)="(?:https?:)?//', text) and "<script" not in text and "@import" not in text
    assert "<link" not in text.replace('<link rel="icon" href="data:,">', "")
    for address in re.findall(r"https?://[^\"'<\s)]+", text):
        assert address.startswith("http://www.w3.org/"), address  # names of SVG's vocabulary


def test_the_summary_comes_first_and_provenance_last(text):
    places = [
        text.index(words)
        for words in (
            "fastest epoch",
            "All configurations",
            "Strong scaling",
            "Time to 5%",
            'id="slow-ranks"',
            'id="longest-steps"',
            'id="checks"',
            'id="left-out"',
            'id="provenance"',
        )
    ]
    assert places == sorted(places)
    assert "best serial run: serial on 1 rank" in text


def test_what_is_left_out_is_told(text):
    assert "going-on.h5" in text and "its status is running" in text and "torn.h5" in text
    assert "make bench" in text  # what the performance model lacks


def test_every_figure_has_its_data_its_command_and_its_warnings(text, report):
    figures = re.findall(r'<figure id="([^"]+)".*?</figure>', text, re.S)
    bodies = re.findall(r"<figure id=.*?</figure>", text, re.S)
    assert len(figures) >= 8
    for anchor, body in zip(figures, bodies):
        assert "<svg" in body and "<table>" in body and "analysis/lockstep-analysis figure" in body and "Mind:" in body
        for suffix in (".csv", ".md", ".tex", ".pdf", ".png"):
            assert (report / f"{anchor}{suffix}").stat().st_size > 0


def test_the_commands_make_the_figures_again(text, report, tmp_path):
    [command] = re.findall(r"<code>(analysis/lockstep-analysis figure strong_scaling [^<]+)</code>", text)
    said = subprocess.run(
        f"{html.unescape(command)} --out {tmp_path}",
        shell=True,
        capture_output=True,
        text=True,
        cwd=report.parents[0],
        timeout=300,
    )
    if said.returncode == 127:  # commands are typed in a checkout
        from made_runs import ROOT

        said = subprocess.run(
            f"{html.unescape(command)} --out {tmp_path}", shell=True, capture_output=True, text=True, cwd=ROOT, timeout=300
        )
    assert said.returncode == 0, said.stderr
    [original] = report.glob("*-strong-scaling.csv")
    assert (tmp_path / "strong_scaling.csv").read_text() == original.read_text()


def test_the_tables_hold_the_numbers_of_the_csv_files(text, report):
    bodies = dict(re.findall(r'id="([^"]+)"(?: class="single")?><h3>.*?<table>(.*?)</table>', text, re.S))
    assert len(bodies) >= 9
    for anchor, body in bodies.items():
        rows = [re.findall(r"<td>(.*?)</td>", row, re.S) for row in re.findall(r"<tr>(.*?)</tr>", body, re.S)[1:]]
        names = [html.unescape(n) for n in re.findall(r"<th scope=col>(.*?)</th>", body)]
        with open(report / f"{anchor}.csv") as file:
            wanted = list(csv.DictReader(file))
        assert rows and len(rows) == min(len(wanted), 80), anchor
        for row, values in zip(rows, wanted):
            for name, shown in zip(names, row):
                shown = re.sub(r"<small>.*", "", shown)
                try:
                    exact = float(values[name])
                except ValueError:
                    assert html.unescape(shown) == values[name]
                    continue
                if shown in ("", "not seen"):
                    assert exact != exact or exact == float("inf")
                else:
                    digits = len(shown.partition(".")[2]) if "e" not in shown else 0
                    assert float(shown) == pytest.approx(exact, rel=0.05 if "e" in shown else 1e-9, abs=0.51 * 10.0**-digits), (
                        anchor,
                        name,
                    )


def test_it_can_be_made_again_while_it_is_read(report):
    assert not list(report.glob("*.partial"))
    assert analysis("report", report.parent, "--page-only").returncode == 0


def probe(page, tmp_path, width, *options):
    """What the page looks like in headless Chromium; fails on anything in its console."""
    probed = tmp_path / "probed.html"
    probed.write_text(page.replace("</body>", f"{PROBE}</body>"))
    command = [
        CHROMIUM,
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--enable-logging=stderr",
        f"--user-data-dir={tmp_path}/profile",
        f"--window-size={width},1000",
        "--virtual-time-budget=2000",
        *options,
        "--dump-dom",
        probed.as_uri(),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    console = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    assert console == []
    return json.loads(html.unescape(re.search(r'data-probe="([^"]*)"', done.stdout)[1]))


# CI installs it: there its absence is a failure.
needs_browser = pytest.mark.skipif(CHROMIUM is None and "CI" not in os.environ, reason="Chromium is not here: make deps DEPS=browser")


@needs_browser
@pytest.mark.parametrize("width", [1280, 500])
def test_a_browser_shows_every_figure_at_a_readable_size(text, tmp_path, width):
    found = probe(text, tmp_path, width)
    assert found["requests"] == 0
    assert found["wide"] <= found["window"], "the page is wider than the window"
    assert {s["figure"] for s in found["seen"]} and len({s["figure"] for s in found["seen"]}) == found["figures"]
    for s in found["seen"]:
        assert s["width"] > min(250, 0.6 * found["window"]) and s["height"] > 120 and s["marks"] > 5, s
        assert s["font"] > 8 and s["outside"] == 0, s


@needs_browser
def test_the_page_has_a_light_and_a_dark_version(text, tmp_path):
    light = probe(text, tmp_path, 1000)
    dark = probe(text.replace('<html lang="en">', '<html lang="en" data-theme="dark">'), tmp_path, 1000)
    brightness = lambda color: sum(map(int, re.findall(r"\d+", color)[:3])) / 765  # noqa: E731
    assert brightness(light["paper"]) > 0.9 > 0.3 > brightness(light["ink"])
    assert brightness(dark["paper"]) < 0.2 < 0.7 < brightness(dark["ink"])


@needs_browser
def test_it_prints(report, tmp_path):
    command = [
        CHROMIUM,
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        f"--user-data-dir={tmp_path}/profile",
        f"--print-to-pdf={tmp_path}/out.pdf",
        (report / "index.html").as_uri(),
    ]
    assert subprocess.run(command, capture_output=True, timeout=300).returncode == 0
    assert (tmp_path / "out.pdf").stat().st_size > 20_000


def test_a_page_that_is_too_large_leaves_its_data_to_the_csv_files(text):
    from lockstep_analysis.report import without_data

    short = without_data(text)
    assert len(short) < len(text) and short.count("<svg") == text.count("<svg") and short.count(".csv") == text.count(".csv")
    assert short.count("<table>") == text.count("<table>") - text.count("<figure id=")
