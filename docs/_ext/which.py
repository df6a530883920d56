"""The directive ``server-table``: which server to choose, by what its tests found.

Platform and encryption come from docs/sections.toml, the rest from the results of
the contract checks: a promise is shown for the check that holds it, and as far as that
check was run. Limits are what no check can tell; the directive's fields name them::

    .. server-table::

       :tcp_echo_server: one silent client keeps all others waiting
"""

import re
from collections.abc import Mapping, Sequence

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective
from sphinx.util.typing import ExtensionMetadata

import sheet
from overview import name_of
from results import Result
from sections import Section
from status import table, verdict
from summary import NOT_RUN
from summary import verdict as worst

Promises = Sequence[tuple[re.Pattern[str], str]]

HEAD = (
    *("Server", "Clients at a time", "Platform", "Encrypted"),
    *("Checks passed", "Idle clients", "Limits"),
)
# The sentence of a check, and what it means; the first that a server has counts.
CLIENTS: Promises = (
    (re.compile(r"([\d,]+) clients at once get each its own"), "{} tried"),
    (re.compile(r"([\d,]+) clients get each its own datagrams"), "{} tried"),
    (re.compile(r"A second client waits and is then served"), "one"),
)
IDLE: Promises = (
    (re.compile(r"([\d,]+) idle clients take no CPU time"), "{}: no CPU time"),
    (re.compile(r"It takes no CPU time while nobody is connected"), "no CPU time"),
)

logger = logging.getLogger(__name__)


class ServerTable(SphinxDirective):
    """A row for each server that has a contract."""

    has_content = True

    def run(self) -> list[nodes.Node]:
        """Return the table."""
        sheet.note_shown(self.env, None)
        current = sheet.of(self.env)
        limits = self.limits()
        rows = []
        for section in servers(current.written):
            limit = limits.pop(section.snippet, None)
            if limit is None:
                self.warn(f"no limits are told of {section.snippet}: add a field")
            own = contract_results(current.summary(section).counted)
            rows.append(row(section, own, limit or [nodes.Text("")]))
        for name in limits:
            self.warn(f"{name} is no server of docs/sections.toml: take its field out")
        head: list[nodes.Node] = [nodes.Text(text) for text in HEAD]
        return [table(head, rows, ["grid", "which"])]

    def limits(self) -> dict[str, list[nodes.Node]]:
        """Return the text of each field."""
        found: dict[str, list[nodes.Node]] = {}
        for field in (
            field
            for node in self.parse_content_to_nodes()
            for field in node.findall(nodes.field)
        ):
            name, body = field.children
            paragraph = next(iter(body.findall(nodes.paragraph)), nodes.paragraph())
            found[name.astext()] = [nodes.inline("", "", *paragraph.children)]
        return found

    def warn(self, message: str) -> None:
        """Warn of the directive."""
        logger.warning("%s", message, location=self.get_location())


def servers(sections: Sequence[Section]) -> list[Section]:
    """Return the sections whose snippet serves clients."""
    kinds = ("stream", "datagram")
    return [
        each for each in sections if any(c.startswith(kinds) for c in each.contract)
    ]


def contract_results(results: Sequence[Result]) -> list[Result]:
    """Return the results of contract checks among *results*."""
    return [result for result in results if result.kind == "contract"]


def row(
    section: Section, results: Sequence[Result], limit: Sequence[nodes.Node]
) -> list[nodes.Node]:
    """Return the cells of a server."""
    return [
        name_of(section),
        promise(results, CLIENTS),
        nodes.Text(section.platform),
        nodes.Text("TLS" if "tls" in section.contract else "no"),
        checks_passed(section, results),
        promise(results, IDLE),
        *limit,
    ]


def promise(results: Sequence[Result], promises: Promises) -> nodes.Node:
    """Return what the first of *promises* says that a check is about."""
    for pattern, text in promises:
        for result in results:
            match = pattern.match(result.check)
            if match:
                outcome = worst(r for r in results if r.check == result.check)
                said = text.format(*match.groups())
                if outcome == "passed":
                    return nodes.Text(said)
                return verdict(outcome, f"{said}: {outcome}")
    return verdict(NOT_RUN, NOT_RUN)


def checks_passed(section: Section, results: Sequence[Result]) -> nodes.Node:
    """Return how many of all checks of the server's contracts passed."""
    passed, total = tally(section, results)
    if not results:
        return verdict(NOT_RUN, NOT_RUN)
    outcome = worst(results)
    if outcome == "passed" and passed < total:
        outcome = "passed in part"
    emulated = " (emulated)" if any(result.emulated for result in results) else ""
    return verdict(outcome, f"{passed} of {total}{emulated}")


def tally(section: Section, results: Sequence[Result]) -> tuple[int, int]:
    """Return how many checks passed wherever they ran, and how many there are."""
    outcomes: Mapping[tuple[str, str], str] = {
        (result.contract, result.check): worst(
            other
            for other in results
            if (other.contract, other.check) == (result.contract, result.check)
        )
        for result in results
    }
    passed = sum(outcome == "passed" for outcome in outcomes.values())
    not_run = 0
    for contract in section.contract:
        own = [result for result in results if result.contract == contract]
        run = {result.check for result in own if result.checks}
        not_run += max((result.checks for result in own), default=0) - len(run)
    return passed, len(outcomes) + not_run


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register the directive."""
    app.setup_extension("sheet")
    app.add_directive("server-table", ServerTable)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
