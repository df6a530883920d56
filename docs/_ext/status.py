"""Under each snippet that a page includes: links, and what its tests said.

The page needs no directive for it: a ``literalinclude`` of a file in snippets/ is
enough. What is added are plain docutils nodes; HTML alone folds the details.
"""

from collections.abc import Sequence
from pathlib import Path

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util import logging
from sphinx.util.typing import ExtensionMetadata

import downloads
import sheet
from results import KINDS, Result
from sections import Section
from summary import NOT_RUN, NOUNS, Summary, environments_of, place, remarks, tally

logger = logging.getLogger(__name__)


def add_status(app: Sphinx, doctree: nodes.document) -> None:
    """Put links and status under the first listing of each snippet of the page."""
    env = app.env
    if not env.docname.startswith("cheatsheet/"):
        return
    current = sheet.of(env)
    shown: dict[str, str] = {}
    for listing in list(doctree.findall(nodes.literal_block)):
        snippet = current.snippet_at(listing.get("source"))
        if snippet is None:
            continue
        if listing.astext().encode() != Path(listing["source"]).read_bytes():
            logger.warning(
                "this is not snippets/%s.py as it was tested: include the whole file,"
                " without an option that leaves out or changes lines",
                snippet,
                location=listing,
            )
        if snippet in shown:
            continue
        section = current.section(snippet)
        if section is None or section.to_come or section.docname != env.docname:
            remedy = "list it there, without to_come, for this page"
            logger.warning(
                "snippets/%s.py is shown here but not so in docs/sections.toml: %s",
                *(snippet, remedy),
                location=listing,
            )
            continue
        shown[snippet] = anchor_of(section, listing)
        # a listing with a caption is wrapped in a container
        wrapped = isinstance(listing.parent, nodes.container)
        block = listing.parent if wrapped else listing
        place_after = block.parent.index(block) + 1
        block.parent.insert(place_after, status(section, current.summary(section)))
    if shown:
        sheet.note_shown(env, shown)


def anchor_of(section: Section, listing: nodes.literal_block) -> str:
    """Return the anchor of *section*, which links from elsewhere rely on."""
    parent: nodes.Node | None = listing
    while parent is not None and not isinstance(parent, nodes.section):
        parent = parent.parent
    if parent is None or section.anchor not in parent["ids"]:
        logger.warning(
            "this section has no anchor #%s: write `.. _%s:` above its title",
            *(section.anchor, section.anchor),
            location=listing,
        )
    return section.anchor


def status(section: Section, summary: Summary) -> nodes.container:
    """Return the links, the verdict and the details of *section*."""
    block = nodes.container(classes=["snippet-status"])
    block += links(section)
    block += verdict_line(summary)
    if summary.counted:
        if summary.outdated:
            block += nodes.paragraph("", f"Not counted: {summary.outdated_note}.")
        open_ = " open" if summary.word == "failed" else ""
        fold = f"<details{open_}><summary>What was run, and where</summary>"
        block += nodes.raw("", fold, format="html")
        kinds = {result.kind for result in summary.counted}.union(summary.missing)
        block += results_table(summary.counted, [k for k in KINDS if k in kinds])
        block += remark_list(summary.counted)
        block += nodes.raw("", "</details>", format="html")
    return block


def links(section: Section) -> nodes.paragraph:
    """Return the links to the file, its source and its reference."""
    reference = addnodes.pending_xref(
        "",
        nodes.inline("", "Reference"),
        refdomain="py",
        reftype="mod",
        reftarget=section.snippet,
    )
    line = nodes.paragraph(classes=["snippet-links"])
    line += downloads.links(section.snippet)
    line += [nodes.Text(" "), reference]
    return line


