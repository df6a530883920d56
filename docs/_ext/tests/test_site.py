"""A small site is built by Sphinx; its pages say what the results say."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

Report = Callable[..., Path]
Build = Callable[..., str]


def text(project: Path, page: str) -> str:
    """Return a page of the text builder, its lines joined."""
    content = (project / "build" / "text" / f"{page}.txt").read_text(encoding="utf-8")
    return re.sub(r"\s+", " ", content)


def html(project: Path, page: str) -> str:
    """Return a page of the HTML builder."""
    return (project / "build" / "html" / f"{page}.html").read_text(encoding="utf-8")


def test_without_results(project: Path, build: Build) -> None:
    """Where nothing was run, every place says so and nothing is claimed."""
    build()
    assert 2 == text(project, "cheatsheet/tcp").count("**Not run in this build**.")
    assert "Echo and Company (everywhere): **not run**" in text(project, "index")
    assert "Whisper (everywhere): **to come**" in text(project, "index")
    assert "Nothing was run in this build." in text(project, "results")
    assert "Not run in this build (echo_trial)." in text(project, "results")
    assert "3 sections: 2 not run, 1 to come." in text(project, "index")
    for page in ("index", "cheatsheet/tcp", "results"):
        assert "passed" not in text(project, page).lower()


def test_status_under_a_listing(project: Path, report: Report, build: Build) -> None:
    """The line says what passed, failed and was skipped, where and when, and why."""
    report(
        "a.xml",
        {},
        {"name": "test_b", "outcome": "skipped", "reason": "nc is missing"},
        {"kind": "contract", "contract": "stream", "check": "It echoes."},
        {"kind": "transcript", "snippet": "shout_trial"},
        {"snippet": "shout_trial", "outcome": "failed", "reason": "assert 1 == 2"},
    )
    build()
    echo, shout = text(project, "cheatsheet/tcp").split("Shout =====")[:2]
    assert echo.index('"""Echo."""') < echo.index('Download "echo_trial.py"')
    assert shout.index('"""Shout."""') < shout.index('Download "shout_trial.py"')
    place = "CPython 3.13.0, Linux 6.1, OpenSSL 3.0"
    line = "2 cases (1 skipped), 1 contract check, transcripts not run."
    assert f"**Passed in part**: {line} {place}, 2026-11-21." in echo
    assert f"**Skipped**: case test_b: nc is missing ({place})" in echo
    assert "**Failed**: 1 case (1 failed), 1 transcript." in shout
    assert f"**Failed**: case test_it: assert 1 == 2 ({place})" in shout
    assert "Echo and Company (everywhere): **passed in part**" in text(project, "index")
    assert "Shout (Linux): **failed**" in text(project, "index")


def test_a_changed_file(project: Path, report: Report, build: Build) -> None:
    """Results of another version of the file are not shown as the file's."""
    report("a.xml", {})
    path = project / "snippets" / "echo_trial.py"
    path.write_text('"""Echo, differently."""\n', encoding="utf-8")
    build()
    since = "snippets/echo_trial.py has changed since the results of 2026-11-21"
    page = text(project, "cheatsheet/tcp")
    assert f"**Not run in this build**: {since} were taken." in page
    assert "Not counted: 1 results of files that have changed" in text(
        project, "results"
    )


def test_a_damaged_file(project: Path, report: Report, build: Build) -> None:
    """A damaged file is one warning that says what to do, and no claim."""
    path = report("a.xml", {})
    path.write_text(path.read_text(encoding="utf-8")[:-30], encoding="utf-8")
    printed = build(warnings=1)
    assert f"WARNING: {path} says nothing on this site: it is not XML" in printed
    assert "run nox -s tests again or delete it" in printed
    assert "build/results/a.xml: it is not XML" in text(project, "results")
    assert "Echo and Company (everywhere): **not run**" in text(project, "index")
    assert "**Passed" not in text(project, "cheatsheet/tcp")
    path.unlink()
    build()
    assert "it is not XML" not in text(project, "results")


