"""Mends the pages: focus for what scrolls sideways, valid listings, a description.

The keyboard must reach listings and wide tables; and ``sphinx.ext.viewcode`` puts
``<div>`` into ``<pre>``, which HTML does not allow.
"""

import html
import re
import textwrap
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.typing import ExtensionMetadata

SCROLLING = {
    "<pre>": '<pre tabindex="0">',
    '<div class="table-wrapper': '<div tabindex="0" class="table-wrapper',
}

DESCRIPTION = 155  # characters that a search engine shows
LISTING = re.compile(r"<pre\b.*?</pre>", re.DOTALL)


def spans(listing: re.Match[str]) -> str:
    """Return the listing with ``<span>`` where it had ``<div>``."""
    return listing[0].replace("<div ", "<span ").replace("</div>", "</span>")


def mend(
    app: Sphinx,
    _page: str,
    _template: str,
    context: dict[str, Any],
    doctree: nodes.document | None,
) -> None:
    """Add ``tabindex`` to what has a scroll bar; take ``<div>`` from listings."""
    body = LISTING.sub(spans, context.get("body", ""))
    for plain, focusable in SCROLLING.items():
        body = body.replace(plain, focusable)
    if body:
        context["body"] = body
    words = describe(doctree) or context.get("about") or app.config.project
    tag = f'<meta name="description" content="{html.escape(words)}" />'
    context["metatags"] = context.get("metatags", "") + tag


def describe(doctree: nodes.document | None) -> str:
    """Return the first paragraph of a page, for those who list it; it has no markup."""
    for paragraph in doctree.findall(nodes.paragraph) if doctree else ():
        return textwrap.shorten(paragraph.astext(), DESCRIPTION, placeholder=" ...")
    return ""


def setup(app: Sphinx) -> ExtensionMetadata:
    """Change each page just before it is written."""
    app.connect("html-page-context", mend)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
