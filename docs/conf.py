"""How Sphinx builds the site: ``nox -s docs``."""

import builtins
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
    "sphinx.ext.viewcode",
    "sphinx_copybutton",
    # the site's own, in _ext/
    "sheet",
    "status",
    "downloads",
    *("overview", "names", "which"),
    "reference",
    "consoles",
    "grid_filter",
    "measurements",
    "mended",
]
exclude_patterns = ["_checks", "_ext"]
nitpicky = True
highlight_language = "python"

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_default_options = {"show-inheritance": False}
toc_object_entries = False  # the sections are enough in the table of contents
# What is Python's own cannot be linked: there is no inventory of it, offline.
python_names = "|".join([*sys.stdlib_module_names, *dir(builtins)])
nitpick_ignore_regex = [("py:.*", rf"({python_names})(\..*)?")]

html_theme = "furo"
html_title = project
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_favicon = "_static/favicon.svg"
html_copy_source = False
html_show_copyright = False
html_theme_options = {"navigation_with_keys": False}

copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

# In a GitHub workflow: the snippets at the very commit that is built.
if "GITHUB_SHA" in os.environ and "GITHUB_REPOSITORY" in os.environ:
    server = os.environ.get("GITHUB_SERVER_URL", "https://github.com")
    commit = os.environ["GITHUB_SHA"]
    snippets_at = f"{server}/{os.environ['GITHUB_REPOSITORY']}/blob/{commit}/snippets"
