"""docs/build.py says how a build ended, and the next build is none the worse for it."""

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

EXTENSIONS = Path(__file__).resolve().parents[1]
DEADLINE = 50  # seconds for a build, on a machine that has much to do
CONF = """
epub_basename = "python-socket-cheat-sheet"
epub_copyright = epub_description = epub_contributor = "none"
epub_author = epub_publisher = epub_identifier = "none"
version = "1"
extensions += ["fresh", "turns", "single", "book"]
"""

# In conf.py: each builder hangs when it has read the pages and is about to write.
HANGS = """
def setup(app):
    import signal

    def hang(*_):
        open(app.srcdir / "hangs", "w").close()
        signal.pause()

    app.connect("write-started", hang)
"""

pytestmark = pytest.mark.slow  # to see it once in CI is enough

Build = Callable[..., tuple[int, str]]


@pytest.fixture
def root(project: Path) -> Path:
    """Return the root of a small project that docs/build.py can build."""
    with (project / "docs" / "conf.py").open("a", encoding="utf-8") as conf:
        conf.write(CONF)
    (project / "docs" / "_ext").symlink_to(EXTENSIONS)
    shutil.copy(EXTENSIONS.parent / "build.py", project / "docs")
    return project


def command(root: Path) -> list[str]:
    """Return what builds the project at *root*."""
    options = ("-q", "-D", "exclude_patterns=_ext")
    return [sys.executable, str(root / "docs" / "build.py"), "build/html", *options]


@pytest.fixture
def built(root: Path) -> Build:
    """Return a function that builds, and returns the exit status and what was said."""

    def run() -> tuple[int, str]:
        done = subprocess.run(
            command(root),
            cwd=root,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=DEADLINE,
            check=False,
        )
        return done.returncode, done.stdout

    return run


def html(root: Path, page: str) -> str:
    """Return the text of a page."""
    return (root / "build" / "html" / f"{page}.html").read_text(encoding="utf-8")


def test_it_builds_all_formats(root: Path, built: Build) -> None:
    """The site, the single page and the EPUB are there, and nothing is said."""
    assert (0, "") == built()
    assert "Plain" in html(root, "index")
    assert "document-plain" in html(root, "single/index")
    with zipfile.ZipFile(root / "build/html/python-socket-cheat-sheet.epub") as book:
        assert "plain.xhtml" in book.namelist()
    assert not (root / "build" / "doctrees" / "unfinished").exists()


def test_what_is_wrong_stays_wrong(root: Path, built: Build) -> None:
    """A warning fails the build, and the next one, until what is wrong is mended."""
    page = root / "docs" / "plain.rst"
    page.write_text("Plain\n=====\n\n:ref:`nowhere`\n", encoding="utf-8")
    for _ in range(2):
        status, said = built()
        assert 1 == status
        assert "nowhere" in said
    page.write_text("Plain\n=====\n", encoding="utf-8")
    assert (0, "") == built()


def test_a_builder_that_cannot_start(root: Path, built: Build) -> None:
    """It says why, once, and the EPUB is not built of what was not read."""
    (root / "docs" / "sections.toml").write_text("[[section]]\n", encoding="utf-8")
    status, said = built()
    assert 0 != status
    assert 1 == said.count("sections.toml: section 1"), said
    assert not (root / "build" / "doctrees" / "environment.pickle").exists()


def test_one_build_at_a_time(root: Path, built: Build) -> None:
    """A second one says so in one line; the first is not disturbed."""
    doctrees = root / "build" / "doctrees"
    doctrees.mkdir(parents=True)
    with (doctrees / "unfinished").open("w") as first:
        fcntl.flock(first, fcntl.LOCK_EX)
        refused = "another build writes build/html: wait until it has ended\n"
        assert (1, refused) == built()


def test_a_folder_that_cannot_be_written(root: Path, built: Build) -> None:
    """What is in the way is named in one line."""
    (root / "build").write_text("a file", encoding="utf-8")
    status, said = built()
    assert 1 == status
    assert "cannot build: " in said
    assert 1 == said.count("\n"), said


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_an_end_from_outside(root: Path, built: Build, signum: signal.Signals) -> None:
    """A signal ends all processes without a traceback; the next build is whole."""
    page = root / "docs" / "plain.rst"
    conf = root / "docs" / "conf.py"
    before = conf.read_text(encoding="utf-8")
    conf.write_text(before + HANGS, encoding="utf-8")
    with subprocess.Popen(
        command(root),
        cwd=root,
        start_new_session=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as build:
        deadline = time.monotonic() + DEADLINE
        while not (root / "docs" / "hangs").exists():
            assert time.monotonic() < deadline
            time.sleep(0.01)
        children = psutil.Process(build.pid).children(recursive=True)
        assert 2 == len(children)
        if signum == signal.SIGINT:  # a terminal sends it to all of them
            os.killpg(build.pid, signum)
        else:
            os.kill(build.pid, signum)
        said = build.communicate(timeout=DEADLINE)[0]
    assert 0 != build.returncode
    assert "Traceback" not in said
    assert not [child for child in children if child.is_running()]
    conf.write_text(before, encoding="utf-8")
    page.write_text("Plain\n=====\n\nNew.\n", encoding="utf-8")
    assert (0, "") == built()
    assert "New." in html(root, "plain")
    assert "New." in html(root, "single/index")


def test_what_all_pages_have_follows(root: Path, built: Build) -> None:
    """A new title is in the navigation of every page, of those of code, too."""
    with (root / "docs" / "conf.py").open("a", encoding="utf-8") as conf:
        conf.write("html_theme = 'furo'\n")
    assert (0, "") == built()
    pages = ("cheatsheet/tcp", "plain", "single/index", "_modules/echo_trial")
    stamp = root / "build" / "html" / "plain.html"
    before = stamp.stat().st_mtime_ns
    assert (0, "") == built()
    assert before == stamp.stat().st_mtime_ns, "nothing has changed"
    (root / "docs" / "plain.rst").write_text("Fancy\n=====\n", encoding="utf-8")
    assert (0, "") == built()
    for page in pages:
        assert "Fancy" in html(root, page), page
        assert "Plain" not in html(root, page), page


def test_damaged_results(root: Path, built: Build) -> None:
    """A file of results that cannot be used is warned of once, and fails the build."""
    folder = root / "build" / "results"
    folder.mkdir(parents=True)
    (folder / "a.xml").write_text("no XML", encoding="utf-8")
    status, said = built()
    assert 1 == status
    assert 1 == said.count("a.xml says nothing on this site"), said
