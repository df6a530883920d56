"""The project's own site is built in all its formats, and each is opened.

It is built once for all tests and all workers, from a copy of what a build needs: so
the results that may lie in build/ have no part in it.
"""

import fcntl
import html
import os
import posixpath
import re
import shutil
import socket
import subprocess
import sys
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import unquote
from xml.etree import ElementTree as ET

import pytest
from markdown_it import MarkdownIt

import sections
from sections import Section
from support import pages, requirements

ROOT = Path(__file__).resolve().parents[3]
NEEDED = ("docs", "snippets", "pyproject.toml", "LICENSE")
EPUB = "python-socket-cheat-sheet.epub"
DEADLINE = 120  # seconds for the build, on a machine that has much to do
PAGES = sorted(
    path.relative_to(ROOT / "docs").with_suffix("").as_posix()
    for path in (ROOT / "docs").glob("[!_]*/*.rst")
) + sorted(path.stem for path in (ROOT / "docs").glob("*.rst"))
WRITTEN = [s for s in sections.read(ROOT / "docs/sections.toml") if not s.to_come]
NAMES = [section.snippet for section in WRITTEN]

Build = Callable[..., str]

pytestmark = pytest.mark.timeout(DEADLINE + 30)


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of the site, built without a warning."""
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent  # of all workers
    project = shared / "project"
    with (shared / "project.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # which closing gives back
        if not project.exists():
            project.mkdir()
            copy(project)
            build(project)
    assert "0" == (project / "status").read_text(), (project / "log").read_text()
    return project / "build" / "html"


def copy(project: Path) -> None:
    """Copy what a build needs."""
    leave_out = shutil.ignore_patterns("__pycache__", "contracts", "broken")
    for name in NEEDED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, project / name, ignore=leave_out)
        else:
            shutil.copyfile(ROOT / name, project / name)


def build(project: Path) -> None:
    """Build it; leave the exit status and what was printed."""
    with (project / "log").open("w") as log:
        done = subprocess.run(
            [sys.executable, project / "docs" / "build.py", "build/html", "-q"],
            cwd=project,
            stdout=log,
            stderr=subprocess.STDOUT,
            timeout=DEADLINE,
            check=False,
        )
    (project / "status").write_text(str(done.returncode))


def source(name: str) -> str:
    """Return the text of a snippet."""
    return (ROOT / "snippets" / f"{name}.py").read_text(encoding="utf-8")


def read(path: Path) -> str:
    """Return the text of a file."""
    return path.read_text(encoding="utf-8")


def blocks(page: str) -> list[str]:
    """Return what the listings and the consoles of an HTML page say."""
    found = re.findall(r"<pre[^>]*>(.*?)</pre>", page, re.DOTALL)
    return [html.unescape(re.sub(r"<[^>]*>", "", block)).strip() for block in found]


def consoles(page: str) -> list[str]:
    """Return the console blocks of a page's source, in their order."""
    path = ROOT / "docs" / f"{page}.rst"
    return ["\n".join(b.lines) for section in pages.parse(path) for b in section.blocks]


def links(text: str) -> list[str]:
    """Return where the links of an HTML page lead, but for those to other sites."""
    found = re.findall(r'(?:href|src)="([^"]*)"', text)
    return [html.unescape(link) for link in found if not re.match(r"\w+:", link)]


def ids(text: str) -> list[str]:
    """Return what can be linked to on an HTML page."""
    return [html.unescape(name) for name in re.findall(r'\sid="([^"]*)"', text)]


def dead(root: Path, page: str, found: list[str]) -> list[str]:
    """Return which of the links *found* on *page* lead to nothing below *root*."""
    known: dict[Path, list[str]] = {}
    lost = []
    for link in found:
        path, _, anchor = unquote(link).partition("#")
        path = path.partition("?")[0]
        name = posixpath.join(posixpath.dirname(page), path) if path else page
        target = Path(posixpath.normpath(root / name))
        if not target.is_file():
            lost.append(link)
        elif anchor and anchor not in ("", "furo-main-content"):
            if target not in known:
                known[target] = ids(" " + read(target))
            if anchor not in known[target]:
                lost.append(link)
    return lost


def fences(text: str) -> list[tuple[str, str]]:
    """Return the language and the content of each fenced block of Markdown."""
    tokens = MarkdownIt("commonmark").enable("table").parse(text)
    return [(token.info, token.content) for token in tokens if token.type == "fence"]


