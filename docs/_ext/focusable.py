"""Lets the keyboard reach what scrolls sideways: listings and wide tables."""

from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.typing import ExtensionMetadata

SCROLLING = {
    "<pre>": '<pre tabindex="0">',
    '<div class="table-wrapper': '<div tabindex="0" class="table-wrapper',
}


def make_focusable(
    _app: Sphinx,
    _page: str,
    _template: str,
    context: dict[str, Any],
    _doctree: nodes.document | None,
) -> None:
    """Add ``tabindex`` to the elements of a page that have a scroll bar."""
    body = context.get("body", "")
    for plain, focusable in SCROLLING.items():
        body = body.replace(plain, focusable)
    if body:
        context["body"] = body


def setup(app: Sphinx) -> ExtensionMetadata:
    """Change each page just before it is written."""
    app.connect("html-page-context", make_focusable)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
