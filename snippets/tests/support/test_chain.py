"""The chain is closed: page, snippet, tests and transcript belong together.

``docs/sections.toml`` lists the sections. A row is either complete or says
``to_come``, and then nothing of it may exist yet, so that the list only shrinks.
"""

import importlib
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from docutils.nodes import make_id

from support.pages import Section, console_lines, parse
from support.requirements import ROOT

DOCS = ROOT / "docs"
SNIPPETS = ROOT / "snippets"
PAGES = sorted(DOCS.rglob("*.rst"))
ROWS: list[dict[str, Any]] = tomllib.loads((DOCS / "sections.toml").read_text())[
    "section"
]
WRITTEN = [row for row in ROWS if not row.get("to_come")]
TO_COME = [row for row in ROWS if row.get("to_come")]
KEYS = {"title", "page", "snippet", "clients", "contract", "to_come"}


def chapter(row: dict[str, Any]) -> Path:
    """Return the page of *row*."""
    return DOCS / "cheatsheet" / f"{row['page']}.rst"


def sections(page: Path) -> list[Section]:
    """Return the sections of *page*, none where there is no page."""
    return parse(page) if page.exists() else []


def name(row: dict[str, Any]) -> str:
    """Name a test for the snippet of its row."""
    return str(row["snippet"])


def problems(row: dict[str, Any]) -> list[str]:
    """Return what is missing of the section of *row*, a line each."""
    anchor = make_id(row["title"])
    page = chapter(row)
    found = [section for section in sections(page) if section.anchor == anchor]
    if len(found) != 1:
        target = f".. _{anchor}:"
        return [f"{page} has {len(found)} sections with the target {target}, not one"]
    (section,) = found
    where = f"{section.path}:{section.line}"
    wrong = []
    if section.snippets != [row["snippet"]]:
        includes = ", ".join(section.snippets) or "no snippet"
        wrong.append(f"{where}: includes {includes}, not {row['snippet']} alone")
    if not (SNIPPETS / f"{row['snippet']}.py").is_file():
        wrong.append(f"{where}: snippets/{row['snippet']}.py does not exist")
    test = SNIPPETS / "tests" / f"test_{row['snippet']}.py"
    if not test.is_file():
        wrong.append(f"{where}: snippets/tests/{test.name} does not exist")
    else:
        wrong += unclaimed(row, test)
    commands = [
        line
        for block in section.blocks
        for line in block.lines
        if line.startswith(("$ ", "> "))
    ]
    for client in row.get("clients", []):
        if not any(client in command.split() for command in commands):
            wrong.append(f"{where}: no transcript runs {client}")
    return wrong


def unclaimed(row: dict[str, Any], test: Path) -> list[str]:
    """Return the contracts of *row* that no class of its test module claims."""
    members = vars(importlib.import_module(test.stem)).values()
    claimed = {
        getattr(member, "contract", None)
        for member in members
        if getattr(member, "snippet", None) == row["snippet"]
    }
    contracts = set(row.get("contract", []))
    return [f"{test}: does not claim the contract {c}" for c in contracts - claimed]


def test_there_are_35_sections() -> None:
    """Every section of the old sheet has one row, with its own anchor and snippet."""
    assert 35 == len(ROWS)
    assert 35 == len({make_id(row["title"]) for row in ROWS})
    assert 35 == len({row["snippet"] for row in ROWS})
    assert [] == [row["title"] for row in ROWS if row.keys() - KEYS]


@pytest.mark.parametrize("row", WRITTEN, ids=name)
def test_section_is_complete(row: dict[str, Any]) -> None:
    """A written section has one snippet, its tests, its transcript and its contract."""
    assert [] == problems(row)