def markdown_links(text: str) -> list[str]:
    """Return where the links of Markdown lead, but for those to other sites."""
    tokens = MarkdownIt("commonmark").enable("table").parse(text)
    found = [
        str(child.attrs["href"])
        for token in tokens
        for child in token.children or []
        if child.type == "link_open"
    ]
    return [link for link in found if not re.match(r"\w+:", link)]


@pytest.mark.parametrize("page", PAGES)
def test_markdown_has_all_blocks(site: Path, page: str) -> None:
    """The Markdown of a page has each listing byte for byte and each console block."""
    found = fences(read(site / f"{page}.html.md"))
    own = [section for section in WRITTEN if section.docname == page]
    expected = Counter(source(section.snippet) for section in own)
    listings = Counter(text for language, text in found if language == "python")
    assert Counter() == expected - listings
    typed = [text.removesuffix("\n") for lang, text in found if lang == "console"]
    assert consoles(page) == typed


@pytest.mark.parametrize("page", PAGES)
def test_markdown_has_no_dead_link(site: Path, page: str) -> None:
    """Each link within the Markdown leads to a file, and to an anchor in it."""
    name = f"{page}.html.md"
    assert [] == dead(site, name, markdown_links(read(site / name)))


@pytest.mark.parametrize("page", PAGES)
def test_markdown_is_named_by_its_page(site: Path, page: str) -> None:
    """The page says where its Markdown is."""
    link = (
        f'<link rel="alternate" type="text/markdown" href="{Path(page).name}.html.md"'
    )
    assert 1 == read(site / f"{page}.html").count(link)


def test_llms_txt(site: Path) -> None:
    """It has a title, a summary and links to all pages and files, none of them dead."""
    text = read(site / "llms.txt")
    tokens = MarkdownIt("commonmark").parse(text)
    kinds = [token.tag for token in tokens if token.type.endswith("_open")]
    assert ["h1", "blockquote"] == kinds[:2]
    assert {"h1": 1, "h2": 3, "blockquote": 1}.items() <= Counter(kinds).items()
    found = markdown_links(text)
    assert [] == dead(site, "llms.txt", found)
    chapters = {f"{section.docname}.html.md" for section in WRITTEN}
    assert chapters | {f"snippets/{name}.py" for name in NAMES} <= set(found)
    assert {"index.html.md", "results.html.md", "reference/index.html.md"} <= set(found)


def test_the_archive_is_the_files(site: Path) -> None:
    """It has each file as it is, a README and the licence, and nothing of this time."""
    with zipfile.ZipFile(site / "snippets.zip") as archive:
        assert archive.testzip() is None
        names = [info.filename.partition("/")[2] for info in archive.infolist()]
        listed = {
            name: archive.read(f"python-socket-snippets/{name}") for name in names
        }
        assert {1980} == {info.date_time[0] for info in archive.infolist()}
    assert sorted(names) == names
    files = {f"snippets/{name}.py": source(name).encode() for name in NAMES}
    readme = listed.pop("README.txt").decode()
    assert {**files, "LICENSE": (ROOT / "LICENSE").read_bytes()} == listed
    for name in NAMES:
        assert f"{name}.py" in readme


def test_the_archive_runs_where_it_is_unpacked(site: Path, tmp_path: Path) -> None:
    """The command of the README, typed in the unpacked folder, serves a client."""
    with zipfile.ZipFile(site / "snippets.zip") as archive:
        archive.extractall(tmp_path)
    folder = tmp_path / "python-socket-snippets"
    [command] = re.findall(r"^    python3 (\S+)$", read(folder / "README.txt"), re.M)
    with subprocess.Popen(
        [sys.executable, "-W", "error", command, "--port", "0"],
        cwd=folder,
        stdout=subprocess.PIPE,
        text=True,
    ) as server:
        assert server.stdout is not None
        host, _, port = server.stdout.readline().split()[-1].rpartition(":")
        with socket.create_connection((host, int(port)), timeout=10) as client:
            client.sendall(b"Hello World")
            client.shutdown(socket.SHUT_WR)
            assert b"Hello World" == client.makefile("rb").read()
        server.terminate()
        assert 0 == server.wait(10)


