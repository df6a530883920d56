"""The single page is all pages, with links, addresses and headings of its own."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from single import Joined, Part

Build = Callable[..., str]

OPTIONS = ("-D", "extensions=sphinx.ext.viewcode,status,overview,reference,single")
FIRST = (
    '<h1 id="first">First<a href="#first">¶</a></h1>'
    '<a href="more/second.html">to a page</a>'
    '<a href="more/second.html#only">to a place</a>'
    '<a href="more/second.html#same">to a place that both have</a>'
    '<label for="same">a field</label><input id="same" />'
)
SECOND = (
    '<h1 id="second">Second</h1><h2 id="only">Part</h2>'
    '<span id="same"></span><a href="#same">above</a>'
    '<a href="../index.html">back</a><a href="../index.html#same">back</a>'
    '<img src="../_images/x.svg" /><source srcset="../_images/y.svg" />'
    '<a href="third%20file.py?v=1#L2">file</a>'
    '<a href="https://docs.python.org/3/a.html#b">elsewhere</a>'
    '<a href="../single/index.html">all</a>'
)


@pytest.fixture
def joined() -> Joined:
    """Return two pages as one, of which the second is in a folder below the first."""
    return Joined([Part("index", 0, FIRST), Part("more/second", 1, SECOND)])


def test_links(joined: Joined) -> None:
    """They lead to a page or a place on this page, to files of the site, elsewhere."""
    first, _, second = joined.body.partition('id="document-more/second"')
    for link in ("#first", "#document-more/second", "#only", "#more-second-same"):
        assert f'<a href="{link}">' in first
    for link in ("#more-second-same", "#same"):
        assert f'<a href="{link}">' in second
    assert 2 == second.count('<a href="#document-index">')
    assert '<img src="../_images/x.svg" />' in second
    assert '<source srcset="../_images/y.svg" />' in second
    assert '<a href="../more/third%20file.py?v=1#L2">' in second
    assert '<a href="https://docs.python.org/3/a.html#b">' in second


def test_addresses(joined: Joined) -> None:
    """What several pages have is named after the page, but on the first one."""
    assert '<label for="same">a field</label><input id="same" />' in joined.body
    assert '<span id="more-second-same"></span>' in joined.body


def test_headings(joined: Joined) -> None:
    """They are as many levels deeper as the page is below the first; HTML has six."""
    assert '<h1 id="first">First<a href="#first">¶</a></h1>' in joined.body
    assert '<h2 id="second">Second</h2><h3 id="only">Part</h3>' in joined.body
    deep = Joined([Part("index", 0, "<h1>a</h1>"), Part("deep", 4, "<h3>b</h3>")])
    assert deep.body.endswith("<h6>b</h6>")


def test_a_link_for_the_page_itself(joined: Joined) -> None:
    """What the theme has on each page it has here, too; its contents lead here."""
    tree = '<use href="#svg-arrow"></use><a href="../more/second.html">Second</a>'
    led = '<use href="#svg-arrow"></use><a href="#document-more/second">Second</a>'
    assert led == joined.led(tree, "single/index")


def test_listings_are_left_alone() -> None:
    """In a listing a quotation mark is &quot;, so it has no link and no address."""
    listing = "<pre>x = ' href=&quot;a.html&quot; id=&quot;b&quot;'</pre>"
    assert listing in Joined([Part("index", 0, listing)]).body


def test_it_follows_the_pages(project: Path, build: Build) -> None:
    """After a change of one page it is what it would be if all were built anew."""
    written = project / "build" / "html" / "single" / "index.html"
    build("html", *OPTIONS)
    before = written.read_text(encoding="utf-8")
    page = project / "docs" / "plain.rst"
    with page.open("a", encoding="utf-8") as file:
        file.write("\nSomething new.\n")
    assert "0 added, 1 changed, 0 removed" in build("html", *OPTIONS)
    after = written.read_text(encoding="utf-8")
    assert "Something new." in after
    assert "Something new." not in before
    shutil.rmtree(project / "build")
    build("html", *OPTIONS)
    assert after == written.read_text(encoding="utf-8")


def test_a_page_that_was_not_kept_is_written_again(project: Path, build: Build) -> None:
    """A site that was built without the single page gets it whole."""
    build("html", "-D", "extensions=status,overview,reference")
    build("html", *OPTIONS)
    shutil.rmtree(project / "build" / "doctrees" / "bodies")
    shutil.rmtree(project / "build" / "html" / "single")  # not to see the last build's
    build("html", *OPTIONS)
    path = project / "build" / "html" / "single" / "index.html"
    text = path.read_text(encoding="utf-8")
    for page in ("index", "cheatsheet/tcp", "plain", "reference", "results"):
        assert 1 == text.count(f'<span id="document-{page}"></span>')
