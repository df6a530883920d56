"""Serves each snippet that a page shows and its tests, and links to them.

They are in the site as they are in the project: snippets/NAME.py, and
snippets/tests/test_NAME.py.
"""

import shutil
from pathlib import Path

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.util.osutil import relative_uri
from sphinx.util.typing import ExtensionMetadata

import sheet

SOURCE_OF = "source-of"  # the attributes of links that wait for their address
TESTS_OF = "tests-of"


def links(snippet: str) -> list[nodes.Node]:
    """Return the links to file, source and tests; the builder gives addresses."""
    file = f"snippets/{snippet}.py"
    download = addnodes.download_reference("", "", reftarget=file)
    download += [nodes.Text("Download "), nodes.literal("", f"{snippet}.py")]
    source = nodes.reference("", "Source", **{SOURCE_OF: snippet}, refuri="")
    tests = nodes.reference("", "Tests", **{TESTS_OF: snippet}, refuri="")
    return [download, nodes.Text(" "), source, nodes.Text(" "), tests]


def add_addresses(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Give the links of a page their addresses; take out those without one."""
    in_html = app.builder.format == "html"
    if in_html:
        page = app.builder.get_target_uri(docname)
        for download in doctree.findall(addnodes.download_reference):
            if download["reftarget"].startswith("snippets/"):
                download["refuri"] = relative_uri(page, download["reftarget"])
    for source in list(doctree.findall(nodes.reference)):
        if SOURCE_OF not in source:
            continue
        snippet = source[SOURCE_OF]
        if app.config.snippets_at:
            source["refuri"] = f"{app.config.snippets_at}/{snippet}.py"
        elif in_html:
            source["internal"] = True
            source["refuri"] = app.builder.get_relative_uri(
                docname, f"_modules/{snippet}"
            )
        else:  # viewcode has no page to link to
            source.parent.remove(source)
    for tests in list(doctree.findall(nodes.reference)):
        if TESTS_OF not in tests:
            continue
        path = f"tests/test_{tests[TESTS_OF]}.py"
        if app.config.snippets_at:
            tests["refuri"] = f"{app.config.snippets_at}/{path}"
        elif in_html:
            tests["internal"] = True
            tests["refuri"] = relative_uri(page, f"snippets/{path}")
        else:
            tests.parent.remove(tests)


def copy_files(app: Sphinx, exception: Exception | None) -> None:
    """Copy the snippets that the pages show into the site."""
    if exception or app.builder.format != "html":
        return
    root, site = sheet.of(app.env).root, Path(app.outdir)
    (site / "snippets" / "tests").mkdir(parents=True, exist_ok=True)
    for metadata in app.env.metadata.values():
        for snippet in metadata.get(sheet.SNIPPETS, {}):
            for name in (f"{snippet}.py", f"tests/test_{snippet}.py"):
                if (root / "snippets" / name).exists():
                    shutil.copyfile(root / "snippets" / name, site / "snippets" / name)


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register what gives the addresses and what copies the files."""
    app.setup_extension("sheet")
    # where the snippets can be seen at the commit that was built; "" for nowhere
    app.add_config_value("snippets_at", "", "html", types=frozenset({str}))
    app.connect("doctree-resolved", add_addresses)
    app.connect("build-finished", copy_files)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
