"""Writes llms.txt: where a program finds the Markdown of each page, by llmstxt.org."""

import re
from collections.abc import Iterator
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.typing import ExtensionMetadata

import sheet

FIRST = "first sentences"  # a key of env.metadata[docname]


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
    pages = [page for page, depth in sheet.in_order(env, root) if depth]
    chapters = [p for p in pages if sheet.SNIPPETS in env.metadata[p]]
    yield f"# {app.config.project}"
    yield ""
    yield f"> {' '.join(env.metadata[root][FIRST][:2])}"
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


def entry(app: Sphinx, page: str) -> str:
    """Return the line that leads to *page*."""
    title = escaped(app.env.titles[page].astext())
    address = f"{app.builder.get_target_uri(page)}.md"
    about = app.env.metadata[page][FIRST][:1]
    return f"- [{title}]({address})" + "".join(f": {sentence}" for sentence in about)


def note_first(app: Sphinx, doctree: nodes.document) -> None:
    """Note the sentences with which the first paragraph of a page begins."""
    text = ""
    for paragraph in doctree.findall(nodes.paragraph):
        text = escaped(" ".join(paragraph.astext().split()))
        break
    sentences = re.split(r"(?<=[.:]) (?=[A-Z])", text) if text else []
    app.env.metadata[app.env.docname][FIRST] = sentences[:2]


def escaped(text: str) -> str:
    """Return *text* without what Markdown would take for marks."""
    return re.sub(r"[\\`*\[\]<]", r"\\\g<0>", text)


def setup(app: Sphinx) -> ExtensionMetadata:
    """Write it once the pages are there."""
    app.setup_extension("sheet")
    app.setup_extension("markdown")
    app.connect("doctree-read", note_first)
    app.connect("build-finished", write)
    return {
        "env_version": 1,
        "parallel_read_safe": True,
        "parallel_write_safe": True,
    }