def test_grid_of_two_environments(project: Path, report: Report, build: Build) -> None:
    """The grid names environments where they differ, and what is emulated."""
    check = {"kind": "contract", "contract": "stream"}
    old = {"python": "CPython 3.11.2"}
    report("a.xml", {**check, "check": "It ends."}, {**check, "check": "It echoes."})
    emulated = {"check": "It ends.", "emulated": "kqueue on Linux"}
    failed = {"check": "It echoes.", "outcome": "failed", "reason": "no echo"}
    report("b.xml", {**check, **old, **emulated}, {**check, **old, **failed})
    build("html")
    page = html(project, "results")
    assert '<a class="reference internal" href="cheatsheet/tcp.html#echo-co">' in page
    assert "passed: CPython 3.13.0; passed (emulated): CPython 3.11.2" in page
    assert "failed: CPython 3.11.2; passed: CPython 3.13.0" in page
    assert "Emulated: kqueue on Linux." in page
    assert "echo_trial, stream: It echoes: no echo (CPython 3.11.2, Linux" in page
    assert "passed in part (emulated)" not in html(project, "index")
    assert "failed (emulated)" in html(project, "index")
    assert "kqueue on Linux" in html(project, "cheatsheet/tcp")


def test_grid_of_two_servers(project: Path, report: Report, build: Build) -> None:
    """A check that a server's tests do not have is a dash, not one that was not run."""
    sections = project / "docs" / "sections.toml"
    claims = sections.read_text(encoding="utf-8").replace('["stream"]', '["tls"]')
    claims = claims.replace(
        'snippet = "shout_trial"', 'snippet = "shout_trial"\ncontract = ["tls"]'
    )
    sections.write_text(claims, encoding="utf-8")
    check = {"kind": "contract", "contract": "tls"}
    other = {"snippet": "shout_trial"}
    ends, echoes = ({**check, "check": name} for name in ("It ends.", "It echoes."))
    report("a.xml", ends, echoes, {**ends, **other})
    build()
    page = text(project, "results")
    assert "| It echoes | **passed** | **\N{EN DASH}** |" in page
    assert "| It ends | **passed** | **passed** |" in page
    assert "TLS" in page


def test_the_sheet_at_a_glance(project: Path, report: Report, build: Build) -> None:
    """The front page counts the verdicts, and shows the pages in the order it says."""
    report("a.xml", {}, {"outcome": "failed", "snippet": "shout_trial"})
    index = project / "docs" / "index.rst"
    content = index.read_text(encoding="utf-8")
    ordered = content.replace("at-a-glance::\n", "at-a-glance::\n   :pages: udp tcp\n")
    index.write_text(ordered, encoding="utf-8")
    sections = project / "docs" / "sections.toml"
    listed = sections.read_text(encoding="utf-8").replace("to_come = true\n", "")
    sections.write_text(listed, encoding="utf-8")
    listing = ".. literalinclude:: ../../snippets/whisper_trial.py\n"
    page = f":orphan:\n\nUDP\n===\n\nWhisper\n-------\n\n{listing}"
    (project / "docs" / "cheatsheet" / "udp.rst").write_text(page, encoding="utf-8")
    snippet = project / "snippets" / "whisper_trial.py"
    snippet.write_text('"""Whisper."""\n', encoding="utf-8")
    build()
    shown = text(project, "index")
    counts = "3 sections: 1 passed in part, 1 failed, 1 not run"
    place = "CPython 3.13.0, Linux 6.1, OpenSSL 3.0, 2026-11-21"
    assert f"{counts}. Tested on {place}." in " ".join(shown.split())
    assert shown.index("Whisper (everywhere)") < shown.index("Shout (Linux)")


def test_failures_of_other_tests(project: Path, report: Report, build: Build) -> None:
    """A failure that belongs to no section is shown on the page of results."""
    report("a.xml", {"kind": "", "outcome": "failed", "reason": "broken"})
    build()
    assert "tests.test_x::test_it: broken" in text(project, "results")


