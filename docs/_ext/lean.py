"""Takes from a page the script that it has no use for: the one that copies listings.

It and its style are a fifth of what a first visit loads.
"""

import posixpath
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.typing import ExtensionMetadata

COPIES = ("clipboard.min.js", "copybutton.js", "copybutton.css")


def leave_out(
    _app: Sphinx,
    _page: str,
    _template: str,
    context: dict[str, Any],
    _doctree: nodes.document | None,
) -> None:
    """Leave it out where there is nothing to copy."""
    if "<pre" in context.get("body", ""):
        return
    for files in ("script_files", "css_files"):
        context[files] = [
            each
            for each in context[files]
            if posixpath.basename(str(each.filename or "")) not in COPIES
        ]


def setup(app: Sphinx) -> ExtensionMetadata:
    """Look at each page just before it is written."""
    app.connect("html-page-context", leave_out, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
