"""Lets a build give what a build from nothing would give.

Sphinx compares what it has written with the .rst file alone. But a page is read again
for a snippet or for results, too; pages go; every page has the navigation in it, the
settings of conf.py and the addresses of styles; and all of it is made by the code here.
"""

import hashlib
import shutil
from collections.abc import Iterator
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.builders.html import StandaloneHTMLBuilder
from sphinx.config import Config
from sphinx.environment import CONFIG_OK, BuildEnvironment
from sphinx.util.typing import ExtensionMetadata

import sheet
import turns

HERE = Path(__file__).resolve().parent
COMMON = "in common"  # a file beside what was read: what all pages had in common
CODE = "_modules"  # the pages of source code, which viewcode compares with that alone


def note_code(_app: Sphinx, config: Config) -> None:
    """Have all pages read again where the extensions are not what they were."""
    config.made_by = digest_of(HERE.glob("*.py"))


def digest_of(files: Iterator[Path]) -> str:
    """Return a text that tells the content of *files*."""
    digest = hashlib.sha256()
    for file in sorted(files):
        digest.update(file.name.encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()


def forget_outdated(app: Sphinx) -> None:
    """Remove what is older than what was read, and what has no source."""
    for written, page in pages_in(app):
        source = Path(app.srcdir) / f"{page}.rst"
        read = Path(app.doctreedir) / f"{page}.doctree"
        kept = source.exists() and read.exists()
        if not kept or written.stat().st_mtime_ns < read.stat().st_mtime_ns:
            written.unlink()
            written.with_name(f"{written.name}.md").unlink(missing_ok=True)


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


def write_all(app: Sphinx, env: BuildEnvironment) -> list[str]:
    """Return all pages, if what they have in common is not as it was."""
    if app.builder.name != "html":
        return []
    path = Path(app.doctreedir) / COMMON
    now = in_common(app, env)
    same = path.exists() and path.read_text(encoding="utf-8") == now
    if same and env.config_status == CONFIG_OK:
        return []
    path.write_text(now, encoding="utf-8")
    shutil.rmtree(Path(app.outdir) / CODE, ignore_errors=True)
    return sorted(env.found_docs)


def in_common(app: Sphinx, env: BuildEnvironment) -> str:
    """Return a text that tells what is on every page: titles, settings, addresses."""
    pages = sheet.in_order(env, app.config.root_doc)
    titles = [(page, depth, env.titles[page].astext()) for page, depth in pages]
    of_html = app.config.filter(frozenset({"html"}))
    settings = sorted((value.name, repr(value.value)) for value in of_html)
    static = digest_of(Path(app.srcdir, "_static").glob("*"))
    return repr((titles, settings, static))


def setup(app: Sphinx) -> ExtensionMetadata:
    """Look once it is known what was read, and once it is read."""
    app.setup_extension("sheet")
    app.add_config_value("made_by", "", "env", types=frozenset({str}))
    app.connect("config-inited", note_code)
    app.connect("builder-inited", forget_outdated)
    app.connect("env-updated", write_all)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