def test_links(project: Path, report: Report, build: Build) -> None:
    """A listing has links to the file, its source and its reference, and back."""
    report("a.xml", {}, {"outcome": "failed", "snippet": "shout_trial"})
    build("html")
    page = html(project, "cheatsheet/tcp")
    [download] = re.findall(r"<a [^>]*/snippets/echo_trial\.py[^>]*>", page)
    assert 'href="../snippets/echo_trial.py"' in download
    assert 'download=""' in download
    assert 'href="../_modules/echo_trial.html">Source</a>' in page
    assert 'href="../reference.html#module-echo_trial"' in page
    assert 'href="cheatsheet/tcp.html#echo-co"' in html(project, "reference")
    assert 'href="cheatsheet/tcp.html#echo-co"' in html(project, "index")
    assert 'id="echo-co"' in page
    assert 1 == page.count("<details open>")  # what failed is not folded away
    assert 1 == page.count("<details>")
    assert "<pre>" not in page
    for name in ("snippets/echo_trial.py", "snippets/shout_trial.py"):
        served = project / "build" / "html" / name
        assert (project / name).read_bytes() == served.read_bytes()
    assert (project / "build" / "html" / "_modules" / "echo_trial.html").is_file()


def test_the_keyboard_reaches_what_scrolls(
    project: Path, report: Report, build: Build
) -> None:
    """Listings and wide tables take the focus, in the theme of the site, too."""
    report("a.xml", {})
    build("html", "-D", "html_theme=furo")
    page = html(project, "cheatsheet/tcp")
    assert (2, 1) == (page.count("<pre"), page.count("<table"))
    assert 2 == page.count('<pre tabindex="0">')
    assert 1 == page.count('<div tabindex="0" class="table-wrapper')


def test_source_at_the_built_commit(project: Path, build: Build) -> None:
    """Where the snippets can be seen elsewhere, the source link goes there."""
    build("html", "-D", "snippets_at=https://example.org/blob/1234/snippets")
    address = "https://example.org/blob/1234/snippets/echo_trial.py"
    assert f'href="{address}">Source</a>' in html(project, "cheatsheet/tcp")


def test_pretty_addresses(project: Path, build: Build) -> None:
    """The download link is right also where each page is a folder."""
    build("dirhtml")
    page = project / "build" / "dirhtml" / "cheatsheet" / "tcp" / "index.html"
    assert 'href="../../snippets/echo_trial.py"' in page.read_text(encoding="utf-8")


def test_only_what_shows_results_is_read_again(
    project: Path, report: Report, build: Build
) -> None:
    """New results change the pages that show them, and no other is read."""
    build()
    path = report("a.xml", {"snippet": "shout_trial"})
    assert "0 added, 3 changed, 0 removed" in build()
    assert "Shout (Linux): **passed in part**" in text(project, "index")
    assert "**Passed in part**: 1 case" in text(project, "cheatsheet/tcp")
    path.unlink()
    assert "0 added, 3 changed, 0 removed" in build()
    assert "Shout (Linux): **not run**" in text(project, "index")


def test_equal_results_change_nothing(report: Report, build: Build) -> None:
    """Tests run again with the same results leave every page as it is."""
    report("a.xml", {}, {"name": "test_b"})
    build()
    report("a.xml", {"name": "test_b"}, {})
    assert "0 added, 0 changed, 0 removed" in build()


def test_in_parallel(project: Path, report: Report, build: Build) -> None:
    """Pages read by several processes say and link the same."""
    for number in range(6):  # Sphinx takes one process for up to five pages
        more = project / "docs" / f"more{number}.rst"
        more.write_text(":orphan:\n\nMore\n====\n", encoding="utf-8")
    report("a.xml", {"snippet": "shout_trial"})
    build("html", "-j", "2")
    index = html(project, "index")
    assert 'href="cheatsheet/tcp.html#shout"' in index
    assert ">passed in part</strong>" in index
    assert "0 added, 0 changed, 0 removed" in build("html", "-j", "2")


