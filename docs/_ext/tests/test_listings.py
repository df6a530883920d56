"""A listing has markup for what is seen, and no other."""

import logging
from collections.abc import Callable
from pathlib import Path

import pytest
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_by_name
from pygments.styles import get_style_by_name

import listings

Build = Callable[..., str]


@pytest.fixture
def formatter(monkeypatch: pytest.MonkeyPatch) -> HtmlFormatter[str]:
    """Return the formatter of the site, for the styles of furo.

    The module of one of them changes where the whole process logs when it is imported.
    """
    monkeypatch.setattr(logging, "basicConfig", lambda **_: None)
    made = listings.Formatter(style=get_style_by_name("a11y-light"), nowrap=True)
    made.dark = get_style_by_name("native")
    return made


def test_plain_text(formatter: HtmlFormatter[str]) -> None:
    """A keyword has an element; names, brackets and blanks have none."""
    listing = highlight("if  (name):\n", get_lexer_by_name("python"), formatter)
    assert '<span class="k">if</span>  (name):\n' == listing


def test_one_of_two_styles(formatter: HtmlFormatter[str]) -> None:
    """What has a colour in the dark style alone has an element."""
    listing = highlight("import ssl\n", get_lexer_by_name("python"), formatter)
    assert '<span class="kn">import</span> <span class="nn">ssl</span>\n' == listing


def test_console(formatter: HtmlFormatter[str]) -> None:
    """What a console says has an element, which our style sheet has a colour for."""
    listing = highlight("$ pwd\n/tmp\n", get_lexer_by_name("console"), formatter)
    assert '<span class="go">/tmp</span>' in listing


def test_rules(formatter: HtmlFormatter[str]) -> None:
    """The style sheet has its rules, and no comment."""
    rules = formatter.get_token_style_defs(".highlight")  # type: ignore[no-untyped-call]
    assert ".highlight .k { color: #8045E5 }" in rules
    assert "/*" not in "".join(rules)


def test_a_listing_is_marked_up_once(project: Path, build: Build) -> None:
    """The next build takes it from the last; of one that is wrong each build warns."""
    page = project / "docs" / "plain.rst"
    output = project / "build" / "html" / "plain.html"
    text = "Plain\n=====\n\n.. code-block:: python\n\n   import os\n"
    options = ("-D", "extensions=status,overview,reference,listings")
    page.write_text(text, encoding="utf-8")
    build("html", *options)
    assert "import os" in output.read_text(encoding="utf-8")
    kept = set(project.glob("build/doctrees/listings/*"))
    [listing] = [path for path in kept if "import os" in path.read_text("utf-8")]
    listing.write_text("as it was kept", encoding="utf-8")
    for number in range(2):
        more = f"{number}\n\n.. code-block:: python\n\n   a $ b\n"
        page.write_text(f"{text}\n{more}", encoding="utf-8")
        assert "a $ b" in build("html", *options, warnings=1)
        assert "as it was kept" in output.read_text(encoding="utf-8")
    assert kept == set(project.glob("build/doctrees/listings/*"))
