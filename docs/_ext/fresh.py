"""Removes what was written of a page that has been read again since, or is gone.

Sphinx compares what it has written with the .rst file alone. But a page is read again
for a snippet or for results, too; and then it is not written again by a builder that
was interrupted before, or by one that leaves the reading to another.
"""

from collections.abc import Iterator
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.builders.html import StandaloneHTMLBuilder
from sphinx.util.typing import ExtensionMetadata

import turns


def forget_outdated(app: Sphinx) -> None:
    """Remove what is older than what was read, and what has no source."""
    for written, page in pages_in(app):
        source = Path(app.srcdir) / f"{page}.rst"
        read = Path(app.doctreedir) / f"{page}.doctree"
        kept = source.exists() and read.exists()
        if not kept or written.stat().st_mtime_ns < read.stat().st_mtime_ns:
            written.unlink()


def pages_in(app: Sphinx) -> Iterator[tuple[Path, str]]:
    """Yield the files of the builder that may be pages, and the pages' names.

    Where another builder has read the pages, what was a page is not known any more:
    there it is every file, of which Sphinx writes the indices anew in any case.
    """
    if not isinstance(app.builder, StandaloneHTMLBuilder):
        return
    root = Path(app.outdir)
    for path in root.rglob(f"*{app.builder.out_suffix}"):
        page = path.relative_to(root).as_posix().removesuffix(app.builder.out_suffix)
        if page in app.env.all_docs or turns.already_read():
            yield path, page


def setup(app: Sphinx) -> ExtensionMetadata:
    """Look once it is known what was read."""
    app.connect("builder-inited", forget_outdated)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
