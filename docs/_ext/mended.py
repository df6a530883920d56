"""Mends the pages: what scrolls sideways gets the focus, source listings are valid.

The keyboard must reach listings and wide tables; and ``sphinx.ext.viewcode`` puts
``<div>`` into ``<pre>``, which HTML does not allow.
"""

import re
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.typing import ExtensionMetadata

SCROLLING = {
    "<pre>": '<pre tabindex="0">',
    '<div class="table-wrapper': '<div tabindex="0" class="table-wrapper',
}

LISTING = re.compile(r"<pre\b.*?</pre>", re.DOTALL)


def spans(listing: re.Match[str]) -> str:
    """Return the listing with ``<span>`` where it had ``<div>``."""
    return listing[0].replace("<div ", "<span ").replace("</div>", "</span>")


def mend(
    _app: Sphinx,
    _page: str,
    _template: str,
    context: dict[str, Any],
    _doctree: nodes.document | None,
) -> None:
    """Add ``tabindex`` to what has a scroll bar; take ``<div>`` from listings."""
    body = LISTING.sub(spans, context.get("body", ""))
    for plain, focusable in SCROLLING.items():
        body = body.replace(plain, focusable)
    if body:
        context["body"] = body


def setup(app: Sphinx) -> ExtensionMetadata:
    """Change each page just before it is written."""
    app.connect("html-page-context", mend)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