def test_results_come_and_go_with_a_snippet(
    project: Path, report: Report, build: Build
) -> None:
    """To edit a snippet brings the pages up to date that show its results."""
    report("a.xml", {})
    build()
    path = project / "snippets" / "echo_trial.py"
    path.write_text('"""Echo, differently."""\n', encoding="utf-8")
    build()
    assert "Echo and Company (everywhere): **not run**" in text(project, "index")
    assert "has changed since" in text(project, "cheatsheet/tcp")


@pytest.mark.parametrize(
    ("file", "before", "after", "warning"),
    [
        (
            "docs/cheatsheet/tcp.rst",
            ".. literalinclude:: ../../snippets/shout_trial.py",
            "..",
            'WARNING: {project}/docs/sections.toml: "Shout" is listed but not shown:'
            " literalinclude snippets/shout_trial.py in docs/cheatsheet/tcp.rst,"
            " or write to_come = true",
        ),
        (
            "docs/cheatsheet/tcp.rst",
            ".. _echo-co:",
            "..",
            "tcp.rst:10: WARNING: this section has no anchor #echo-co: write"
            " `.. _echo-co:` above its title",
        ),
        (
            "docs/sections.toml",
            'title = "Shout"',
            'title = "Shout"\nto_come = true',
            "tcp.rst:16: WARNING: snippets/shout_trial.py is shown here but not so in"
            " docs/sections.toml: list it there, without to_come, for this page",
        ),
    ],
)
def test_page_and_list_agree(
    project: Path, build: Build, file: str, before: str, after: str, warning: str
) -> None:
    """A page that differs from docs/sections.toml is a warning with its line."""
    path = project / file
    content = path.read_text(encoding="utf-8")
    assert before in content
    path.write_text(content.replace(before, after), encoding="utf-8")
    assert warning.format(project=project) in build(warnings=1)


GOOD = ".. code-block:: console\n\n   $ true\n   yes\n"
UNRUN = "WARNING: this console block is run by no test: write `.. code-block:: console`"
NOT_RUN = [
    "* .. code-block:: console\n\n     $ nc",
    ".. list-table::\n\n   * - .. code-block:: console\n\n          $ nc",
    ".. code-block::\n   console\n\n   $ nc",
    ".. literalinclude:: /session.txt\n   :language: console",
    ".. include:: /included.txt",
    ".. code-block:: bash\n\n   $ nc",
    ".. code-block:: text\n\n   $ nc",
    "So::\n\n   $ nc",
    ".. code-block:: Shell-Session\n\n   output",
    "* .. code-block:: console\n\n     $ true\n     yes",  # as the one that is run
    ".. highlight:: console\n\nSo::\n\n   output",  # the last: it goes on to the end
]


def test_console_blocks_that_no_test_runs(project: Path, build: Build) -> None:
    """However a console block is written: if the tests do not know it, it warns."""
    (project / "docs" / "session.txt").write_text("output\n", encoding="utf-8")
    included = ".. code-block:: console\n\n   $ nc\n"
    (project / "docs" / "included.txt").write_text(included, encoding="utf-8")
    page = project / "docs" / "cheatsheet" / "tcp.rst"
    text = page.read_text(encoding="utf-8") + f"\n{GOOD}\nThat is one that is run.\n"
    lines = []
    for block in NOT_RUN:
        lines.append(text.count("\n") + 2)  # of the first line of the block
        text += f"\n{block}\n\nEnd of it.\n"
    page.write_text(text, encoding="utf-8")
    printed = build(warnings=len(NOT_RUN))
    found = re.findall(rf"(\w+\.\w+):(\d+): {re.escape(UNRUN)}", printed)
    assert ["1"] == [line for file, line in found if file == "included.txt"]
    places = [int(line) for file, line in found if file == "tcp.rst"]
    blocks = [max(first for first in lines if first <= line) for line in places]
    here = [
        line
        for line, block in zip(lines, NOT_RUN, strict=True)
        if ".. include::" not in block
    ]
    assert here == blocks