def verdict_line(summary: Summary) -> nodes.paragraph:
    """Return the one line that says what the tests said."""
    line = nodes.paragraph(classes=["verdict"])
    if not summary.counted:
        line += verdict(NOT_RUN, "Not run in this build")
        note = summary.outdated_note
        line += nodes.Text(f": {note}." if note else ".")
        return line
    line += verdict(summary.word, summary.word.capitalize())
    line += nodes.Text(f": {summary.counts}. ")
    line += nodes.inline("", f"{place(summary.counted)}.", classes=["place"])
    return line


def verdict(word: str, text: str) -> nodes.strong:
    """Return *text* in the colour of the verdict *word*."""
    return nodes.strong("", text, classes=[f"outcome-{word.replace(' ', '-')}"])


def results_table(
    results: Sequence[Result], kinds: Sequence[str] = KINDS
) -> nodes.table:
    """Return how many tests of each of *kinds* had which outcome, by environment."""
    rows: list[list[nodes.Node]] = []
    for environment in environments_of(results):
        here = [result for result in results if result.environment == environment]
        dates = ", ".join(sorted({result.date for result in here}))
        row: list[nodes.Node] = [nodes.Text(str(environment)), nodes.Text(dates)]
        for kind in kinds:
            own = [result for result in here if result.kind == kind]
            row.append(tally_text(own))
        rows.append(row)
    head = ["Environment", "Date", *(f"{NOUNS[kind]}s".capitalize() for kind in kinds)]
    return table([nodes.Text(text) for text in head], rows, ["results"])


def tally_text(results: Sequence[Result]) -> nodes.Node:
    """Return how many of *results* had which outcome, loud where some failed."""
    text = tally(results)
    failed = any(result.outcome == "failed" for result in results)
    return verdict("failed", text) if failed else nodes.Text(text)


def remark_list(results: Sequence[Result]) -> list[nodes.Node]:
    """Return what failed and what was skipped, with the reasons; nothing if none."""
    items = nodes.bullet_list(classes=["remarks"])
    for outcome, text in remarks(results):
        line = nodes.paragraph("", "", verdict(outcome, outcome.capitalize()))
        line += nodes.Text(f": {text}")
        items += nodes.list_item("", line)
    return [items] if items.children else []


def table(
    head: Sequence[nodes.Node], rows: Sequence[Sequence[nodes.Node]], classes: list[str]
) -> nodes.table:
    """Return a table whose first column names the rows."""
    group = nodes.tgroup(cols=len(head))
    for column in range(len(head)):
        # the width, in characters, matters to the text builder alone
        group += nodes.colspec(colwidth=16 if column else 40, stub=int(column == 0))
    group += nodes.thead("", row_of(head))
    group += nodes.tbody("", *(row_of(row) for row in rows))
    return nodes.table("", group, classes=classes)


def row_of(cells: Sequence[nodes.Node]) -> nodes.row:
    """Return a row of *cells*, each with the text or element given."""
    return nodes.row("", *(nodes.entry("", nodes.paragraph("", "", c)) for c in cells))


def check_sections(app: Sphinx, env: BuildEnvironment) -> None:
    """Warn of each section that is listed as written and is on no page."""
    shown = {
        snippet
        for metadata in env.metadata.values()
        for snippet in metadata.get(sheet.SNIPPETS, {})
    }
    for section in sheet.of(env).written:
        if section.snippet not in shown:
            logger.warning(
                '%s: "%s" is listed but not shown: literalinclude snippets/%s.py'
                " in docs/%s.rst, or write to_come = true",
                app.srcdir / "sections.toml",
                *(section.title, section.snippet, section.docname),
            )


def setup(app: Sphinx) -> ExtensionMetadata:
    """Add the status when a page is read."""
    app.setup_extension("sheet")
    app.setup_extension("downloads")
    app.setup_extension("consoles")
    # later than Sphinx's own collectors (500), one of which would take the
    # download links for copies that it has to make
    app.connect("doctree-read", add_status, priority=600)
    app.connect("env-check-consistency", check_sections)
    return {
        "env_version": 1,
        "parallel_read_safe": True,
        "parallel_write_safe": True,
    }
