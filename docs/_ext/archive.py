"""Writes snippets.zip into the site: every file that a page shows, to run offline.

The same files give the same bytes: the members are sorted and have a fixed date.
"""

import ast
import zipfile
from collections.abc import Iterator
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.util.typing import ExtensionMetadata

import sheet
from sections import Section

NAME = "snippets.zip"
FOLDER = "python-socket-snippets"  # that it unpacks to
DATE = (1980, 1, 1, 0, 0, 0)  # the first that a ZIP file can tell
README = """\
{project}: its files
{line}

Each file runs alone, with CPython 3.11 or newer and nothing else, but for
af_alg_benchmark.py, which needs the package cryptography. In this folder:

    python3 snippets/tcp_echo_server.py

--help says what else it takes, the head of the file what it does not do. The files
that need a certificate, root or another system say so, too.

Version {version}, under the licence in LICENSE.

"""


def write(app: Sphinx, exception: Exception | None) -> None:
    """Write the archive into the site."""
    if exception or app.builder.name != "html":
        return
    with zipfile.ZipFile(Path(app.outdir) / NAME, "w") as archive:
        for name, content in sorted(members(app)):
            info = zipfile.ZipInfo(f"{FOLDER}/{name}", DATE)
            info.create_system = 3  # UNIX, whatever this machine is
            info.external_attr = 0o644 << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, content)


def members(app: Sphinx) -> Iterator[tuple[str, bytes]]:
    """Yield the name and the content of each file."""
    current = sheet.of(app.env)
    shown = {
        snippet
        for metadata in app.env.metadata.values()
        for snippet in metadata.get(sheet.SNIPPETS, {})
    }
    sections = [section for section in current.written if section.snippet in shown]
    files = {s: current.root / "snippets" / f"{s.snippet}.py" for s in sections}
    for path in files.values():
        yield f"snippets/{path.name}", path.read_bytes()
    licence = current.root / "LICENSE"
    if licence.is_file():
        yield licence.name, licence.read_bytes()
    yield "README.txt", readme(app, files).encode()


def readme(app: Sphinx, files: dict[Section, Path]) -> str:
    """Return what there is and how to run it."""
    title = f"{app.config.project}: its files"
    text = README.format(
        project=app.config.project, line="=" * len(title), version=app.config.version
    )
    for section, path in files.items():
        text += f"{path.name}\n    {section.title}: {summary(path)}\n"
    return text


def summary(path: Path) -> str:
    """Return the first line of the docstring of *path*; nothing if it is no Python."""
    try:
        module = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError):  # of which the index of names warns
        return ""
    return (ast.get_docstring(module) or "").partition("\n")[0]


def setup(app: Sphinx) -> ExtensionMetadata:
    """Write it once the pages are there."""
    app.setup_extension("sheet")
    app.connect("build-finished", write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
