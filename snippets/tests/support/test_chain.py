"""The chain is closed: page, snippet, tests and transcript belong together.

``docs/sections.toml`` lists the sections. A row is either complete or says
``to_come``, and then nothing of it may exist yet, so that the list only shrinks.
"""

import contextlib
import importlib
import shlex
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest

import sections
from sections import Section as Row
from support.pages import CONTINUED, PROMPT, PageError, Section, console_lines, parse
from support.requirements import ROOT

DOCS = ROOT / "docs"
SNIPPETS = ROOT / "snippets"
PAGES = sorted(DOCS.rglob("*.rst"))
ROWS = sections.read(DOCS / "sections.toml")
WRITTEN = [row for row in ROWS if not row.to_come]
TO_COME = [row for row in ROWS if row.to_come]
# Links from elsewhere lead to these: the 35 of the old sheet, and any added since.
ANCHORS = (
    "get-hostname",
    "get-address-family-and-socket-address-from-string",
    "transform-host-network-endian",
    "ip-dotted-quad-string-byte-format-convert",
    "mac-address-byte-format-convert",
    "simple-tcp-echo-server",
    "simple-tcp-echo-server-through-ipv6",
    "disable-ipv6-only",
    "simple-tcp-echo-server-via-socketserver",
    "simple-tls-ssl-tcp-echo-server",
    "set-ciphers-on-tls-ssl-tcp-echo-server",
    "simple-udp-echo-server",
    "simple-udp-echo-server-via-socketserver",
    "simple-udp-client-sender",
    "broadcast-udp-packets",
    "simple-unix-domain-socket",
    "simple-duplex-processes-communication",
    "simple-asynchronous-tcp-server-thread",
    "simple-asynchronous-tcp-server-select",
    "simple-asynchronous-tcp-server-poll",
    "simple-asynchronous-tcp-server-epoll",
    "simple-asynchronous-tcp-server-kqueue",
    "high-level-api-selectors",
    "simple-non-blocking-tls-ssl-socket-via-selectors",
    "socketpair-similar-to-pipe",
    "using-sendfile-do-copy",
    "sending-a-file-through-sendfile",
    "linux-kernel-crypto-api-af-alg",
    "aes-cbc-encrypt-decrypt-via-af-alg",
    "aes-gcm-encrypt-decrypt-via-af-alg",
    "aes-gcm-encrypt-decrypt-file-with-sendfile",
    "compare-the-performance-of-af-alg-to-cryptography",
    "sniffer-ip-packets",
    "sniffer-tcp-packet",
    "sniffer-arp-packet",
)


def chapter(row: Row) -> Path:
    """Return the page of *row*."""
    return DOCS / f"{row.docname}.rst"


def written_in(page: Path) -> list[Section]:
    """Return the sections of *page*, none where there is no page."""
    return parse(page) if page.exists() else []


def name(row: Row) -> str:
    """Name a test for the snippet of its row."""
    return row.snippet


def problems(row: Row) -> list[str]:
    """Return what is missing of the section of *row*, a line each."""
    page = chapter(row)
    found = [section for section in written_in(page) if section.anchor == row.anchor]
    if len(found) != 1:
        target = f".. _{row.anchor}:"
        return [f"{page} has {len(found)} sections with the target {target}, not one"]
    (section,) = found
    where = f"{section.path}:{section.line}"
    wrong = []
    if section.snippets != [row.snippet]:
        includes = ", ".join(section.snippets) or "no snippet"
        wrong.append(f"{where}: includes {includes}, not {row.snippet} alone")
    file = SNIPPETS / f"{row.snippet}.py"
    if not file.is_file():
        wrong.append(f"{where}: snippets/{file.name} does not exist")
    test = SNIPPETS / "tests" / f"test_{row.snippet}.py"
    if not test.is_file():
        wrong.append(f"{where}: snippets/tests/{test.name} does not exist")
    elif file.is_file():  # without it its tests cannot be imported
        wrong += unclaimed(row, test)
    for client in row.clients:
        if not any(client in command for command in commands(section)):
            wrong.append(f"{where}: no transcript runs {client}")
    return wrong


