"""The directive ``snippet-reference``: autodoc of the snippets, in the sheet's order.

A new section thereby gets its reference by its row in docs/sections.toml. With the
name of a chapter it shows the snippets of that chapter: a page for each of them is
quicker to build than one for all, since it is read again for each change of a snippet.
"""

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from sphinx.util.typing import ExtensionMetadata

import sheet
from sections import Section


class SnippetReference(SphinxDirective):
    """A section for each snippet: where it is shown, and its docstrings."""

    optional_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Return the sections."""
        current = sheet.of(self.env)
        self.env.note_dependency(str(current.root / "docs" / "sections.toml"))
        return [
            self.section(section)
            for section in current.written
            if section.page in (self.arguments or [section.page])
            and (current.root / "snippets" / f"{section.snippet}.py").is_file()
        ]

    def section(self, section: Section) -> nodes.section:
        """Return the reference of one snippet."""
        file = f"{section.snippet}.py"
        part = nodes.section("", nodes.title("", file), names=[file])
        self.state.document.note_implicit_target(part, part)
        part += nodes.paragraph(
            "", "Shown in ", sheet.link_to_section(section), nodes.Text(".")
        )
        lines = [f".. automodule:: {section.snippet}", "   :members:"]
        source = f"reference of {file}"
        self.state.nested_parse(StringList(lines, source), self.content_offset, part)
        return part


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register the directive."""
    app.setup_extension("sheet")
    app.setup_extension("sphinx.ext.autodoc")
    app.add_directive("snippet-reference", SnippetReference)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
