"""Writes llms.txt: where a program finds the Markdown of each page, by llmstxt.org."""

import re
from collections.abc import Iterator
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util.typing import ExtensionMetadata

import sheet


def write(app: Sphinx, exception: Exception | None) -> None:
    """Write llms.txt into the site."""
    if exception or app.builder.name != "html":
        return
    path = Path(app.outdir) / "llms.txt"
    path.write_text("\n".join(lines(app)) + "\n", encoding="utf-8")


def lines(app: Sphinx) -> Iterator[str]:
    """Yield the lines: the title, what this is, the chapters, the files, the rest."""
    env = app.env
    current = sheet.of(env)
    root = app.config.root_doc
    pages = [page for page in in_order(env, root) if page != root]
    chapters = [p for p in pages if sheet.SNIPPETS in env.metadata[p]]
    yield f"# {app.config.project}"
    yield ""
    yield f"> {first_sentences(env.get_doctree(root), 2)}"
    yield ""
    yield "Each page has the whole of each listing, and the console text beside it."
    yield ""
    yield "## Chapters"
    yield ""
    for page in chapters:
        yield entry(app, page)
    yield ""
    yield "## Programs"
    yield ""
    for page in chapters:
        for snippet in env.metadata[page][sheet.SNIPPETS]:
            section = current.section(snippet)
            if section is not None:
                title = escaped(section.title)
                yield f"- [{snippet}.py](snippets/{snippet}.py): {title}"
    yield ""
    yield "## Optional"
    yield ""
    for page in [root, *pages]:
        if page not in chapters:
            yield entry(app, page)


def in_order(env: BuildEnvironment, page: str) -> list[str]:
    """Return *page* and all pages below it, as the tables of contents list them."""
    found = [page]
    for name in env.toctree_includes.get(page, []):
        found += [below for below in in_order(env, name) if below not in found]
    return found


def entry(app: Sphinx, page: str) -> str:
    """Return the line that leads to *page*."""
    title = escaped(app.env.titles[page].astext())
    address = f"{app.builder.get_target_uri(page)}.md"
    about = first_sentences(app.env.get_doctree(page), 1)
    return f"- [{title}]({address})" + (f": {about}" if about else "")


def first_sentences(doctree: nodes.document, number: int) -> str:
    """Return how the first paragraph of a page begins."""
    for paragraph in doctree.findall(nodes.paragraph):
        text = " ".join(paragraph.astext().split())
        return escaped(" ".join(re.split(r"(?<=[.:]) (?=[A-Z])", text)[:number]))
    return ""


def escaped(text: str) -> str:
    """Return *text* without what Markdown would take for marks."""
    return re.sub(r"[\\`*\[\]<]", r"\\\g<0>", text)


def setup(app: Sphinx) -> ExtensionMetadata:
    """Write it once the pages are there."""
    app.setup_extension("sheet")
    app.setup_extension("markdown")
    app.connect("build-finished", write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