def commands(section: Section) -> list[list[str]]:
    """Return the words of each command of *section*, as the shell sees them."""
    typed: list[str] = []
    for block in section.blocks:
        for line in block.lines:
            if line.startswith(PROMPT):
                typed.append(line.removeprefix(PROMPT))
            elif line.startswith(CONTINUED) and typed:
                typed[-1] += "\n" + line.removeprefix(CONTINUED)
    return [words(command) for command in typed]


def words(command: str) -> list[str]:
    """Return the words of *command*, without comments; none if a quote is not closed.

    What a program printed may look like the second line of a command (``> ``) and
    have any quotes, so that then the first line has to do.
    """
    for text in (command, command.split("\n")[0]):
        with contextlib.suppress(ValueError):
            return shlex.split(text, comments=True)
    return []


def unclaimed(row: Row, test: Path) -> list[str]:
    """Return the contracts of *row* that no class of its test module claims.

    A class counts only if pytest collects it.
    """
    claimed = {
        getattr(member, "contract", None)
        for attribute, member in vars(importlib.import_module(test.stem)).items()
        if attribute.startswith("Test")
        and getattr(member, "__test__", True) is not False
        and getattr(member, "snippet", None) == row.snippet
    }
    return [
        f"{test}: does not claim the contract {contract} in a class Test..."
        for contract in row.contract
        if contract not in claimed
    ]


def test_every_anchor_has_its_row() -> None:
    """Every section of the old sheet has a row, and each anchor is held here, too."""
    anchors = {row.anchor for row in ROWS}
    assert set() == set(ANCHORS) - anchors, (
        "links from elsewhere lead to these anchors: give each its row, and its old "
        "title, in docs/sections.toml"
    )
    assert set() == anchors - set(ANCHORS), (
        "the row of a new section: add its anchor to ANCHORS in "
        "snippets/tests/support/test_chain.py; that of an old one: keep its title"
    )
    assert 35 <= len(set(ANCHORS)), "an anchor of the old sheet is gone: put it back"


@pytest.mark.parametrize("row", WRITTEN, ids=name)
def test_section_is_complete(row: Row) -> None:
    """A written section has one snippet, its tests, its transcript and its contract."""
    assert [] == problems(row)


def early(row: Row) -> list[str]:
    """Return what there is of a section that is said to be to come."""
    exists = [
        f"the section {section.title}"
        for section in written_in(chapter(row))
        if section.anchor == row.anchor
    ]
    for path in (f"{row.snippet}.py", f"tests/test_{row.snippet}.py"):
        if (SNIPPETS / path).exists():
            exists.append(f"snippets/{path}")
    return exists


def test_sections_to_come_have_nothing_yet() -> None:
    """Who writes a section takes it off the list of those to come."""
    for row in TO_COME:
        assert [] == early(row), "remove the line to_come from docs/sections.toml"
    expected = [
        "the section Get Hostname",
        "snippets/hostname.py",
        "snippets/tests/test_hostname.py",
    ]
    assert expected == early(WRITTEN[0])


def test_pages_have_no_other_sections() -> None:
    """Each section of the sheet has a row, and the rows of a page have its order."""
    for page in (DOCS / "cheatsheet").glob("*.rst"):
        anchors = [section.anchor for section in parse(page)]
        rows = [row.anchor for row in WRITTEN if chapter(row) == page]
        surplus = set(anchors) - set(rows)
        assert set() == surplus, f"{page} has sections without a row: add the rows"
        assert rows == anchors, f"{page}: bring its rows into the order of its sections"


def test_each_snippet_stands_in_one_section() -> None:
    """No snippet is left out of the pages, and none stands in two sections."""
    included = [
        snippet
        for page in PAGES
        for section in parse(page)
        for snippet in section.snippets
    ]
    files = {path.stem for path in SNIPPETS.glob("*.py")}
    assert set() == files - set(included), "no page shows these snippets: add a section"
    assert set() == set(included) - files, "pages show snippets that do not exist"
    twice = {snippet for snippet in included if included.count(snippet) > 1}
    assert set() == twice, "these snippets stand in two sections: leave each in one"


def test_each_test_module_is_of_a_snippet() -> None:
    """No tests are left of a snippet that is gone or was renamed."""
    modules = {
        p.stem.removeprefix("test_") for p in (SNIPPETS / "tests").glob("test_*.py")
    }
    surplus = modules - {path.stem for path in SNIPPETS.glob("*.py")}
    assert set() == surplus, "these have a test module and no snippet: remove or rename"


