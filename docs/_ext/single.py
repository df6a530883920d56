"""Writes the single page, ``single/index.html``: the whole site for Ctrl-F and paper.

It is put together from what is written of each page, which is kept for it, so that one
changed page does not cost the rendering of all. What has to be changed for it are
links, which lead to the page itself instead of to another; addresses that several pages
have; and the levels of the headings. It is done in the text of what Sphinx, docutils
and Pygments write, for the attributes by which they name addresses.
"""

import posixpath
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util.typing import ExtensionMetadata

import sheet

PAGE = "single/index"
SITE = ".."  # from the single page, which is in a folder of the site
KEPT = "bodies"  # a folder beside what was read of the pages
LEFT_OUT = {"formats"}  # which leads from the other pages to this one
WAY_BACK = (
    '<p class="way-back">The whole sheet on one page. '
    f'<a class="reference internal" href="{SITE}/index.html">The site</a>'
    " has search and a page for each chapter.</p>"
)
DEEPEST = 6  # of HTML's headings

# In what Sphinx writes, a quotation mark outside of a tag is &quot;.
ADDRESS = re.compile(r' (?P<attribute>href|src|srcset)="(?P<value>[^"]*)"')
NAME = re.compile(r' (?P<attribute>id|for)="(?P<value>[^"]*)"')
HEADING = re.compile(r"<(?P<slash>/?)h(?P<level>[1-6])\b")
ELSEWHERE = re.compile(r"[a-z][a-z0-9+.-]*:|//")


@dataclass(frozen=True)
class Part:
    """What is written of *page*, which is *depth* pages below the first."""

    page: str
    depth: int
    body: str


class Joined:
    """The single page that has *parts*."""

    def __init__(self, parts: Sequence[Part]) -> None:
        self.parts = parts
        self.pages = {part.page for part in parts}
        self.renamed: dict[tuple[str, str], str] = {}
        taken: set[str] = set()
        for part in parts:
            own = {match["value"] for match in NAME.finditer(part.body)}
            for name in own & taken:
                new = f"{part.page.replace('/', '-')}-{name}"
                self.renamed[part.page, name] = new
            taken |= {self.renamed.get((part.page, name), name) for name in own}

    @property
    def body(self) -> str:
        """All parts, one below the other."""
        return "".join(map(self.moved, self.parts))

    def moved(self, part: Part) -> str:
        """Return what is written of a page as it is on the single one."""

        def deeper(heading: re.Match[str]) -> str:
            level = min(int(heading["level"]) + part.depth, DEEPEST)
            return f"<{heading['slash']}h{level}"

        def renamed(name: re.Match[str]) -> str:
            new = self.renamed.get((part.page, name["value"]), name["value"])
            return f' {name["attribute"]}="{new}"'

        body = HEADING.sub(deeper, NAME.sub(renamed, part.body))
        return f'<span id="document-{part.page}"></span>{self.led(body, part.page)}'

    def led(self, text: str, page: str) -> str:
        """Return *text*, which was written for *page*, with links for this one."""
        return ADDRESS.sub(
            lambda m: f' {m["attribute"]}="{self.address(m["value"], page)}"', text
        )

    def address(self, address: str, page: str) -> str:
        """Return what leads from here to where *address* leads from *page*."""
        if ELSEWHERE.match(address):
            return address
        path, _, anchor = address.partition("#")
        target = posixpath.join(posixpath.dirname(page), path) if path else page
        target = posixpath.normpath(target).removesuffix(".html")
        if target == PAGE:
            return address if page == PAGE else f"#document-{self.parts[0].page}"
        if target in self.pages:
            name = self.renamed.get((target, unquote(anchor)), anchor)
            return f"#{name or f'document-{target}'}"
        target = posixpath.join(SITE, posixpath.dirname(page), path)
        return posixpath.normpath(target) + (anchor and f"#{anchor}")


def keep(
    app: Sphinx,
    page: str,
    _template: str,
    context: dict[str, Any],
    doctree: nodes.document | None,
) -> None:
    """Keep what is written of a page."""
    if app.builder.name == "html" and doctree is not None:
        path = kept_at(app.env, page)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(context["body"], encoding="utf-8")


def kept_at(env: BuildEnvironment, page: str) -> Path:
    """Return where it is kept what is written of *page*."""
    return Path(env.doctreedir) / KEPT / f"{page}.html"


def outdated(
    app: Sphinx,
    env: BuildEnvironment,
    _added: set[str],
    _changed: set[str],
    _removed: set[str],
) -> list[str]:
    """Return the pages of which nothing is kept: they must be written again."""
    if app.builder.name != "html":
        return []
    return [page for page in env.all_docs if not kept_at(env, page).exists()]


def join(app: Sphinx) -> Iterator[tuple[str, dict[str, Any], str]]:
    """Yield the single page, once all others are written."""
    if app.builder.name != "html":
        return
    joined = Joined(
        [
            Part(page, depth, kept_at(app.env, page).read_text(encoding="utf-8"))
            for page, depth in sheet.in_order(app.env, app.config.root_doc)
            if page not in LEFT_OUT
        ]
    )
    title, end, rest = joined.body.partition("</h1>")
    context = {
        "title": "The whole sheet on one page",
        "about": f"{app.config.html_title}: every section, listing and transcript.",
        "body": f"{title}{end}{WAY_BACK}{rest}",
        "parents": [],
        "joined": joined,
    }
    yield PAGE, context, "page.html"


def lead(
    _app: Sphinx,
    page: str,
    _template: str,
    context: dict[str, Any],
    _doctree: nodes.document | None,
) -> None:
    """Give the single page tables of contents that lead to its parts."""
    if page != PAGE:
        return
    joined: Joined = context["joined"]
    contents = context["toctree"](collapse=False, includehidden=True, maxdepth=-1)
    context["toc"] = joined.led(contents, PAGE)
    context["furo_hide_toc"] = False
    tree = context.get("furo_navigation_tree", "")
    context["furo_navigation_tree"] = joined.led(tree, PAGE)


def setup(app: Sphinx) -> ExtensionMetadata:
    """Keep what all other extensions have made of a page; join it in the end."""
    app.setup_extension("sheet")
    app.connect("env-get-outdated", outdated)
    app.connect("html-page-context", keep, priority=950)
    app.connect("html-page-context", lead, priority=950)
    app.connect("html-collect-pages", join)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
