"""Gives the page with the grids, and no other, the script that narrows them down."""

from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.typing import ExtensionMetadata

SCRIPT = "grid.js"


def add_script(
    app: Sphinx,
    _page: str,
    _template: str,
    _context: dict[str, Any],
    doctree: nodes.document | None,
) -> None:
    """Add the script where the page has a grid of checks; one of servers has none."""
    if doctree is not None and any(
        "grid" in table["classes"] and "which" not in table["classes"]
        for table in doctree.findall(nodes.table)
    ):
        app.add_js_file(SCRIPT, loading_method="defer")


def setup(app: Sphinx) -> ExtensionMetadata:
    """Look at each page just before it is written."""
    app.connect("html-page-context", add_script)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