def unrun(page: Path, text: str) -> list[str]:
    """Return the console blocks of *text* that the transcripts would not run."""
    run = {block.line for section in parse(page, text) for block in section.blocks}
    return [f"{page}:{line}" for line in console_lines(text) if line not in run]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_console_block_is_run(page: Path) -> None:
    """A console block in a usual spelling belongs to a section's transcript.

    This is the quick look at the text: it does not see blocks in lists, in included
    files, in docstrings or without a language. The site is built with a look at all
    that the reader sees (docs/_ext/consoles.py).
    """
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


def test_incomplete_rows_are_told() -> None:
    """A wrong snippet, missing files, clients and claims are each one clear line."""
    row = Row(
        title="Get Hostname",
        page="addresses",
        snippet="no_such_snippet",
        clients=("telnet",),
        contract=("stream (sequential)",),
    )
    told = "\n".join(problems(row))
    assert "includes hostname, not no_such_snippet alone" in told
    assert "snippets/no_such_snippet.py does not exist" in told
    assert "snippets/tests/test_no_such_snippet.py does not exist" in told
    assert "no transcript runs telnet" in told
    told = "\n".join(problems(replace(row, snippet="hostname")))
    assert "does not claim the contract stream (sequential)" in told
    told = "\n".join(problems(replace(row, title="Get Lost")))
    assert "0 sections with the target .. _get-lost:" in told


def test_a_snippet_that_is_gone_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a test module has lost its snippet it is not imported, but named."""
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_hostname.py").write_text("import gone\n")
    monkeypatch.setattr(sys.modules[__name__], "SNIPPETS", tmp_path)
    told = problems(Row("Get Hostname", "addresses", "hostname", contract=("any",)))
    assert 1 == len(told)
    assert told[0].endswith(": snippets/hostname.py does not exist")


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        ("$ nc ::1 1", [["nc", "::1", "1"]]),
        ("$ true # nc localhost\n$ true", [["true"], ["true"]]),
        ("$ printf 'a\n> b' |\n> nc\nnc", [["printf", "a\nb", "|", "nc"]]),
        ("$ cat\n> it's output", [["cat"]]),
        ("$ echo 'unclosed", [[]]),
    ],
)
def test_commands_are_what_the_shell_would_run(
    block: str, expected: list[list[str]]
) -> None:
    """A comment and output run nothing; a command may have more lines than one."""
    lines = block.replace("\n", "\n   ")
    text = f"Title\n-----\n\n.. code-block:: console\n\n   {lines}\n\nEnd.\n"
    [section] = parse(Path("page.rst"), text)
    assert expected == commands(section)


@pytest.mark.parametrize(
    ("attribute", "members", "expected"),
    [
        ("TestStream", {}, 0),
        ("_TestStream", {}, 1),
        ("TestStream", {"__test__": False}, 1),
        ("TestStream", {"snippet": "other"}, 1),
    ],
)
def test_a_claim_that_pytest_does_not_collect_is_none(
    monkeypatch: pytest.MonkeyPatch,
    attribute: str,
    members: dict[str, object],
    expected: int,
) -> None:
    """A contract counts as claimed only by a class that pytest collects."""
    module = ModuleType("test_claiming")
    claim = {"snippet": "hostname", "contract": "any", **members}
    setattr(module, attribute, type("Claim", (), claim))
    monkeypatch.setitem(sys.modules, "test_claiming", module)
    row = Row("Get Hostname", "addresses", "hostname", contract=("any",))
    assert expected == len(unclaimed(row, Path("test_claiming.py")))


@pytest.mark.parametrize("option", ["lines: 1-3", "end-before: def", "prepend: x = 1"])
def test_a_listing_is_the_whole_file(option: str) -> None:
    """An option by which a listing would differ from its file is refused, with why."""
    listing = ".. literalinclude:: ../snippets/hostname.py\n   :language: python\n"
    text = f"Title\n-----\n\n{listing}   :{option}\n\nEnd.\n"
    with pytest.raises(PageError) as caught:
        parse(Path("page.rst"), text)
    expected = f"page.rst:4: this listing has the option {option.split(':')[0]}, but"
    assert str(caught.value).startswith(expected)
    whole = text.replace(option, "linenos:")
    assert ["hostname"] == parse(Path("page.rst"), whole)[0].snippets