def test_every_file_of_the_archive_starts(site: Path, tmp_path: Path) -> None:
    """Each file is imported from the unpacked folder, with no other of the project."""
    with zipfile.ZipFile(site / "snippets.zip") as archive:
        archive.extractall(tmp_path)
    folder = tmp_path / "python-socket-snippets" / "snippets"
    code = (
        "import runpy, sys\n"
        "for path in sys.argv[1:]: runpy.run_path(path, run_name='imported')"
    )
    files = sorted(str(p) for p in folder.glob("*.py") if p.stem != "af_alg_benchmark")
    command = [sys.executable, "-I", "-W", "error", "-c", code, *files]
    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, timeout=30, check=False
    )
    assert (0, "", "") == (done.returncode, done.stdout, done.stderr)


@pytest.fixture
def book(site: Path) -> Iterator[zipfile.ZipFile]:
    """Yield the EPUB, open."""
    with zipfile.ZipFile(site / EPUB) as archive:
        yield archive


def test_the_book_is_whole(book: zipfile.ZipFile) -> None:
    """It has the files that it lists, its pages are XML, and no link in it is dead."""
    assert "mimetype" == book.namelist()[0]
    assert b"application/epub+zip" == book.read("mimetype")
    package = ET.fromstring(book.read("content.opf"))  # noqa: S314  # our own
    items = package.iter("{http://www.idpf.org/2007/opf}item")
    listed = {item.attrib["href"] for item in items} | {"content.opf", "mimetype"}
    assert listed == set(book.namelist()) - {"META-INF/container.xml"}
    anchors: dict[str, list[str]] = {}
    found: dict[str, list[str]] = {}
    for name in book.namelist():
        if name.endswith(".xhtml"):
            text = book.read(name).decode()
            ET.fromstring(text)  # noqa: S314  # our own
            anchors[name] = ids(text)
            found[name] = links(text)
    for name, targets in found.items():
        for target in targets:
            path, _, anchor = target.partition("#")
            path = path.partition("?")[0]
            other = posixpath.normpath(posixpath.join(posixpath.dirname(name), path))
            other = other if path else name
            assert other in book.namelist(), f"{name}: {target}"
            assert not anchor or anchor in anchors[other], f"{name}: {target}"


def test_the_book_has_all_blocks(book: zipfile.ZipFile) -> None:
    """Each listing and each console block is on its page of the EPUB."""
    for page in {section.docname for section in WRITTEN}:
        own = [s for s in WRITTEN if s.docname == page]
        expected = [source(section.snippet).strip() for section in own]
        found = blocks(book.read(f"{page}.xhtml").decode())
        assert Counter(expected + consoles(page)) == Counter(found)


