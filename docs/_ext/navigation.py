"""Makes the site's navigation once for all pages of source code, not for each.

There is such a page for each snippet, and the navigation names each page and section:
without this, twice the sections would cost four times the time.
"""

import posixpath
from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util.typing import ExtensionMetadata

Key = tuple[object, ...]
_known: WeakKeyDictionary[BuildEnvironment, dict[Key, str]] = WeakKeyDictionary()


def remember(
    app: Sphinx,
    page: str,
    _template: str,
    context: dict[str, Any],
    _doctree: nodes.document | None,
) -> None:
    """Let pages that are not part of the tree share it with those of their folder.

    They are where nothing is marked as the current page, and links from one folder
    are alike.
    """
    if "toctree" not in context or page in app.env.all_docs:
        return
    make: Callable[..., str] = context["toctree"]
    known = _known.setdefault(app.env, {})

    def toctree(**options: object) -> str:
        key = (posixpath.dirname(page), *sorted(options.items()))
        if key not in known:
            known[key] = make(**options)
        return known[key]

    context["toctree"] = toctree


def setup(app: Sphinx) -> ExtensionMetadata:
    """Change each page before the theme asks for its navigation."""
    app.connect("html-page-context", remember, priority=100)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