@pytest.mark.parametrize("row", TO_COME, ids=name)
def test_section_to_come_has_nothing_yet(row: dict[str, Any]) -> None:
    """Who writes a section takes it off the list of those to come."""
    anchor = make_id(row["title"])
    exists = [
        f"the section {s.title}" for s in sections(chapter(row)) if s.anchor == anchor
    ]
    for path in (f"{row['snippet']}.py", f"tests/test_{row['snippet']}.py"):
        if (SNIPPETS / path).exists():
            exists.append(f"snippets/{path}")
    assert [] == exists, "remove the line to_come from docs/sections.toml"


def test_pages_have_no_other_sections() -> None:
    """Each section of the sheet has a row, and the rows of a page have its order."""
    for page in (DOCS / "cheatsheet").glob("*.rst"):
        anchors = [section.anchor for section in parse(page)]
        rows = [make_id(row["title"]) for row in WRITTEN if chapter(row) == page]
        assert sorted(rows) == sorted(anchors), page


def test_each_snippet_stands_in_one_section() -> None:
    """No snippet is left out of the pages, and none stands in two sections."""
    included = [
        s for page in PAGES for section in parse(page) for s in section.snippets
    ]
    files = [path.stem for path in SNIPPETS.glob("*.py")]
    assert sorted(files) == sorted(included)


def test_each_test_module_is_of_a_snippet() -> None:
    """No tests are left of a snippet that is gone or was renamed."""
    modules = {
        p.stem.removeprefix("test_") for p in (SNIPPETS / "tests").glob("test_*.py")
    }
    assert set() == modules - {path.stem for path in SNIPPETS.glob("*.py")}


def unrun(page: Path, text: str) -> list[str]:
    """Return the console blocks of *text* that the transcripts would not run."""
    run = {block.line for section in parse(page, text) for block in section.blocks}
    return [f"{page}:{line}" for line in console_lines(text) if line not in run]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_console_block_is_run(page: Path) -> None:
    """Whatever looks like a console block belongs to a section's transcript."""
    assert [] == unrun(page, page.read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    "directive",
    [
        ".. code:: console",
        ".. sourcecode:: console",
        ".. code-block:: Console",
        ".. code-block:: shell-session",
        "..  code-block:: bash-session",
    ],
)
def test_a_block_that_nothing_runs_is_found(directive: str) -> None:
    """A console block in any spelling that the transcripts do not know is named."""
    text = f"Title\n-----\n\n{directive}\n\n   $ true\n\nEnd.\n"
    assert ["page.rst:4"] == unrun(Path("page.rst"), text)


@pytest.mark.linux
def test_pytest_collects_every_transcript(pytestconfig: pytest.Config) -> None:
    """A run of the pages has an item for each section that has console blocks."""
    listing = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "--collect-only",
            "-q",
            "-p",
            "no:randomly",
            "docs",
        ],
        cwd=pytestconfig.rootpath,
        capture_output=True,
        text=True,
        timeout=50,
        check=True,
    ).stdout
    items = [line for line in listing.splitlines() if "::transcript[" in line]
    expected = [
        f"{page.relative_to(ROOT).as_posix()}::transcript[{section.anchor}]"
        for page in PAGES
        for section in parse(page)
        if section.blocks
    ]
    assert sorted(expected) == sorted(items)


def test_incomplete_rows_are_told() -> None:
    """A wrong snippet, missing files, clients and claims are each one clear line."""
    row = {
        "title": "Get Hostname",
        "page": "addresses",
        "snippet": "no_such_snippet",
        "clients": ["telnet"],
        "contract": ["stream (sequential)"],
    }
    told = "\n".join(problems(row))
    assert "includes hostname, not no_such_snippet alone" in told
    assert "snippets/no_such_snippet.py does not exist" in told
    assert "snippets/tests/test_no_such_snippet.py does not exist" in told
    assert "no transcript runs telnet" in told
    row["snippet"] = "hostname"
    assert "does not claim the contract stream (sequential)" in "\n".join(problems(row))
    row["title"] = "Get Lost"
    assert "0 sections with the target .. _get-lost:" in "\n".join(problems(row))
