"""What was measured is drawn as it was written down; a conclusion goes no further."""

import json
import os
import re
import statistics
import subprocess
import sys
import zipfile
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

import conclusions
import plots

Build = Callable[..., str]
Page = Callable[..., str]
Report = dict[str, Any]

LABELS = [
    *("epoll_server.py", "uvloop Protocol", "asyncio Protocol", "asyncio streams"),
    *("C epoll", "selectors_server.py", "poll_server.py", "select_server.py"),
    *("thread_server.py", "socketserver.ThreadingTCPServer", "cp --reflink=never"),
]
MACHINE = {"cpu": "Fast(R)", "cpus": 2, "kernel": "Linux 6.1", "python": "CPython 3.13"}
ALL = "extensions=measured,conclusions"
DASH = "\N{EN DASH}"
REPEATS = (1.0, 0.9, 1.2)


def spread(values: Sequence[float]) -> dict[str, float]:
    """Return what the file says of *values*."""
    middle = statistics.median(values)
    return {"median": middle, "least": min(values), "most": max(values)}


def figure(name: str, medians: dict[str, float], **more: object) -> Report:
    """Return a figure with these medians."""
    series = {
        label: [median * factor for factor in REPEATS]
        for label, median in medians.items()
    }
    (_, first), *others = series.items()
    ratios = {
        label: spread([a / b for a, b in zip(first, other, strict=True)])
        for label, other in others
    }
    found = {"name": name, "unit": "CPU µs", "series": series, "ratios": ratios}
    found["spread"] = {label: spread(values) for label, values in series.items()}
    return {**found, "repeats": 3, "plot": "", "x": 0.0, "note": "", **more}


def report(*figures: Report, **more: object) -> Report:
    """Return a report of *figures*."""
    found = {"machine": MACHINE, "date": "2026-11-22T01:02:03", "commit": "0123456789"}
    kind = {"uncommitted_changes": False, "quick": False, "noise": {"says": []}}
    return {**found, **kind, "figures": figures, **more}


def idle(cost: float = 0.001) -> list[Report]:
    """Return a plot of four points; the last label lacks in the last one."""
    found = []
    for x in (0, 100, 1000, 5000):
        medians = {"epoll_server.py": 8.0 + x * cost, "cp --reflink=never": 10.0 + x}
        if x == 5000:
            del medians["cp --reflink=never"]
        found.append(figure(f"idle-at-{x}", medians, plot="idle", x=float(x)))
    return found


@pytest.fixture
def page(project: Path, build: Build) -> Page:
    """Return a function that builds a page of *text* with *reports*, as HTML."""
    folder = project / "docs" / "benchmarks"
    folder.mkdir()

    def built(text: str, *reports: Report, warnings: int = 0) -> str:
        for number, each in enumerate(reports):
            (folder / f"{number}.json").write_text(json.dumps(each), encoding="utf-8")
        source = project / "docs" / "plain.rst"
        content = f"Plain\n=====\n\n{text}\n"
        if not source.exists() or source.read_text(encoding="utf-8") != content:
            source.write_text(content, encoding="utf-8")
        said = build("html", "-D", ALL, warnings=warnings)
        html = project / "build" / "html" / "plain.html"
        return said + html.read_text(encoding="utf-8")

    return built


def cells(html: str) -> list[list[list[str]]]:
    """Return the lines of each cell of each row of the first table."""
    table = html.partition("<table")[2].partition("</table>")[0]
    return [
        [
            re.findall(r"<p>(.*?)</p>", cell)
            for cell in re.findall(r"<t[hd].*?</t[hd]>", row, re.DOTALL)
        ]
        for row in re.findall(r"<tr.*?</tr>", table, re.DOTALL)
    ]


def values(text: str) -> list[float]:
    """Return the numbers in *text*."""
    return [float(word.replace(",", "")) for word in re.findall(r"[\d.,]+", text)]


def images(project: Path) -> dict[str, str]:
    """Return the drawings of the site by name."""
    folder = project / "build" / "html" / "_images"
    return {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir()}


