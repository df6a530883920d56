"""What all the site's extensions share: the sections, the results, who shows what.

A page that shows results is read again when what it shows has changed, and only
then: each such page keeps a fingerprint of it in ``env.metadata``, which Sphinx
itself clears, merges and saves.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.errors import ConfigError
from sphinx.util import logging
from sphinx.util.nodes import make_refnode
from sphinx.util.typing import ExtensionMetadata

import results
import sections
import turns
from results import Results
from sections import Section, SectionsError
from summary import Summary, summarise

SNIPPETS = "shown snippets"  # keys of env.metadata[docname]
FINGERPRINT = "fingerprint of the results"

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Sheet:
    """The project at *root*, as it was when the build began."""

    root: Path
    sections: tuple[Section, ...]
    results: Results

    @property
    def written(self) -> list[Section]:
        """The sections that are there."""
        return [section for section in self.sections if not section.to_come]

    def section(self, snippet: str) -> Section | None:
        """Return the section that shows *snippet*."""
        found = [section for section in self.sections if section.snippet == snippet]
        return found[0] if found else None

    def summary(self, section: Section) -> Summary:
        """Return what the results say about *section*."""
        return summarise(self.results.of_snippets, section)

    @cached_property
    def states(self) -> dict[str, str]:
        """A text for each snippet that changes with what there is to show of it."""
        return {
            section.snippet: repr((section, self.summary(section)))
            for section in self.sections
        }

    def snippet_at(self, path: str | None) -> str | None:
        """Return the name of the snippet that *path* is, if it is one."""
        file = Path(path or "")
        is_snippet = file.parent == self.root / "snippets" and file.suffix == ".py"
        return file.stem if is_snippet else None


_sheets: WeakKeyDictionary[BuildEnvironment, Sheet] = WeakKeyDictionary()


def of(env: BuildEnvironment) -> Sheet:
    """Return the sheet that *env* builds."""
    return _sheets[env]


def load(app: Sphinx) -> None:
    """Read the files, and say which of them cannot be used."""
    root = Path(app.srcdir).resolve().parent
    try:
        listed = sections.read(Path(app.srcdir) / "sections.toml")
    except SectionsError as error:
        raise ConfigError(str(error)) from None
    found = results.read(root / "build" / "results", root)
    for damage in found.damaged if not turns.already_read() else ():
        logger.warning(
            "%s says nothing on this site: %s; run nox -s tests again or delete it",
            damage.path,
            damage.reason,
            type="results",
        )
    _sheets[app.env] = Sheet(root, listed, found)


def note_shown(env: BuildEnvironment, snippets: dict[str, str] | None) -> None:
    """Note that the page being read shows the results of *snippets*, or of all.

    *snippets* maps each to the anchor of its section.
    """
    metadata = env.metadata[env.docname]
    if snippets is not None:
        metadata[SNIPPETS] = snippets
    metadata[FINGERPRINT] = fingerprint(env, snippets)


def fingerprint(env: BuildEnvironment, snippets: Iterable[str] | None) -> str:
    """Return a text that changes with what there is to show of *snippets*."""
    sheet = of(env)
    shown: list[object] = [
        state
        for snippet, state in sheet.states.items()
        if snippets is None or snippet in snippets
    ]
    if snippets is None:
        pages = {section.docname for section in sheet.sections} & env.found_docs
        shown += [sorted(pages), sheet.results.other_failures, sheet.results.damaged]
    return hashlib.sha256(repr(shown).encode()).hexdigest()


def shows_others(env: BuildEnvironment, metadata: dict[str, Any]) -> bool:
    """Tell whether a page shows other results than there are now."""
    return FINGERPRINT in metadata and (
        metadata[FINGERPRINT] != fingerprint(env, metadata.get(SNIPPETS))
    )


def in_order(env: BuildEnvironment, root: str) -> list[tuple[str, int]]:
    """Return *root* and all pages below it, as the tables of contents list them.

    Each comes with the number of pages that it is below.
    """
    found = {root: 0}

    def add(page: str, depth: int) -> None:
        for below in env.toctree_includes.get(page, []):
            if below not in found:
                found[below] = depth
                add(below, depth + 1)

    add(root, 1)
    return list(found.items())


def link_to_section(section: Section) -> addnodes.pending_xref:
    """Return a link to *section*, resolved once all pages are read."""
    return addnodes.pending_xref(
        "",
        nodes.inline("", section.title),
        refdomain="",
        reftype="section",
        reftarget=section.snippet,
    )


def resolve(
    app: Sphinx,
    env: BuildEnvironment,
    node: addnodes.pending_xref,
    content: nodes.TextElement,
) -> nodes.TextElement | None:
    """Resolve the links that ``link_to_section`` made.

    A section that no page shows is not linked; the extension ``status`` warns of it.
    """
    if node["reftype"] != "section":
        return None
    for docname, metadata in env.metadata.items():
        anchor = metadata.get(SNIPPETS, {}).get(node["reftarget"])
        if anchor:
            return make_refnode(app.builder, node["refdoc"], docname, anchor, content)
    return content


def setup(app: Sphinx) -> ExtensionMetadata:
    """Read the sheet before the pages."""
    app.connect("builder-inited", load)
    turns.read_again_where(app, shows_others)
    app.connect("missing-reference", resolve)
    return {
        "env_version": 1,
        "parallel_read_safe": True,
        "parallel_write_safe": True,
    }
