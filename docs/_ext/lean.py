"""Takes from a page the scripts and styles that it has no use for.

Where there is nothing to copy, those that copy listings: a fifth of what a first visit
loads. And everywhere what the theme has for extensions that this site does not use.
"""

import posixpath
import re
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.typing import ExtensionMetadata

NEVER = re.compile(r"(?!)")
LISTING = re.compile("<pre")
# What must be on a page for which a script or a style is of use.
USED_BY = {
    "furo-extensions.css": NEVER,  # what it has for the copy button is in site.css
    "clipboard.min.js": LISTING,
    "copybutton.js": LISTING,
    "copybutton.css": LISTING,
    "grid.js": re.compile(r'<table class="[^"]*\bchecks\b'),
    "measured.css": re.compile(r' class="[^"]*\b(?:measured|not-measured|evidence)\b'),
}


def leave_out(
    _app: Sphinx,
    _page: str,
    _template: str,
    context: dict[str, Any],
    _doctree: nodes.document | None,
) -> None:
    """Leave out what is of no use on this page."""
    body = context.get("body", "")
    useless = {name for name, used in USED_BY.items() if not used.search(body)}
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
