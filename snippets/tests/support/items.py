"""Makes a pytest item of each section that has console blocks (a pytest plugin).

``pytest --rewrite-transcripts docs/cheatsheet/tcp.rst`` writes into the page what
happens, in place of what it says. Read the difference before you keep it.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sybil import Document, Example, Region, Sybil

from support import transcripts
from support.pages import PROMPT, PageError, Section, parse
from support.requirements import ROOT, clients_in, missing
from support.sandbox import Sandbox, SandboxError

DOCS = ROOT / "docs"
OPTION = "--rewrite-transcripts"
NEEDED = {"bash", "ip", "unshare"}  # for any transcript


class SectionNames(Sybil):
    """Names an item for the section that it runs."""

    def identify(self, example: Example) -> str:
        """Return the anchor of the section."""
        section: Section = example.parsed
        return f"transcript[{section.anchor}]"


def regions(document: Document) -> Iterator[Region]:
    """Yield a region for each section of *document* that has console blocks."""
    try:
        sections = parse(Path(document.path), document.text)
    except PageError as error:
        raise pytest.Collector.CollectError(str(error)) from None
    for section in sections:
        if section.blocks:
            yield Region(section.start, section.end, section, run)


def run(example: Example) -> str | None:
    """Run or rewrite a section; return what is wrong with it, if anything is."""
    section: Section = example.parsed
    lines = [line for block in section.blocks for line in block.lines]
    commands = [line.removeprefix(PROMPT) for line in lines if line.startswith(PROMPT)]
    lack = missing(clients_in(commands) | NEEDED)
    if lack:
        pytest.skip(lack)
    try:
        if example.namespace["pytestconfig"].getoption(OPTION):
            rewrite(section)
        transcripts.check(fresh(section))
    except SandboxError as error:
        pytest.skip(str(error))
    except transcripts.TranscriptError as error:
        return str(error)
    return None


def rewrite(section: Section) -> None:
    """Write what happens in *section* into its page."""
    section.path.write_text(transcripts.record(fresh(section)), encoding="utf-8")


def fresh(section: Section) -> Section:
    """Return *section* as its file has it now, rewritten or not."""
    found = {now.anchor: now for now in parse(section.path)}
    return found.get(section.anchor, section)


@pytest.fixture(scope="session")
def needs_sandbox() -> None:
    """Skip where no sandbox can be made, and say what to do."""
    lack = missing(NEEDED | {"nc"})
    if lack:
        pytest.skip(lack)
    try:
        with Sandbox():
            pass
    except SandboxError as error:
        pytest.skip(str(error))


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the author's option."""
    parser.addoption(
        OPTION,
        action="store_true",
        help="write the console blocks of the pages anew, from what happens",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Refuse to rewrite in parallel: two sections of one file would collide."""
    if config.getoption(OPTION) and config.getoption("numprocesses", None):
        message = f"{OPTION} rewrites files one by one: leave out -n"
        raise pytest.UsageError(message)


if sys.platform == "linux":  # elsewhere there are no namespaces to run them in
    pytest_collect_file = SectionNames(
        parsers=[regions], path=str(DOCS), pattern="*.rst", fixtures=["pytestconfig"]
    ).pytest()