def lines(**more: Any) -> plots.Lines:
    """Return a drawing of all labels, one of which ends early."""
    drawn: dict[str, list[plots.Point | None]] = {
        label: [(n, n - 1.0, n + 1.0), (2.0 * n, 2.0 * n - 1, 2.0 * n + 1)]
        for n, label in enumerate(LABELS, 5)
    }
    drawn["C epoll"][1] = None
    settings: dict[str, Any] = {"ticks": ["0", "1,000"], "x": "idle", "y": "µs $x$"}
    return plots.Lines(lines=drawn, styles=LABELS, **{**settings, **more})


BARS = plots.Bars({"ours": (2, 1, 3), "theirs": (4, 4, 4)}, ["2.00", "4.00"], "s")


@pytest.mark.slow
@pytest.mark.parametrize("log", [False, True], ids=["linear", "log"])
@pytest.mark.parametrize("width", [plots.WIDE, plots.NARROW])
def test_lines_are_told_apart_without_colour(log: bool, width: int) -> None:
    """Each line has its name and a mark that no other has, and its strokes."""
    root = ET.fromstring(plots.draw(lines(log=log), width))  # noqa: S314  # our own
    names = [each.text for each in root.iter(f"{{{plots.SVG}}}text")]
    assert {plots.short(label) for label in LABELS} <= set(names)
    assert {"0", "1,000", "idle", "µs $x$"} <= set(names)
    marks = [plots.style(label, LABELS)[1] for label in LABELS]
    assert len(LABELS) == len(set(marks))
    used = {each.get("href") for each in root.iter(f"{{{plots.SVG}}}use")}
    assert len(LABELS) <= len(used)
    assert f"0 0 {width} {plots.LINES_HEIGHT}" == root.get("viewBox")


def test_bars_say_their_numbers() -> None:
    """Each bar has its name and its number."""
    root = ET.fromstring(plots.draw(BARS))  # noqa: S314  # our own
    texts = [each.text for each in root.iter(f"{{{plots.SVG}}}text")]
    assert ["ours", "2.00", "theirs", "4.00", "s"] == texts


@pytest.mark.parametrize("what", [lines(log=True), BARS], ids=["lines", "bars"])
def test_dark_has_other_colours(what: plots.Lines | plots.Bars) -> None:
    """None of the colours for paper is left on a dark screen, and no other is used."""
    light = plots.draw(what)
    colours = set(re.findall(r"#[0-9a-f]{6}\b", light))
    assert colours <= set(plots.DARK)
    dark = plots.dark(light)
    assert {plots.DARK[colour] for colour in colours} == set(
        re.findall(r"#[0-9a-f]{6}\b", dark)
    )


