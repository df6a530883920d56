"""Warns of each console block of the site that no test runs; groups the others.

The tests find the console blocks by reading the pages as text (support.pages); the
reader sees what Sphinx makes of the pages. Here the two are compared, so that no block
goes untested for the way in which it is written: in a list, in an included file, in a
docstring, or as a literal block of no language.
"""

import sys
from pathlib import Path

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.typing import ExtensionMetadata

sys.path.append(str(Path(__file__).resolve().parents[2] / "snippets" / "tests"))

from support.pages import PROMPT, PageError, parse

# The names that Pygments has for the sessions of shells.
CONSOLES = {"console", "shell-session", "doscon", "pwsh-session", "ps1con", "tcshcon"}

logger = logging.getLogger(__name__)


def check_consoles(app: Sphinx, doctree: nodes.document) -> None:
    """Warn of each console block of the page that is not in its transcripts."""
    blocks = consoles(doctree, app.config.highlight_language)
    if not blocks:
        return
    try:
        run = lines_run(app.env.doc2path(app.env.docname))
    except PageError as error:
        logger.warning("%s", error)
        return
    for block in blocks:
        lines = tuple(line.rstrip() for line in block.astext().rstrip().split("\n"))
        if lines in run:
            run.remove(lines)  # the same lines, shown again, need a block of their own
            continue
        logger.warning(
            "this console block is run by no test: write `.. code-block:: console`"
            " at the margin of a section of the page, or take the block out",
            location=block,
        )


def put_side_by_side(app: Sphinx, doctree: nodes.document, _docname: str) -> None:
    """Group consoles that follow each other, for the style sheet to place."""
    if app.builder.format != "html":
        return
    for first in list(doctree.findall(is_named_console)):
        parent = first.parent
        if "consoles" in parent.get("classes", ()):
            continue  # it is in the group of one before it
        start = end = parent.index(first)
        while end < len(parent) and is_named_console(parent[end]):
            end += 1
        if end - start > 1:
            group = nodes.container(classes=["consoles"])
            group += parent[start:end]
            parent[start:end] = [group]


def is_named_console(node: nodes.Node) -> bool:
    """Tell whether *node* is a console block with its caption."""
    return (
        isinstance(node, nodes.container)
        and bool(node.get("literal_block"))
        and any(
            isinstance(child, nodes.literal_block) and child.get("language") in CONSOLES
            for child in node
        )
    )


def consoles(doctree: nodes.document, language: str) -> list[nodes.literal_block]:
    """Return the blocks that look like a console; *language* is that of all others."""
    found = []
    for node in doctree.findall():
        if isinstance(node, addnodes.highlightlang):
            language = node["lang"]
        elif isinstance(node, nodes.literal_block):
            lines = node.astext().split("\n")
            is_console = node.get("language", language).lower() in CONSOLES
            if is_console or any(line.startswith(PROMPT) for line in lines):
                found.append(node)
    return found


def lines_run(path: Path) -> list[tuple[str, ...]]:
    """Return the lines of each console block of the page *path* that the tests run."""
    return [block.lines for section in parse(path) for block in section.blocks]


def setup(app: Sphinx) -> ExtensionMetadata:
    """Check each page when it is read, and group its consoles when it is written."""
    app.connect("doctree-read", check_consoles)
    app.connect("doctree-resolved", put_side_by_side)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
