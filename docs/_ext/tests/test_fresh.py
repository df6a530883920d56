"""No page is left as it was before it was read again, or after it is gone."""

from collections.abc import Callable
from pathlib import Path

Build = Callable[..., str]
Report = Callable[..., Path]

OPTIONS = ("-D", "extensions=sphinx.ext.viewcode,status,overview,reference,fresh")


def test_what_another_builder_has_read(
    project: Path, report: Report, build: Build
) -> None:
    """A page is written again if it was read again for results, whoever read it."""
    build("html", *OPTIONS)
    report("a.xml", {"snippet": "shout_trial"})
    build("text", *OPTIONS)
    assert "0 added, 0 changed, 0 removed" in build("html", *OPTIONS)
    page = project / "build" / "html" / "cheatsheet" / "tcp.html"
    assert "Passed in part" in page.read_text(encoding="utf-8")


def test_what_is_as_it_was(project: Path, build: Build) -> None:
    """A page that was not read again is not written again."""
    build("html", *OPTIONS)
    pages = list((project / "build" / "html").rglob("plain.html"))
    before = [path.stat().st_mtime_ns for path in pages]
    build("html", *OPTIONS)
    assert before == [path.stat().st_mtime_ns for path in pages]


def test_a_page_that_is_gone(project: Path, build: Build) -> None:
    """It is gone from the site, too; what is no page stays."""
    build("html", *OPTIONS)
    site = project / "build" / "html"
    assert (site / "plain.html").exists()
    (project / "docs" / "plain.rst").unlink()
    index = project / "docs" / "index.rst"
    text = index.read_text(encoding="utf-8").replace("   plain\n", "")
    index.write_text(text, encoding="utf-8")
    build("html", *OPTIONS)
    assert not (site / "plain.html").exists()
    assert (site / "_modules" / "echo_trial.html").exists()
