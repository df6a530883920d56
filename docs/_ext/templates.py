"""Keeps the compiled templates of the theme for the next build, and for other builders.

Jinja compiles each anew otherwise, which takes longer than to fill in most pages.
"""

from pathlib import Path

from jinja2 import FileSystemBytecodeCache
from sphinx.application import Sphinx
from sphinx.builders.html import StandaloneHTMLBuilder
from sphinx.jinja2glue import BuiltinTemplateLoader
from sphinx.util.typing import ExtensionMetadata

KEPT = "templates"  # a folder beside what was read of the pages


def keep_compiled(app: Sphinx) -> None:
    """Let Jinja find what it has compiled, by the text of each template."""
    if not isinstance(app.builder, StandaloneHTMLBuilder):
        return
    folder = Path(app.doctreedir) / KEPT
    folder.mkdir(parents=True, exist_ok=True)
    templates = app.builder.templates
    assert isinstance(templates, BuiltinTemplateLoader)
    templates.environment.bytecode_cache = FileSystemBytecodeCache(str(folder))


def setup(app: Sphinx) -> ExtensionMetadata:
    """Change the builder before it fills in any template."""
    app.connect("builder-inited", keep_compiled)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