def luminance(colour: str) -> float:
    """Return the relative luminance, as WCAG 2.2 defines it."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
        for part in parts
    ]
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("colour", [plots.INK, plots.SOFT, *plots.PALETTE])
def test_contrast(colour: str) -> None:
    """Text and lines have a contrast of 4.5:1, on paper and on a dark screen."""
    for one, other in (
        (colour, plots.PAPER),
        (plots.DARK[colour], plots.DARK[plots.PAPER]),
    ):
        darker, lighter = sorted([luminance(one), luminance(other)])
        assert (lighter + 0.05) / (darker + 0.05) >= 4.5


@pytest.mark.slow
def test_a_drawing_is_reproducible() -> None:
    """Another process, whose sets have another order, draws the same bytes."""
    code = (
        "import sys, plots; sys.stdout.write(plots.draw(plots.Lines("
        "{'a': [(2, 1, 3), None], 'b': [(1, 1, 1), (2, 2, 2)]},"
        "['1', '10'], ['a', 'b'], 'x', 'y', True)))"
    )
    folder = Path(plots.__file__).parent
    drawn = [
        subprocess.run(
            [sys.executable, "-c", code],
            cwd=folder,
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(folder)},
            capture_output=True,
            check=True,
            timeout=50,
        ).stdout
        for seed in ("1", "2")
    ]
    assert drawn[0].startswith(b"<svg ")
    assert drawn[0] == drawn[1]


@pytest.mark.parametrize(
    "wanted",
    [[], [5.0], [5.0] * 6, [0.0, 1.0, 99.0, 100.0], [200.0, -50.0, 300.0]],
    ids=["none", "one", "all-at-one-place", "at-the-ends", "outside"],
)
def test_names_stand_apart(wanted: list[float]) -> None:
    """Names keep their order, their distance and within the drawing."""
    named = {str(number): height for number, height in enumerate(wanted)}
    found = plots.apart(named, 15, (0, 100))
    assert sorted(named, key=lambda name: named[name]) == list(found)
    assert all(above - below >= 14.999 for below, above in pairwise(found.values()))
    assert all(-0.001 <= height <= 100.001 for height in found.values())


@pytest.mark.slow
def test_the_numbers_are_those_of_the_file(page: Page) -> None:
    """The table of a plot has each median, spread and ratio of the file."""
    points = idle()
    html = page(".. measured:: idle\n   :x: idle ones", report(*points))
    head, *rows = cells(html)
    assert [["idle ones"], ["0"], ["100"], ["1,000"], ["5,000"]] == head
    assert list(points[0]["series"]) == [row[0][0] for row in rows]
    for row in rows:
        [label] = row[0]
        for cell, point in zip(row[1:], points, strict=True):
            if label not in point["spread"]:
                assert ["not measured"] == cell
                continue
            kinds = [point["spread"][label], point["ratios"].get(label)]
            expected = [value for kind in kinds if kind for value in kind.values()]
            assert expected == pytest.approx(values(" ".join(cell)), rel=0.05)
            assert point["spread"][label]["median"] == pytest.approx(
                values(cell[0])[0], rel=0.005
            )


def test_a_single_figure(page: Page, project: Path) -> None:
    """Without other points a figure is drawn as bars; its table has the numbers."""
    html = page(
        ".. measured:: copy\n   :better: less\n   :labels: a, cp --reflink=never",
        report(figure("copy", {"a": 2.0, "b": 3.0, "cp --reflink=never": 40.0})),
    )
    assert [
        [["a"], ["2.00"], [f"1.80{DASH}2.40"], [], []],
        [
            ["cp --reflink=never"],
            ["40.0"],
            [f"36.0{DASH}48.0"],
            ["0.050"],
            [f"0.050{DASH}0.050"],
        ],
    ] == cells(html)[1:]
    drawn = images(project)["measured-copy-1-light.svg"]
    assert ">CPU µs (less is better)<" in drawn
    assert ">b<" not in drawn


def test_what_is_drawn_is_told(page: Page) -> None:
    """Who sees no drawing hears what it shows; each has a size before it is loaded."""
    html = page(".. measured:: idle\n   :x: idle ones", report(*idle()))
    alts = re.findall(r'<img[^>]*\balt="([^"]*)"', html)
    place = "Fast(R), 2 CPUs, Linux 6.1, CPython 3.13, 2026-11-22"
    expected = (
        f"Lines of CPU µs over idle ones (0, 100, 1,000, 5,000), measured on {place}."
        " At 5,000: epoll_server.py 13.0."
    )
    assert [expected, expected] == alts
    tags = re.findall(r"<img[^>]*>", html)
    assert all('height="330"' in tag and 'loading="lazy"' in tag for tag in tags)


def test_where_and_how_it_was_measured(page: Page) -> None:
    """Machine, date, commit, repeats and notes are below the numbers; noise, too."""
    points = [figure("copy", {"a": 1.0}, note="1 GiB."), figure("b", {"a": 1.0})]
    noisy = {"noise": {"says": ["the load was 3", "one -- loop"]}}
    machine = {**MACHINE, "virtual": "kvm"}
    more = {"uncommitted_changes": True, "machine": machine, **noisy}
    html = page(".. measured:: copy", report(*points, **more))
    assert (
        "Fast(R), 2 CPUs, Linux 6.1, CPython 3.13, 2026-11-22, virtual (kvm), commit"
        " 0123456, with changes, 3 repeats. 1 GiB. Noisy: the load was 3. Noisy: one --"
        " loop."
    ) in html


@pytest.mark.slow
def test_each_machine_has_its_drawing(page: Page, project: Path) -> None:
    """Two machines are two drawings, each in light and dark, wide and narrow."""
    other = report(*idle(0.1), machine={**MACHINE, "cpu": "Slow"})
    html = page(".. measured:: idle", report(*idle()), other)
    assert ["Fast(R)", "Slow"] == re.findall(r'source">(.*?), 2 CPUs', html)
    kinds = ("light", "light-narrow", "dark", "dark-narrow")
    names = {
        f"measured-idle-{number}-{kind}.svg" for number in (1, 2) for kind in kinds
    }
    drawn = images(project)
    assert names == set(drawn)
    assert len(names) == len(set(drawn.values()))
    for name in names:
        assert 1 == html.count(f'"_images/{name}"')
    assert 2 == html.count('<picture class="only-light">')
    assert 2 == html.count('<picture class="only-dark">')


@pytest.mark.slow
def test_a_page_follows_the_files(page: Page, project: Path) -> None:
    """What was not measured is named so; new data are drawn, old ones are not again."""
    text = ".. measured:: idle"
    html = page(text)
    assert "idle: not measured." in html
    assert "<img" not in html
    assert "Fast(R), 2 CPUs" in page(text, report(*idle()))
    kept = {p: p.stat().st_mtime_ns for p in project.glob("build/doctrees/drawings/*")}
    assert 2 == len(kept)
    html = page(text, report(*idle(), date="2027-01-01"))
    assert "2027-01-01" in html
    assert kept == {p: p.stat().st_mtime_ns for p in kept}
    first = images(project)["measured-idle-1-light.svg"]
    page(text, report(*idle(0.5)))
    assert first != images(project)["measured-idle-1-light.svg"]


@pytest.mark.slow
def test_the_book_has_the_drawing(page: Page, project: Path, build: Build) -> None:
    """The EPUB has the light drawing, lists it, and says what it shows."""
    page(".. measured:: idle", report(*idle()))
    settings = ("epub_copyright=none", "version=1", f"{ALL},book")
    build("epub", *(word for setting in settings for word in ("-D", setting)))
    with zipfile.ZipFile(project / "build" / "epub" / "trial.epub") as book:
        drawings = [name for name in book.namelist() if name.startswith("_images/")]
        assert ["_images/measured-idle-1-light.svg"] == drawings
        assert f'href="{drawings[0]}"' in book.read("content.opf").decode()
        text = book.read("plain.xhtml").decode()
    root = ET.fromstring(text)  # noqa: S314  # our own
    [image] = root.iter("{http://www.w3.org/1999/xhtml}img")
    assert drawings[0] == image.get("src")
    assert "Lines of CPU µs" in image.get("alt", "")


@pytest.mark.slow
def test_markdown_and_text_have_the_numbers(
    page: Page, project: Path, build: Build
) -> None:
    """Where there are no drawings there is the table."""
    page(".. measured:: copy", report(figure("copy", {"a": 2.0, "b": 4.0})))
    build("html", "-E", "-D", f"{ALL},markdown")
    path = project / "build" / "html" / "plain.html.md"
    row = f"| b | 4.00 | 3.60{DASH}4.80 | 0.50 | 0.50{DASH}0.50 |"
    assert row in path.read_text(encoding="utf-8")
    build("text", "-D", ALL)
    text = (project / "build" / "text" / "plain.txt").read_text(encoding="utf-8")
    assert re.search(r"\| b +\| 4.00 ", text)


SENTENCE = "Idle clients cost *nothing*."
FLAT = "idle-at-5000 / idle-at-0 of epoll_server.py <= 1.10"
CHEAP = "idle-at-0 of epoll_server.py < 10"
FASTER = "idle-at-0 of epoll_server.py / cp --reflink=never <= 0.8"
SHOWN = "Idle clients cost <em>nothing</em>."


def conclusion(condition: str) -> str:
    """Return the directive."""
    return f".. conclusion:: {condition}\n\n   {SENTENCE}"


def test_a_sentence_that_the_data_allow(page: Page) -> None:
    """It is shown, with what was measured, asked, and whether each repeat had it."""
    text = conclusion(f"{FLAT};\n   {CHEAP}; {FASTER}")
    html = page(text, report(*idle(0.0001)))
    assert SHOWN in html
    assert (
        "idle-at-5000 / idle-at-0 of epoll_server.py: 1.06 (1.06 to 1.06), at most 1.1;"
        " idle-at-0 of epoll_server.py: 8.00 CPU µs (7.20"
        " to 9.60), less than 10; idle-at-0 of epoll_server.py / cp --reflink=never:"
        " 0.80 (0.80 to 0.80), at most 0.8."
    ) in html


@pytest.mark.parametrize(
    ("condition", "said"),
    [
        (FLAT, "1.62 (1.62 to 1.62), of the medians 1.62, not at most 1.1"),
        (
            f"{CHEAP}; {FLAT}",
            "1.62 (1.62 to 1.62), of the medians 1.62, not at most 1.1",
        ),
        (CHEAP.replace("<", ">"), "8.00 CPU µs (7.20 to 9.60), not more than 10"),
        (
            FASTER.replace("<=", ">="),
            "0.80), of the medians 0.80, not at least 0.9",
        ),
    ],
    ids=["two-figures", "the-second", "median", "two-labels"],
)
def test_a_sentence_that_the_data_contradict(
    page: Page, condition: str, said: str
) -> None:
    """It is one warning, in each build until it is changed, and is not shown."""
    text = conclusion(condition.replace(">= 0.8", ">= 0.9"))
    for _ in range(2):
        html = page(text, report(*idle()), warnings=1)
        assert "plain.rst:4: WARNING: the data do not allow this sentence: " in html
        assert said in html
        assert SHOWN not in html
    assert SHOWN in page(conclusion(CHEAP), report(*idle()))


def test_the_medians_contradict(page: Page) -> None:
    """What a drawing shows, the medians, must allow a sentence as the ratios do."""
    figures = [figure("copy", {"a": 1.0, "b": 1.0})]
    figures[0]["series"] = {"a": [1.0, 5.0, 6.0], "b": [2.0, 2.0, 7.0]}
    html = page(conclusion("copy of a / b < 2"), report(*figures), warnings=1)
    assert "0.86 (0.50 to 2.50), of the medians 2.50, not less than 2" in html


@pytest.mark.slow
def test_one_machine_contradicts(page: Page) -> None:
    """A sentence must be true on each machine; the warning says on which it is not."""
    slow = report(*idle(), machine={**MACHINE, "cpu": "Slow"})
    flat = report(*idle(0.0))
    html = page(conclusion(FLAT), flat, slow, warnings=1)
    assert "1.62 (1.62 to 1.62) on Slow, 2 CPUs" in html
    assert SHOWN not in html
    slow["figures"] = []  # which says nothing about it
    html = page(conclusion(FLAT), flat, slow)
    assert SHOWN in html
    assert "1.00 (1.00 to 1.00) on Fast(R), 2 CPUs" in html


@pytest.mark.parametrize(
    ("condition", "lacking"),
    [
        ("copy of a < 1", "copy of a"),
        ("idle-at-0 of nobody < 1", "idle-at-0 of nobody"),
        ("idle-at-0 of epoll_server.py / nobody < 1", "epoll_server.py / nobody"),
        ("idle-at-0 / idle-at-7 of epoll_server.py < 9", "idle-at-0 / idle-at-7 of"),
        ("idle-at-0 / idle-at-5000 of cp --reflink=never < 9", "cp --reflink=never"),
        (f"{CHEAP}; copy of a < 1; copy of a > 2", "Not measured: copy of a."),
    ],
)
def test_a_sentence_without_data(page: Page, condition: str, lacking: str) -> None:
    """It is left out, and the page says what was not measured."""
    html = page(conclusion(condition), report(*idle()))
    assert SHOWN not in html
    assert "Not measured: " in html
    assert lacking in html


@pytest.mark.parametrize(
    "text",
    [
        *("", "idle of a", "idle < 1", "idle of a = 1", "idle of a < x", "a of b < 1;"),
        "a / b of c / d < 1",
    ],
)
def test_a_condition_that_says_nothing(text: str) -> None:
    """What cannot be read is an error that shows the form."""
    with pytest.raises(ValueError, match="not FIGURE of LABEL <= NUMBER"):
        conclusions.parse(text)


@pytest.mark.slow
def test_pages_without_listings_are_lean(project: Path, build: Build) -> None:
    """The script that copies is loaded where there is something to copy only."""
    build("html", "-D", "extensions=status,overview,reference,sphinx_copybutton,lean")
    loaded = {
        name: re.findall(
            r"[\w.]*(?:copybutton|clipboard)[\w.]*\.(?:js|css)",
            (project / "build" / "html" / f"{name}.html").read_text(encoding="utf-8"),
        )
        for name in ("plain", "cheatsheet/tcp")
    }
    assert [] == loaded["plain"]
    assert ["copybutton.css", "clipboard.min.js", "copybutton.js"] == loaded[
        "cheatsheet/tcp"
    ]