def test_a_console_block_in_a_docstring(project: Path, build: Build) -> None:
    """What the reference shows of a docstring is not run by any transcript."""
    path = project / "snippets" / "shout_trial.py"
    path.write_text('"""Shout::\n\n    $ nc\n"""\n', encoding="utf-8")
    assert f"docstring of shout_trial:3: {UNRUN}" in build(warnings=1)


def test_a_page_that_the_tests_cannot_read(project: Path, build: Build) -> None:
    """What the tests refuse in a page is told in their words, once."""
    page = project / "docs" / "plain.rst"
    page.write_text(f"Plain\n=====\n\n{GOOD}", encoding="utf-8")
    printed = build(warnings=1)
    assert f"WARNING: {page}:4: this directive stands in no section" in printed


@pytest.mark.parametrize("option", ["lines: 1", "caption: a\n     b\n   :prepend: x"])
def test_a_listing_that_is_not_the_file(
    project: Path, build: Build, option: str
) -> None:
    """A part of a snippet, or more than it, is a warning, however it is written."""
    page = project / "docs" / "cheatsheet" / "tcp.rst"
    text = page.read_text(encoding="utf-8")
    before = "   :language: python\n"
    assert before in text
    page.write_text(text.replace(before, f"   :{option}\n"), encoding="utf-8")
    warning = "tcp.rst:10: WARNING: this is not snippets/echo_trial.py as it was tested"
    assert warning in build(warnings=1)


def test_a_missing_snippet(project: Path, build: Build) -> None:
    """A page that includes a file that is not there is named with its line."""
    (project / "snippets" / "shout_trial.py").unlink()
    printed = build(warnings=2)  # the second: the section is listed but not shown
    assert re.search(r"tcp\.rst:16: WARNING: .*shout_trial\.py' not found", printed)


def test_a_wrong_list(project: Path, build: Build) -> None:
    """A docs/sections.toml that cannot be read ends the build in one line."""
    (project / "docs" / "sections.toml").write_text("[[section", encoding="utf-8")
    assert "sections.toml: " in build()
    assert not (project / "build" / "text" / "index.txt").exists()


CONSOLE = ".. code-block:: console\n   :caption: {}\n\n   $ {}\n\n"


@pytest.mark.parametrize(
    ("commands", "expected"), [(["true", "true"], 1), (["true"], 0)]
)
def test_consoles_side_by_side(
    project: Path, build: Build, commands: list[str], expected: int
) -> None:
    """Consoles that follow each other make a group, and one alone does not."""
    page = project / "docs" / "cheatsheet" / "tcp.rst"
    blocks = [CONSOLE.format(f"shell {n}", c) for n, c in enumerate(commands)]
    both = page.read_text(encoding="utf-8") + "\n" + "".join(blocks)
    page.write_text(both, encoding="utf-8")
    build("html", "-D", "extensions=status,overview,names,which,reference,consoles")
    assert expected == html(project, "cheatsheet/tcp").count('class="consoles')


def test_tests_of_a_snippet_are_linked(project: Path, build: Build) -> None:
    """The tests of a snippet are in the site as they are in the project."""
    tests = project / "snippets" / "tests" / "test_echo_trial.py"
    tests.parent.mkdir()
    tests.write_text("def test_echo(): pass\n", encoding="utf-8")
    build("html")
    link = 'href="../snippets/tests/test_echo_trial.py"'
    assert link in html(project, "cheatsheet/tcp")
    served = project / "build" / "html" / "snippets" / "tests" / tests.name
    assert tests.read_bytes() == served.read_bytes()


def test_each_page_says_what_it_is(project: Path, build: Build) -> None:
    """The first paragraph of a page is its description; another has the title."""
    page = project / "docs" / "plain.rst"
    page.write_text("Plain\n=====\n\nSay it & *now*.\n", encoding="utf-8")
    build("html")
    name = '<meta name="description" content='
    assert f'{name}"Say it &amp; now." />' in html(project, "plain")
    assert 1 == html(project, "plain").count(name)
    assert f'{name}"trial" />' in html(project, "genindex")
