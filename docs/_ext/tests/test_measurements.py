"""What was measured is on the page as it was written down, and nothing else is."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import measurements

Build = Callable[..., str]

FIGURE = {
    "name": "copy",
    "unit": "s",
    "plot": "",
    "x": 0.0,
    "note": "",
    "repeats": 3,
    "series": {"ours": [1.0, 2.0, 3.0], "cp --reflink=never": [2.0, 2.0, 2.0]},
    "spread": {
        "ours": {"median": 2.0, "least": 1.0, "most": 3.0},
        "cp --reflink=never": {"median": 2.0, "least": 2.0, "most": 2.0},
    },
    "ratios": {"cp --reflink=never": {"median": 1.0, "least": 0.5, "most": 1.5}},
}
REPORT = {
    "machine": {
        "cpu": "Fast(R) `*|CPU|*`",
        "cpus": 2,
        "kernel": "Linux 6.1",
        "python": "CPython 3.13.0",
    },
    "date": "2026-11-22T01:02:03+00:00",
    "commit": "0123456789abcdef",
    "uncommitted_changes": False,
    "quick": False,
    "noise": {"says": []},
    "figures": [FIGURE],
}
PLACE = "Fast(R) `*|CPU|*`, 2 CPUs, Linux 6.1, CPython 3.13.0, 2026-11-22"
PAGE = """
Plain
=====

Ratio: |copy-ratio|. Median: |copy-median|. None: |no-ratio|.
To: |copy-to-cp-reflink-never|. Of: |copy-median-of-cp-reflink-never|.
Neither: |copy-to-mv|, |copy-median-of-mv|.
"""


@pytest.fixture
def page(project: Path, build: Build) -> Callable[..., str]:
    """Return a function that builds a page and returns its text."""
    conf = project / "docs" / "conf.py"
    text = conf.read_text(encoding="utf-8")
    assert '"which"]' in text
    conf.write_text(
        text.replace('"which"]', '"which", "measurements"]'), encoding="utf-8"
    )
    (project / "docs" / "plain.rst").write_text(PAGE, encoding="utf-8")

    def built(warnings: int = 0) -> str:
        said = build(warnings=warnings)
        path = project / "build" / "text" / "plain.txt"
        return re.sub(r"\s+", " ", said + path.read_text(encoding="utf-8"))

    return built


def write(project: Path, report: object, name: str = "a.json") -> None:
    """Write a file of measurements."""
    path = project / "docs" / "benchmarks" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(report), encoding="utf-8")


def test_a_page_follows_the_files(project: Path, page: Callable[..., str]) -> None:
    """Without a file it says so; a new, a changed and a second file are shown."""
    nothing = "Ratio: not measured. Median: not measured. None: not measured."
    assert nothing in page()
    write(project, REPORT)
    ratio = f"Ratio: 1.00 (0.50 to 1.50 in 3 repeats; {PLACE})."
    median = f"Median: 2.00 s (1.00 to 3.00 in 3 repeats; {PLACE})."
    assert f"{ratio} {median} None: not measured." in page()
    to = ratio.replace("Ratio", "To")
    of = f"Of: 2.00 s (2.00 to 2.00 in 3 repeats; {PLACE})."
    assert f"{to} {of} Neither: not measured, not measured." in page()
    write(project, {**REPORT, "date": "2027-01-01"})
    assert ratio.replace("2026-11-22", "2027-01-01") in page()
    write(project, REPORT, "b.json")
    both = ratio.replace("2026-11-22", "2027-01-01").removesuffix(".")
    assert f"{both}; {ratio.removeprefix('Ratio: ')}" in page()


@pytest.mark.parametrize(
    "content",
    [
        *("", "[]", "{}", json.dumps({**REPORT, "figures": [{"name": "copy"}]})),
        json.dumps({**REPORT, "quick": True}),
    ],
    ids=["empty", "a-list", "nothing-in-it", "half-a-figure", "of-a-quick-run"],
)
def test_a_damaged_file_is_told(
    project: Path, page: Callable[..., str], content: str
) -> None:
    """A file that cannot be used is one warning that says what to do, and no number."""
    write(project, REPORT)
    path = project / "docs" / "benchmarks" / "a.json"
    path.write_text(content, encoding="utf-8")
    said = page(warnings=1)
    assert "run nox -s bench again or delete it" in said
    assert "Ratio: not measured." in said


def test_a_figure_with_one_series_has_no_ratio() -> None:
    """Where there was nothing to compare with, there is a median and no ratio."""
    figure: dict[str, Any] = {**FIGURE, "ratios": {}}
    reports = [{**REPORT, "figures": [figure]}]
    assert "not measured" == measurements.text(reports, "copy", "ratio")
    assert measurements.text(reports, "copy", "median").startswith(
        "2.00 s (1.00 to 3.00 in 3"
    )
