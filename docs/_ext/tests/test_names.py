"""The index of names finds what the code uses, and does not guess."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

import names
import sections
from names import names_in
from sections import PLATFORMS, Section

Build = Callable[..., str]

ROOT = Path(__file__).resolve().parents[3]
WRITTEN = [
    row for row in sections.read(ROOT / "docs" / "sections.toml") if not row.to_come
]
# Of what the snippets use, what CPython does not have everywhere.
NEEDS = {
    "Linux": r"select\.(epoll|EPOLL)|socket\.(AF_ALG|AF_PACKET)",
    "BSD, macOS": r"select\.(kqueue|kevent|KQ_)",
    "POSIX": r"select\.(poll|POLL)|socket\.AF_UNIX|fcntl\.|signal\.(SIGHUP|SIGPIPE)"
    r"|os\.(fork|sendfile|pread|O_NONBLOCK)",
}


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("import socket\nsocket.AF_INET", {"socket.AF_INET"}),
        ("import socket as s\ns.AF_INET", {"socket.AF_INET"}),
        ("from socket import AF_INET as A\nA", {"socket.AF_INET"}),
        ("from os import path\npath.join", {"os.path.join"}),
        ("import os.path\nos.path.join", {"os.path.join"}),
        ("import ssl\nssl.TLSVersion.TLSv1_2.name", {"ssl.TLSVersion.TLSv1_2"}),
        ("import select\nselect.KQ_EV_ADD", {"select.KQ_EV_ADD"}),
        ("import socket\nsocket.gethostname().upper()", {"socket.gethostname"}),
        ("sock = 1\nsock.real", set()),
        ("def f(x):\n    x.recvfrom(1)", {"socket.socket.recvfrom"}),
        ("def f(x):\n    x.send(1)\n    x.close()", set()),
        ("def f(x: list[int]):\n    x.append(1)", set()),
    ],
)
def test_names_of_modules(code: str, expected: set[str]) -> None:
    """A name is found however it was imported, and what follows a value is none."""
    assert expected == names_in(code)


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("def f(x: socket.socket):\n    x.send(b'')", {"socket.socket.send"}),
        ("def f(x: 'socket.socket | None'):\n    x.send(b'')", {"socket.socket.send"}),
        ("x = socket.create_server(a)\nx.close()", {"socket.socket.close"}),
        ("with socket.socket() as x:\n    x.connect(a)", {"socket.socket.connect"}),
        ("x = socket.socket()\ny = x.accept()[0]\ny.send(b'')", set()),
        ("x = socket.socket()\ny, _ = x.accept()\ny.send(b'')", {"socket.socket.send"}),
        ("a, b = socket.socketpair()\nb.close()", {"socket.socket.close"}),
        ("x = select.epoll()\nx.modify(1, 2)", {"select.epoll.modify"}),
        ("x = select.kqueue()\nx.control(1, 2)", {"select.kqueue.control"}),
        ("x = socket.socket()\nx = 1\nx.close()", set()),
        (
            "def f() -> socket.socket: ...\nwith f() as x:\n    x.close()",
            {"socket.socket.close"},
        ),
        (
            "def f() -> tuple[socket.socket, int]: ...\nx, y = f()\nx.close()",
            {"socket.socket.close"},
        ),
        (
            "class C:\n"
            "    def f(self):\n        self.x.send(b'')\n"
            "    def __init__(self, x: socket.socket):\n        self.x = x\n",
            {"socket.socket.send"},
        ),
        (
            "class C:\n    x: socket.socket\n\ndef f(c: C):\n    c.x.close()",
            {"socket.socket.close"},
        ),
        (
            "class C(socketserver.TCPServer):\n    allow_reuse_address = True\n"
            "def f(c: C):\n    c.serve_forever()\n    c.what()",
            {
                "socketserver.TCPServer.allow_reuse_address",
                "socketserver.TCPServer.serve_forever",
            },
        ),
    ],
)
def test_members_of_classes(code: str, expected: set[str]) -> None:
    """A member is found where the class is plain, and nowhere else."""
    imports = "import select, socket, socketserver\n"
    found = {name for name in names_in(imports + code) if name.count(".") > 1}
    accepts = {"socket.socket.accept"} if "accept" in code else set()
    assert expected | accepts == found


def needed(row: Section) -> str:
    """Return the platform that the code of *row* needs."""
    code = (ROOT / "snippets" / f"{row.snippet}.py").read_text(encoding="utf-8")
    used = names_in(code)
    for platform, pattern in NEEDS.items():
        if any(re.match(pattern, name) for name in used):
            return platform
    return PLATFORMS[0]


@pytest.mark.parametrize("row", WRITTEN, ids=lambda row: row.snippet)
def test_the_platform_is_what_the_code_needs(row: Section) -> None:
    """A section names the platform that its code, or all its tests, need."""
    test = ROOT / "snippets" / "tests" / f"test_{row.snippet}.py"
    text = test.read_text(encoding="utf-8")
    marked = re.search(r"^pytestmark = .*pytest\.mark\.linux", text, re.MULTILINE)
    assert row.platform == ("Linux" if marked else needed(row)), (
        "docs/sections.toml: change the row's platform, or leave it out for everywhere"
    )


def test_names_of_an_unknown_module_are_not_imported() -> None:
    """The build loads nothing but the standard library to find out what is what."""
    assert names.library("no_such_module.name") is None
    assert names.library("conftest") is None
    assert {"cryptography.x.Y"} == names_in("from cryptography.x import Y\nY()")
    assert "cryptography.x" == names.module_of("cryptography.x.Y")


def test_the_index(project: Path, build: Build) -> None:
    """Names are sorted by module, lead to their users, and are kept fresh."""
    code = '"""Shout."""\nimport os, socket, sys\nsocket.AF_INET\nsys.path\nos.fork\n'
    code += "if sys.argv is None:\n    from elsewhere.part import thing\n    thing\n"
    snippet = project / "snippets" / "shout_trial.py"
    snippet.write_text(code, encoding="utf-8")
    page = project / "docs" / "plain.rst"
    page.write_text("Plain\n=====\n\n.. name-index::\n   :leave-out: sys\n", "utf-8")
    build("html")
    output = project / "build" / "html" / "plain.html"
    html = output.read_text(encoding="utf-8")
    assert html.index("os.fork") < html.index("socket.AF_INET")
    assert "sys.path" not in html
    link = 'href="cheatsheet/tcp.html#shout"><span>shout_trial</span></a>'
    assert 3 == html.count(link)
    assert html.index("elsewhere.part.thing") < html.index("os.fork")
    snippet.write_text('"""Shout."""\nimport os\nos.kill\n', encoding="utf-8")
    build("html")
    html = output.read_text(encoding="utf-8")
    assert "os.kill" in html
    assert "os.fork" not in html
    read = project / "build" / "doctrees" / "plain.doctree"
    before = read.stat().st_mtime_ns
    snippet.write_text('"""Shout!"""\nimport os\nos.kill\n', encoding="utf-8")
    build("html")
    assert before == read.stat().st_mtime_ns, "it was read again for the same names"


@pytest.mark.parametrize("code", [b"def (:\n", b"'\xff'\n", b"\0"])
def test_a_file_that_is_no_python(project: Path, build: Build, code: bytes) -> None:
    """It is warned of in one line that names the file; the others are listed."""
    page = project / "docs" / "plain.rst"
    page.write_text("Plain\n=====\n\n.. name-index::\n", encoding="utf-8")
    (project / "docs" / "cheatsheet" / "tcp.rst").write_text(
        "TCP\n===\n", encoding="utf-8"
    )
    (project / "docs" / "reference.rst").write_text("R\n=\n", encoding="utf-8")
    (project / "snippets" / "echo_trial.py").write_bytes(code)
    (project / "snippets" / "shout_trial.py").write_text("import os\nos.fork\n")
    printed = build("html", warnings=3)  # two of them of sections that are not shown
    assert re.search(r"echo_trial\.py:\d+: .+: mend it", printed)
    html = (project / "build" / "html" / "plain.html").read_text(encoding="utf-8")
    assert "os.fork" in html