@pytest.mark.slow
def test_the_book_is_valid(site: Path) -> None:
    """Epubcheck finds neither an error nor a warning in the EPUB."""
    if reason := requirements.missing(["epubcheck"]):
        pytest.skip(reason)
    program = shutil.which("epubcheck", path=requirements.PATH)
    assert program is not None
    command = [program]
    if Path(program).read_bytes()[:2] == b"PK":  # an archive that Java runs
        command = ["java", "-XX:TieredStopAtLevel=1", "-jar", program]
    done = subprocess.run(
        [*command, "--failonwarnings", site / EPUB],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert 0 == done.returncode, done.stdout + done.stderr


def test_the_single_page_has_all_blocks(site: Path) -> None:
    """Every listing and console block of the site is on the single page."""
    found = Counter(blocks(read(site / "single" / "index.html")))
    expected = Counter(
        block for page in PAGES for block in blocks(read(site / f"{page}.html"))
    )
    assert Counter() == expected - found
    for name in NAMES:
        assert 1 == found[source(name).strip()]


def test_the_single_page_has_no_dead_link(site: Path) -> None:
    """Its addresses are unique and those of the site, and its links lead somewhere."""
    text = read(site / "single" / "index.html")
    assert {1} == set(Counter(ids(text)).values())
    assert {section.anchor for section in WRITTEN} <= set(ids(text))
    assert [] == dead(site, "single/index.html", links(text))
    assert not (site / "single" / "snippets").exists()


def test_templates_are_kept(site: Path) -> None:
    """What Jinja has compiled is there for the next build."""
    kept = {path.suffix for path in (site.parent / "doctrees/templates").iterdir()}
    assert {".cache"} == kept


def test_the_formats_are_offered(site: Path) -> None:
    """The site has a page that leads to each of its other formats."""
    found = set(links(read(site / "formats.html")))
    assert {"single/index.html", EPUB, "snippets.zip", "llms.txt"} <= found
    assert [] == dead(site, "formats.html", links(read(site / "formats.html")))


@pytest.mark.parametrize("page", [*PAGES, "single/index"])
def test_each_page_has_a_print_style(site: Path, page: str) -> None:
    """What is only for paper is loaded for paper only."""
    text = read(site / f"{page}.html")
    assert 1 == len(
        re.findall(r'<link [^>]*media="print"[^>]*print\.css[^>]*>', text)
    ) or (1 == len(re.findall(r'<link [^>]*print\.css[^>]*media="print"[^>]*>', text)))


def test_pages_of_code_have_the_navigation(site: Path) -> None:
    """They share one, in which each link leads to where it leads from elsewhere."""
    part = re.compile(r'<div class="sidebar-tree">.*?</div>', re.DOTALL)
    index = part.findall(read(site / "index.html"))
    [expected] = [set(links(tree)) - {"#"} for tree in index]
    for name in NAMES:
        page = f"_modules/{name}.html"
        [tree] = part.findall(read(site / page))
        assert expected == {link.removeprefix("../") for link in links(tree)}
        assert [] == dead(site, page, links(tree))


@pytest.mark.parametrize("section", WRITTEN, ids=NAMES)
def test_reference_and_section_lead_to_each_other(site: Path, section: Section) -> None:
    """A section links to the reference of its file, and that to the section."""
    page = read(site / f"{section.docname}.html")
    reference = f"reference/{section.page}.html"
    assert f'href="../{reference}#module-{section.snippet}"' in page
    back = f'href="../{section.docname}.html#{section.anchor}"'
    assert back in read(site / reference)


def test_the_reference_leads_to_pythons_documentation(site: Path) -> None:
    """The types in signatures are links to docs.python.org, by the local inventory."""
    text = read(site / "reference" / "tcp.html")
    library = "https://docs.python.org/3/library"
    for name in ("socket.html#socket.socket", "stdtypes.html#str"):
        assert f'href="{library}/{name}"' in text


def test_a_changed_snippet_changes_the_book(project: Path, build: Build) -> None:
    """A page that the site's build has read again is written again for the EPUB."""
    extensions = "sphinx.ext.viewcode,status,overview,names,which,reference,mended,book"
    settings = ("epub_copyright=none", "version=1", f"extensions={extensions}")
    options = [word for setting in settings for word in ("-D", setting)]
    build("html", *options)
    build("epub", *options)
    path = project / "snippets" / "echo_trial.py"
    path.write_text('"""Echo, differently."""\n', encoding="utf-8")
    build("html", *options)
    build("epub", *options)
    page = read(project / "build" / "epub" / "cheatsheet" / "tcp.xhtml")
    assert '"""Echo, differently."""' in blocks(page)


def test_the_archive_is_reproducible(project: Path, build: Build) -> None:
    """The same files give the same archive, whenever they were written."""
    options = ("-D", "extensions=status,overview,reference,archive")
    build("html", *options)
    archive = project / "build" / "html" / "snippets.zip"
    first = archive.read_bytes()
    os.utime(project / "snippets" / "echo_trial.py", (1, 1))
    build("html", *options)
    assert first == archive.read_bytes()


def test_typed_lines_are_told(project: Path, build: Build) -> None:
    """A console has its name and says which of its lines the reader types."""
    page = project / "docs" / "cheatsheet" / "tcp.rst"
    console = (
        ".. code-block:: console\n   :caption: client\n   :emphasize-lines: 2, 3\n"
    )
    with page.open("a", encoding="utf-8") as file:
        file.write(f"\n{console}\n   $ cat\n   hello\n   ^D\n")
    build("html", "-D", "extensions=status,overview,reference,markdown")
    text = (project / "build/html/cheatsheet/tcp.html.md").read_text(encoding="utf-8")
    shown = "**client** (typed: lines 2, 3):\n\n```console\n$ cat\nhello\n^D\n```\n"
    assert shown in text
    assert "[Reference](../reference.html.md#module-echo_trial)" in text
    assert "[Download `echo_trial.py`](../snippets/echo_trial.py)" in text
