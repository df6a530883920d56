"""Directives of the front page and the results page.

``at-a-glance``: the whole sheet, each section with its platform and its verdict.
``environments``: on what the tests ran.
``contract-grid``: every server against every check of its contract.
"""

from collections import Counter
from collections.abc import Sequence

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util.docutils import SphinxDirective
from sphinx.util.typing import ExtensionMetadata

import sheet
from results import Result
from sections import Section
from sheet import Sheet
from status import remark_list, results_table, table, verdict
from summary import Summary, cell, place, runs_of

TITLES = {"af_alg": "AF_ALG", "tls": "TLS"}  # where a capital letter is not all


class AtAGlance(SphinxDirective):
    """The sections by page, then those whose page is not there yet.

    The pages are in the order of the option *pages*, then in that of the sections.
    """

    option_spec = {"pages": directives.unchanged_required}  # noqa: RUF012

    def run(self) -> list[nodes.Node]:
        """Return a list for each page."""
        sheet.note_shown(self.env, None)
        current = sheet.of(self.env)
        first = [f"cheatsheet/{name}" for name in self.options.get("pages", "").split()]
        pages = dict.fromkeys(
            [*first, *(section.docname for section in current.sections)]
        )
        found: list[nodes.Node] = [nodes.paragraph("", in_short(current))]
        later = []
        for docname in pages:
            own = [each for each in current.sections if each.docname == docname]
            if docname in self.env.found_docs:
                found += [heading("", link_to_page(docname)), entries(current, own)]
            else:
                later += own
        if later:
            found += [heading("Later pages"), entries(current, later)]
        return found


class Environments(SphinxDirective):
    """The environments, and what cannot be shown."""

    def run(self) -> list[nodes.Node]:
        """Return a table, after it what went wrong besides."""
        sheet.note_shown(self.env, None)
        results = sheet.of(self.env).results
        counted = [result for result in results.of_snippets if not result.changed]
        found: list[nodes.Node] = []
        if counted:
            found.append(results_table(counted))
        else:
            found.append(nodes.paragraph("", "Nothing was run in this build."))
        left_out = len(results.of_snippets) - len(counted)
        if left_out:
            text = (
                f"Not counted: {left_out} results of files that have changed since."
                " The sections concerned say which files."
            )
            found.append(nodes.paragraph("", text))
        if results.damaged:
            lines = [
                f"build/results/{damage.path.name}: {damage.reason}."
                for damage in results.damaged
            ]
            title = "Results that cannot be read, and that nothing here rests on"
            found.append(alarm(title, lines))
        if results.other_failures:
            lines = [f"{name}: {reason}" for name, reason in results.other_failures]
            found.append(alarm("Failed besides, in no section", lines))
        return found


class ContractGrid(SphinxDirective):
    """For each contract, its checks and the servers that claim it."""

    def run(self) -> list[nodes.Node]:
        """Return a table for each contract."""
        sheet.note_shown(self.env, None)
        current = sheet.of(self.env)
        names = dict.fromkeys(
            name for section in current.written for name in section.contract
        )
        return [node for name in names for node in grid(current, name)]


def in_short(current: Sheet) -> str:
    """Return how many sections there are, and how many have which verdict."""
    summaries = [current.summary(section) for section in current.written]
    number = Counter(summary.word for summary in summaries)
    number["to come"] = len(current.sections) - len(current.written)
    counts = [f"{count} {word}" for word, count in number.most_common() if count]
    counted = [result for summary in summaries for result in summary.counted]
    where = f" Tested on {place(counted)}." if counted else ""
    return f"{len(current.sections)} sections: {', '.join(counts)}.{where}"


def heading(text: str, *content: nodes.Node) -> nodes.rubric:
    """Return a heading within a section."""
    return nodes.rubric("", text, *content, **{"heading-level": 3})


def link_to_page(docname: str) -> addnodes.pending_xref:
    """Return a link that shows the title of the page."""
    return addnodes.pending_xref(
        "",
        nodes.inline(),
        refdomain="std",
        reftype="doc",
        refexplicit=False,
        refwarn=True,
        reftarget=f"/{docname}",
    )


