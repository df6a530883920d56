"""A page has the scripts and styles that are of use on it, and no other."""

from types import SimpleNamespace
from typing import Any, cast

import pytest
from sphinx.application import Sphinx

import lean

ALWAYS = {"furo.css", "site.css", "furo.js"}


@pytest.mark.parametrize(
    ("body", "used"),
    [
        ("<p>clipboard.min.js</p>", set()),
        ("<pre>", {"clipboard.min.js", "copybutton.js", "copybutton.css"}),
        ('<table class="grid checks docutils">', {"grid.js"}),
        ('<table class="grid which docutils">', set()),
        ('<p class="not-measured">', {"measured.css"}),
        ('<p class="source evidence">', {"measured.css"}),
        ('<div class="measured docutils container">', {"measured.css"}),
        ('<p>what is measured="1"</p>', set()),
    ],
)
def test_use(body: str, used: set[str]) -> None:
    """What is on the page tells what is of use; some of the theme's never is."""
    names = [f"_static/{name}" for name in [*lean.USED_BY, *sorted(ALWAYS)]]
    context: dict[str, Any] = {
        "body": body,
        "script_files": [
            SimpleNamespace(filename=n) for n in names if n.endswith("js")
        ],
        "css_files": [SimpleNamespace(filename=n) for n in names if n.endswith("css")],
    }
    lean.leave_out(cast(Sphinx, None), "page", "page.html", context, None)
    left = [*context["script_files"], *context["css_files"]]
    assert ALWAYS | used == {file.filename.partition("/")[2] for file in left}
