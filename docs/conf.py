"""How Sphinx builds the site: ``nox -s docs``."""

import os
import sys
import tomllib
from pathlib import Path

DOCS = Path(__file__).resolve().parent
ROOT = DOCS.parent
sys.path[:0] = [str(DOCS / "_ext"), str(ROOT / "snippets")]

with (ROOT / "pyproject.toml").open("rb") as pyproject:
    metadata = tomllib.load(pyproject)["project"]

project = "Python socket cheat sheet"
version = release = metadata["version"]
needs_sphinx = "9.0"

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.intersphinx",
    "sphinx.ext.viewcode",
    "sphinx_copybutton",
    # the site's own, in _ext/
    "sheet",
    "status",
    "downloads",
    *("overview", "names", "which"),
    "reference",
    "consoles",
    *("single", "book", "markdown", "llms", "archive"),
    *("turns", "fresh", "templates"),
    *("measurements", "measured", "conclusions"),
    *("lean", "mended"),
    "listings",
    "navigation",
]
exclude_patterns = ["_checks", "_ext", "_inventory"]
nitpicky = True
highlight_language = "python"

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_default_options = {"show-inheritance": False}
viewcode_follow_imported_members = False  # their own documentation has them
toc_object_entries = False  # the sections are enough in the table of contents

# Where CPython's documentation has each name: a file of ours, so without a network.
intersphinx_mapping = {"python": ("https://docs.python.org/3", "_inventory/python.inv")}
nitpick_ignore = [("py:class", "socket.AddressFamily")]  # not in that documentation

html_theme = "furo"
html_title = project
html_static_path = ["_static"]
html_css_files = ["measured.css", "site.css", ("print.css", {"media": "print"})]
html_js_files = [("grid.js", {"defer": "defer"})]
html_favicon = "_static/favicon.svg"
html_copy_source = False
html_show_copyright = False
html_theme_options = {"navigation_with_keys": False}

html_sidebars = {  # furo's, but for the search, which is the browser's there
    "single/index": [
        "sidebar/scroll-start.html",
        "sidebar/brand.html",
        "sidebar/navigation.html",
        "sidebar/scroll-end.html",
    ]
}

# docs/build.py makes it from the same pages.
epub_basename = "python-socket-cheat-sheet"
epub_title = project
epub_author = epub_publisher = epub_contributor = f"The authors of the {project}"
epub_copyright = "under the MIT licence"
epub_description = metadata["description"]
epub_identifier = epub_uid = "python-socket-cheat-sheet"
epub_show_urls = "no"  # after each link: the reader can follow it
epub_exclude_files = ["formats.xhtml", ".buildinfo.bak"]  # Sphinx leaves the latter

copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

# In a GitHub workflow: the snippets at the very commit that is built.
if "GITHUB_SHA" in os.environ and "GITHUB_REPOSITORY" in os.environ:
    server = os.environ.get("GITHUB_SERVER_URL", "https://github.com")
    commit = os.environ["GITHUB_SHA"]
    snippets_at = f"{server}/{os.environ['GITHUB_REPOSITORY']}/blob/{commit}/snippets"