def entries(current: Sheet, own: Sequence[Section]) -> nodes.bullet_list:
    """Return a line for each of the sections: title, platform and verdict."""
    items = nodes.bullet_list(classes=["at-a-glance"])
    for section in own:
        line = nodes.paragraph()
        if section.to_come:
            line += nodes.inline("", section.title)
            said = verdict("to come", "to come")
        else:
            line += sheet.link_to_section(section)
            said = mark(current.summary(section))
        line += separator(" (")
        line += nodes.inline("", section.platform, classes=["platform"])
        line += [separator("): "), said]
        items += nodes.list_item("", line)
    return items


def separator(text: str) -> nodes.inline:
    """Return what stands between two parts of a line where they are no columns."""
    return nodes.inline("", text, classes=["separator"])


def mark(summary: Summary) -> nodes.strong:
    """Return the verdict in a word or two."""
    emulated = any(result.emulated for result in summary.counted)
    word = summary.word
    return verdict(word, f"{word} (emulated)" if emulated else word)


def alarm(title: str, lines: Sequence[str]) -> nodes.error:
    """Return a box that cannot be overlooked."""
    box = nodes.error("", nodes.paragraph("", "", nodes.strong("", f"{title}:")))
    items = [nodes.list_item("", nodes.paragraph("", line)) for line in lines]
    box += nodes.bullet_list("", *items)
    return box


def grid(current: Sheet, contract: str) -> list[nodes.Node]:
    """Return the table of *contract*, and below it what did not pass and why."""
    servers = [each for each in current.written if contract in each.contract]
    results = [
        result
        for result in current.results.of_snippets
        if result.contract == contract and not result.changed
    ]
    checks = sorted({result.check for result in results})
    title = heading(TITLES.get(contract, contract.capitalize()))
    if not checks:
        names = ", ".join(section.snippet for section in servers)
        text = f"Not run in this build ({names})."
        return [title, nodes.paragraph("", text)]
    runs = runs_of(results)
    head: list[nodes.Node] = [nodes.Text("Check")]
    head += [name_of(section) for section in servers]
    rows: list[list[nodes.Node]] = []
    for check in checks:
        row: list[nodes.Node] = [nodes.Text(check.rstrip("."))]
        for section in servers:
            own = about(results, section, check)
            of_server = any(each.snippet == section.snippet for each in results)
            if own or not of_server:
                row.append(verdict(*cell(own, runs)))
            else:
                row.append(verdict("no-such-check", "–"))  # noqa: RUF001
        rows.append(row)
    servers_shown = {section.snippet for section in servers}
    shown = [result for result in results if result.snippet in servers_shown]
    emulated = sorted({result.emulated for result in shown} - {""})
    notes = [nodes.paragraph("", f"Emulated: {text}.") for text in emulated]
    return [title, table(head, rows, ["grid", "checks"]), *notes, *remark_list(shown)]


def about(results: Sequence[Result], section: Section, check: str) -> list[Result]:
    """Return the results of *check* for the server of *section*."""
    return [
        result
        for result in results
        if result.snippet == section.snippet and result.check == check
    ]


def name_of(section: Section) -> addnodes.pending_xref:
    """Return the name of the server, a link; HTML may break it at underscores."""
    link = sheet.link_to_section(section)
    name = nodes.literal(classes=["xref"])
    for part in section.snippet.replace("_", "_ ").split(" "):
        name += [nodes.Text(part), nodes.raw("", "<wbr/>", format="html")]
    link.children.clear()
    link += name
    return link


def use_own_title(
    _app: Sphinx,
    env: BuildEnvironment,
    node: addnodes.pending_xref,
    content: nodes.TextElement,
) -> None:
    """Let a link to a section show the title that the section has on its page."""
    if node["reftype"] != "section":
        return
    section = sheet.of(env).section(node["reftarget"])
    if section is None or content.astext() != section.title:
        return
    label = env.domains.standard_domain.labels.get(section.anchor)
    if label and label[0] == section.docname:
        content.children[:] = [nodes.Text(label[2])]


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register the directives."""
    app.setup_extension("sheet")
    # before the event's other handler, which makes the link
    app.connect("missing-reference", use_own_title, priority=400)
    app.add_directive("at-a-glance", AtAGlance)
    app.add_directive("environments", Environments)
    app.add_directive("contract-grid", ContractGrid)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
