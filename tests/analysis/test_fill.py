# SPDX-License-Identifier: BSD-3-Clause
"""Tables and figures in a Markdown file, made from its own comments."""

import pytest
from made_runs import analysis

DOCUMENT = """# Study

Before.

<!-- lockstep: table {small} --columns "algorithm,ranks,momentum,accuracy %" -->
an old table
<!-- end -->

Between.

<!-- lockstep: figure learning {small} --where algorithm=param_avg -->
<!-- end -->
"""


@pytest.fixture
def document(small, tmp_path):
    path = tmp_path / "study.md"
    path.write_text(DOCUMENT.format(small=small))
    return path


def test_places_are_filled_and_prose_is_kept(document, small):
    done = analysis("fill", document)
    assert done.returncode == 0, done.stderr
    assert "2 tables and figures" in done.stdout
    text = document.read_text()
    for kept in ("# Study\n\nBefore.\n", "\nBetween.\n", f"<!-- lockstep: table {small}"):
        assert kept in text
    assert "an old table" not in text
    header = next(line for line in text.splitlines() if line.startswith("|"))
    assert [c.strip() for c in header.strip("|").split("|")] == ["algorithm", "ranks", "momentum", "accuracy %", "interval"]
    assert text.count("| param_avg |") == 2
    picture = next(line for line in text.splitlines() if line.startswith("![")).split("(")[1].rstrip(")")
    assert (document.parent / picture).read_bytes().startswith(b"\x89PNG")
    # Again: the same, and once.
    assert analysis("fill", document).returncode == 0
    assert document.read_text() == text


@pytest.mark.parametrize(("wrong", "right", "words"), [
    ("<!-- end -->", "", "nothing ends this place"),
    ("accuracy %", "acuracy", "there is no column acuracy"),
    ("lockstep: table", "lockstep: tabel", "neither a table nor a figure"),
    ("figure learning", "figure lerning", "there is no figure lerning"),
])
def test_what_cannot_be_made_is_told_and_nothing_is_written(document, wrong, right, words):
    document.write_text(document.read_text().replace(wrong, right))
    before = document.read_text()
    done = analysis("fill", document)
    assert done.returncode == 2
    assert words in done.stderr
    assert document.read_text() == before
