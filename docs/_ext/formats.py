"""What the site's other formats, the single page and the EPUB, need to be right.

They are made by Sphinx's own builders from the pages that the site was built from
(docs/build.py says in which order). This mends what those leave wrong: links to what
only the site has, addresses that are there twice once the pages are one, and pages
of the EPUB that a builder which does not read them itself takes for up to date.
"""

import posixpath
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util.typing import ExtensionMetadata

import downloads

SINGLE = "singlehtml"
EPUB = "epub"
EPUB_STYLES = {"epub.css", "pygments.css"}  # Sphinx's own
TWO_ANCHORS = re.compile(r'href="#document-[^"#]*#([^"]*)"')  # Sphinx's, to a section
when_read: list[Callable[[], object]] = []  # what to call once the pages are read
SITE = ".."  # from the single page, which is in a folder of the site


def tell(app: Sphinx, _env: BuildEnvironment) -> None:
    """Tell docs/build.py that what was read is written, so that others can use it."""
    if app.builder.name == "html":
        for call in when_read:
            call()


def forget_outdated(app: Sphinx) -> None:
    """Remove the pages of the EPUB that are older than what was read of them.

    Sphinx compares them with the .rst file alone; but a snippet or the results may
    have changed, and the build of the site has read the page again for that. A page
    whose .rst file is gone would stay in the book.
    """
    if app.builder.name != EPUB:
        return
    for written in Path(app.outdir).rglob("*.xhtml"):
        page = written.relative_to(app.outdir)
        source = (Path(app.srcdir) / page).with_suffix(".rst")
        read = (Path(app.doctreedir) / page).with_suffix(".doctree")
        kept = source.exists() and read.exists()
        if not kept or written.stat().st_mtime < read.stat().st_mtime:
            written.unlink()


def leave_out_search(app: Sphinx) -> None:
    """Make no index of the words of the single page, which the browser searches."""
    if app.builder.name == SINGLE:
        app.builder.search = False  # type: ignore[attr-defined]


def leave_out_static(app: Sphinx) -> None:
    """Copy none of the site's own styles and scripts into the EPUB."""
    if app.builder.name == EPUB:
        app.config.html_static_path = []


def leave_out_links(
    app: Sphinx,
    _page: str,
    _template: str,
    context: dict[str, Any],
    _doctree: nodes.document | None,
) -> None:
    """Name in the head of a page only what there is beside it."""
    if app.builder.name == SINGLE:  # which has no index and no search
        context["hasdoc"] = app.env.all_docs.__contains__
        for part in ("body", "toc"):
            context[part] = TWO_ANCHORS.sub(r'href="#\1"', context[part])
    elif app.builder.name == EPUB:
        context["css_files"] = [
            css
            for css in context["css_files"]
            if posixpath.basename(css.filename) in EPUB_STYLES
        ]


def mend(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Mend the page *docname*, or the single page, before it is written."""
    if app.builder.name == SINGLE:
        make_unique(doctree)
        take_out_of_lists(doctree)
        lead_to_site(doctree)
        add_way_back(doctree)
    elif app.builder.name == EPUB:
        drop_links(app, doctree, docname)


def make_unique(doctree: nodes.document) -> None:
    """Give each address that several pages have the name of its page besides."""
    taken: set[str] = set()
    for page in doctree.findall(addnodes.start_of_file):
        elements = list(elements_of(page))
        new = {
            name: f"{page['docname'].replace('/', '-')}-{name}"
            for element in elements
            for name in element["ids"]
            if name in taken
        }
        for element in elements:
            element["ids"] = [new.get(name, name) for name in element["ids"]]
            if isinstance(element, nodes.reference) and element.get("refid") in new:
                element["refid"] = new[element["refid"]]
            taken.update(element["ids"])


def elements_of(page: nodes.Element) -> Iterator[nodes.Element]:
    """Yield what is within *page*, but for what is of another page within it."""
    for child in page.children:
        is_page = isinstance(child, addnodes.start_of_file)
        if isinstance(child, nodes.Element) and not is_page:
            yield child
            yield from elements_of(child)


def take_out_of_lists(doctree: nodes.document) -> None:
    """Let no page look like a table of contents, in whose place it is."""
    for box in doctree.findall(nodes.compound):
        if any(isinstance(child, addnodes.start_of_file) for child in box.children):
            box["classes"] = [name for name in box["classes"] if "toctree" not in name]


def lead_to_site(doctree: nodes.document) -> None:
    """Let each link to a file lead to the site's own."""
    for link in doctree.findall(nodes.Element):
        if is_file(link.get("refuri", "")):
            link["refuri"] = posixpath.join(SITE, link["refuri"])


def is_file(address: str) -> bool:
    """Tell whether *address* is on the site, and not on the page."""
    return bool(address) and not address.startswith("#") and ":" not in address


def add_way_back(doctree: nodes.document) -> None:
    """Say at the top what this page is, and where the others are."""
    line = nodes.paragraph("", "The whole sheet on one page. ", classes=["way-back"])
    line += nodes.reference("", "The site", refuri=f"{SITE}/index.html", internal=True)
    line += nodes.Text(" has search and a page for each chapter.")
    for section in doctree.findall(nodes.section):
        section.insert(1, line)
        return


def drop_links(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Take out the links to files that the EPUB does not have."""
    page = app.builder.get_target_uri(docname)
    pages = {app.builder.get_target_uri(name) for name in app.env.all_docs}
    for link in list(doctree.findall(nodes.Element)):
        address = link.get("refuri", "").partition("#")[0]
        target = posixpath.normpath(posixpath.join(posixpath.dirname(page), address))
        if not is_file(address) or target in pages:
            continue
        offered = isinstance(link, addnodes.download_reference)
        if offered or downloads.SOURCE_OF in link or downloads.TESTS_OF in link:
            link.parent.remove(link)
        else:
            link.replace_self(link.children)


def drop_copies(app: Sphinx, _exception: Exception | None) -> None:
    """Take out the copies of the snippets: the single page links to the site's."""
    if app.builder.name in (SINGLE, EPUB):
        shutil.rmtree(Path(app.outdir) / "snippets", ignore_errors=True)


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register what mends the pages, after all that adds links to them."""
    app.setup_extension("downloads")
    app.setup_extension("markdown")
    app.setup_extension("llms")
    app.setup_extension("archive")
    app.connect("env-check-consistency", tell, priority=900)
    app.connect("builder-inited", forget_outdated)
    app.connect("builder-inited", leave_out_search)
    app.connect("builder-inited", leave_out_static)
    app.connect("html-page-context", leave_out_links)
    app.connect("doctree-resolved", mend, priority=900)
    app.connect("build-finished", drop_copies, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
