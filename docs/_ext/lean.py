"""Takes from a page the scripts and styles that it has no use for.

Where there is nothing to copy, those that copy listings: a fifth of what a first visit
loads. And everywhere what the theme has for extensions that this site does not use.
"""

import posixpath
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.typing import ExtensionMetadata

UNUSED = ("furo-extensions.css",)  # what it has for the copy button is in site.css
COPIES = ("clipboard.min.js", "copybutton.js", "copybutton.css")


def leave_out(
    _app: Sphinx,
    _page: str,
    _template: str,
    context: dict[str, Any],
    _doctree: nodes.document | None,
) -> None:
    """Leave out what is of no use on this page."""
    useless = UNUSED if "<pre" in context.get("body", "") else (*UNUSED, *COPIES)
    for files in ("script_files", "css_files"):
        context[files] = [
            each
            for each in context[files]
            if posixpath.basename(str(each.filename or "")) not in useless
        ]


def setup(app: Sphinx) -> ExtensionMetadata:
    """Look at each page just before it is written."""
    app.connect("html-page-context", leave_out, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
