"""What the EPUB needs to be right, which is made of the pages of the site.

Sphinx's own builder makes it of what the site's build has read (docs/build.py says in
which order). This mends what that leaves wrong: links to what only the site has, and
its styles and files.
"""

import posixpath
import shutil
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.util.typing import ExtensionMetadata

import downloads

EPUB = "epub"
EPUB_STYLES = {"epub.css", "pygments.css"}  # Sphinx's own


def leave_out_static(app: Sphinx) -> None:
    """Copy none of the site's own styles and scripts into the EPUB."""
    if app.builder.name == EPUB:
        app.config.html_static_path = []


def leave_out_styles(
    app: Sphinx,
    _page: str,
    _template: str,
    context: dict[str, Any],
    _doctree: nodes.document | None,
) -> None:
    """Name in the head of a page of the EPUB only what there is beside it."""
    if app.builder.name == EPUB:
        context["css_files"] = [
            css
            for css in context["css_files"]
            if posixpath.basename(css.filename) in EPUB_STYLES
        ]


def drop_links(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Take out the links to files that the EPUB does not have."""
    if app.builder.name != EPUB:
        return
    page = app.builder.get_target_uri(docname)
    pages = {app.builder.get_target_uri(name) for name in app.env.all_docs}
    for link in list(doctree.findall(nodes.Element)):
        address = link.get("refuri", "").partition("#")[0]
        target = posixpath.normpath(posixpath.join(posixpath.dirname(page), address))
        is_file = address and not address.startswith("#") and ":" not in address
        if not is_file or target in pages:
            continue
        offered = isinstance(link, addnodes.download_reference)
        if offered or downloads.SOURCE_OF in link or downloads.TESTS_OF in link:
            link.parent.remove(link)
        else:
            link.replace_self(link.children)


def drop_copies(app: Sphinx, _exception: Exception | None) -> None:
    """Take out the copies of the snippets, to which nothing links there."""
    if app.builder.name == EPUB:
        shutil.rmtree(Path(app.outdir) / "snippets", ignore_errors=True)


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register what mends the pages, after all that adds links to them."""
    app.setup_extension("downloads")
    app.setup_extension("fresh")
    app.connect("builder-inited", leave_out_static)
    app.connect("html-page-context", leave_out_styles)
    app.connect("doctree-resolved", drop_links, priority=900)
    app.connect("build-finished", drop_copies, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
