"""Transcripts pass where the page is true, and fail wherever it is not."""

import signal
import textwrap
from pathlib import Path

import pytest

from support import transcripts
from support.pages import PageError, parse
from support.transcripts import TranscriptError, fits, matches

pytestmark = [pytest.mark.linux, pytest.mark.usefixtures("needs_sandbox")]
SHORT = 1.0  # seconds: for what never comes


def block(text: str, caption: str = "shell", typed: str = "") -> str:
    """Return a console block."""
    options = f"   :caption: {caption}\n" + (
        f"   :emphasize-lines: {typed}\n" if typed else ""
    )
    content = textwrap.indent(textwrap.dedent(text).strip("\n"), "   ")
    return f".. code-block:: console\n{options}\n{content}\n\n"


def page(tmp_path: Path, *blocks: str) -> Path:
    """Write a page of one section with *blocks*."""
    path = tmp_path / "page.rst"
    path.write_text("Title\n=====\n\nSection\n-------\n\n" + "".join(blocks) + "End.\n")
    return path


def check(path: Path, deadline: float = transcripts.DEADLINE) -> None:
    """Run the only section of *path*."""
    (section,) = parse(path)
    transcripts.check(section, deadline=deadline)


SERVER = block(
    """
    $ python snippets/tcp_echo_server.py
    listening on 127.0.0.1:5566
    """,
    "server",
)


def test_a_true_page_passes(tmp_path: Path) -> None:
    """Several consoles, typed lines, keys, continued commands and wildcards work."""
    client = block("$ nc localhost 5566\nHello\nHello\n", "client", "2")
    more = block("Ω €\nΩ €\n^C\n", "client", "1, 3")
    shell = block(
        """
        $ echo one \\
        > two
        one two
        $ echo $$ is a pid
        ... is a pid
        $ echo '>>> def f():'; echo '... '
        >>> def f():
        ...
        $ printf 'no newline'
        no newline
        $ cat
        in
        in
        ^D
        $ false
        $ echo $?
        1
        """,
        "shell",
        "12, 14",
    )
    end = block("^C\n$ echo $?\n0\n", "server", "1")
    check(page(tmp_path, SERVER, client, shell, more, end))


def test_keys_work_where_the_tests_run_in_the_background(tmp_path: Path) -> None:
    """What a shell starts with "&" ignores Ctrl-C; the consoles do not."""
    client = block("$ nc localhost 5566\nHello\nHello\n^C\n", "client", "2, 4")
    handler = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        check(page(tmp_path, SERVER, client))
    finally:
        signal.signal(signal.SIGINT, handler)


def test_consoles_run_on_the_host_in_their_caption(tmp_path: Path) -> None:
    """A caption that ends in "on bob" runs on a second host, joined to the first."""
    alice = block("$ hostname\nalice\n", "shell on alice")
    bob = block(
        "$ hostname\nbob\n$ getent hosts alice | grep -o '^[0-9.]*'\n192.0.2.1\n",
        "on bob",
    )
    connect = block(
        "$ (: </dev/tcp/alice/5566) 2>&1 | grep -o refused | uniq\nrefused\n",
        "try on bob",
    )
    check(page(tmp_path, alice, bob, connect))


# A program that Ctrl-C does to what the page names.
TRAP = (
    "$ python -c 'import signal; signal.signal(2, lambda *_: %s);"
    ' print("listening on x", flush=True); [signal.pause() for _ in iter(int, 1)]\'\n'
    "listening on x\n"
)
# A program that says more than the page before it is typed to.
EARLY = "$ sh -c 'echo a; echo b; cat'\na\nin\nin\n"
# A server that dies of its first client, and a client that waits until it is gone.
MORTAL = "mkfifo pipe; sh -c 'echo $$ >pid; echo listening on x; read x <pipe; exit 4'"
KILLER = "echo >pipe; while kill -0 $(cat pid) 2>/dev/null; do :; done"


@pytest.mark.parametrize(
    ("why", "blocks"),
    [
        ("the output differs", [block("$ echo yes\nno\n")]),
        ("the output differs", [block("$ echo yes\nyes!\n")]),
        ("the output differs", [block("$ echo yes\ny\n")]),
        ("the output differs, and the program ended", [block("$ true\nyes\n")]),
        ("the output differs", [block("$ seq 3\n1\n2\n")]),
        ("the output differs", [block("$ seq 3\n1\n3\n")]),
        ("the output differs", [block("$ seq 3\n2\n3\n")]),
        ("the output differs", [block("$ printf '1\\n\\n2\\n'\n1\n2\n")]),
        ("the output differs", [block("$ echo '  x'\nx\n")]),
        ("the output differs", [block("$ echo pid\npid...\n")]),
        ("the output differs", [block("$ echo pid\npid\n...\n")]),
        ("the output differs", [block("$ echo bad luck\n... luck\n")]),
        ("the output differs", [block("$ seq 3\n1\n...\n")]),
        ("the output differs", [block("$ printf '1\\n\\n'\n1\n$\n$ true\n")]),
        ("the output differs", [block("$ echo 1\n1\n\n$\n")]),
        ("the output differs", [block("$ no-such-program\n")]),
        ("the output differs", [block("$ seq 2\n1\n2\n$ seq 2\n1\n2\n3\n$ true\n")]),
        ("output is missing", [block("$ sh -c 'echo 1; exec sleep 99'\n1\n2\n")]),
        ("has not ended", [block("$ sleep 99\n")]),
        ("has not ended", [block("$ sleep 99\n$ true\n")]),
        ("has not ended", [block("$ cat\nin\nin\n$ true\n", typed="2")]),
        (
            "has not ended",
            [block("$ sh -c 'trap \"\" INT; echo a; cat'\na\n^C\n", typed="3")],
        ),
        ("output is missing", [block("$ cat >/dev/null\nin\nin\n", typed="2")]),
        (
            "page needs it|no program is running",
            [block("$ true\nin\nin\n", typed="2")],
        ),
        ("the program ended", [block("$ true\n"), block("more\n")]),
        ("output that the page does not show|differs", [block(EARLY, typed="3")]),
        ("Ctrl-C did not end the program", [block(TRAP % "0")]),
        ("does not show: 'bye", [block(TRAP % 'exit("bye")')]),
        (r"exit status 7\), the program said", [block(TRAP % "exit(7)")]),
        (
            r"the program had ended \(exit status 4\)",
            [
                block("$ " + MORTAL + "\nlistening on x\n", "server"),
                block("$ " + KILLER + "\n", "client"),
            ],
        ),
        ("end what runs in the background", [block("$ sleep 99 &\n[1] ...\n")]),
        ("has not ended", [block("$ exit\nexit\n")]),
    ],
)
def test_an_untrue_page_fails(tmp_path: Path, why: str, blocks: list[str]) -> None:
    """Wrong, missing and extra output, hangs and dead programs fail with the reason."""
    path = page(tmp_path, *blocks)
    with pytest.raises(TranscriptError, match=why) as caught:
        check(path, SHORT)
    assert str(caught.value).startswith(f"{path}:")


def test_output_after_the_block_fails(tmp_path: Path) -> None:
    """What a server says later, and no block shows, fails the section."""
    server = block(
        "$ python snippets/tcp_echo_server_dual_stack.py --host ::\n"
        "listening on [::]:5566\n",
        "server",
    )
    client = block("$ nc -4 localhost 5566\nHello\nHello\n^C\n", "client", "2, 4")
    with pytest.raises(TranscriptError, match=r"does not show: .*::ffff:127.0.0.1"):
        check(page(tmp_path, server, client))


MAYFLY = """\
import socket
with socket.create_server(("localhost", 5566)) as listener:
    print("listening on x", flush=True)
    conn, _ = listener.accept()
    with conn:
        while chunk := conn.recv(100):
            conn.sendall(chunk)
"""


@pytest.mark.parametrize("attempt", range(5))
def test_a_server_that_ends_with_its_client_fails(tmp_path: Path, attempt: int) -> None:
    """A server that ends quietly, while the section ends, is noticed each time."""
    mayfly = tmp_path / f"mayfly{attempt}.py"
    mayfly.write_text(MAYFLY)
    server = block(f"$ python {mayfly}\nlistening on x\n", "server")
    client = block("$ nc localhost 5566\nHello\nHello\n^C\n", "client", "2, 4")
    with pytest.raises(TranscriptError, match=r"had ended \(exit status 0\)"):
        check(page(tmp_path, server, client))
    key = block("^C\n", "server", "1")
    with pytest.raises(TranscriptError, match="no program is running"):
        check(page(tmp_path, server, client, key))


def test_recording_waits_for_what_the_page_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A slow answer is not lost, and a block is never left empty."""
    monkeypatch.setattr(transcripts, "QUIET", 0.1)
    slow = "$ sh -c 'read x; sleep 0.4; echo $x; cat'\nHello\nHello\n^C\n"
    path = page(tmp_path, block(slow, typed="2, 4"))
    (section,) = parse(path)
    assert path.read_text() == transcripts.record(section)
    monkeypatch.setattr(transcripts, "PATIENCE", 1.0)
    server = block(
        "$ sh -c 'echo listening on x; exec cat'\nlistening on x\n", "server"
    )
    silent = block("listening on ...\n", "server")
    path = page(tmp_path, server, silent)
    (section,) = parse(path)
    with pytest.raises(TranscriptError, match="nothing came"):
        transcripts.record(section)


def test_a_failure_shows_the_difference(tmp_path: Path) -> None:
    """The report has file, line, a diff, and what the other consoles said."""
    client = block("$ nc localhost 5567\nHello\n", "client")
    path = page(tmp_path, SERVER, client)
    with pytest.raises(TranscriptError) as caught:
        check(path)
    report = str(caught.value).splitlines()
    assert report[0].startswith(f"{path}:13: console 'client': the output differs")
    assert "-Hello" in report
    assert " $ nc localhost 5567" in report


@pytest.mark.parametrize(
    ("expected", "actual", "fit"),
    [
        ("a...c", "a1c", True),
        ("a.c", "a.c", True),
        ("a.c", "abc", False),
        ("a...c", "ac", False),
        ("a...c", "a1cd", False),
        ("pid ...", "pid 4711", True),
        ("pid ...", "pid unknown", False),
        ("pid ...", "pid ...", True),
        ("took ... s", "took 1.5e-06 s", True),
        ("took ... s", "took 1 or 2 s", False),
        ("('::1', ..., 0, ...)", "('::1', 5566, 0, 2)", True),
        ("('::1', ...)", "('::1', 5566, 0, 2)", False),
        ("at ...: up", "at 2026-11-22T03:04:05.678+00:00: up", True),
        ("at ...: up", "at 0x7ffe1c: up", True),
        ("digest ...", "digest e3b0c442", True),
        ("digest ...", "digest bad", False),
        ("...", "Traceback (most recent call last):", False),
    ],
)
def test_a_wildcard_stands_for_a_value(expected: str, actual: str, fit: bool) -> None:
    """``...`` is a number, a time or the like, never words that say what happened."""
    assert fit == fits(expected, actual)


def test_a_wildcard_stands_in_one_line() -> None:
    """``...`` alone is one value on its line, not lines that are left out."""
    assert matches(["1", "...", "9"], ["1", "2", "9"])
    assert not matches(["1", "...", "9"], ["1", "2", "3", "9"])
    assert not matches(["1", "...", "9"], ["1", "9"])
    assert not matches(["..."], [])
    assert not matches([], ["x"])


def test_output_may_end_in_an_empty_line(tmp_path: Path) -> None:
    """A bare prompt as the last line keeps the empty line; recording writes it."""
    path = page(tmp_path, block("$ printf '1\\n\\n'\n1\n"))
    with pytest.raises(TranscriptError, match="the output differs"):
        check(path)
    (section,) = parse(path)
    path.write_text(transcripts.record(section))
    assert "   1\n\n   $\n\nEnd.\n" in path.read_text()
    check(path)
    answer = "$ sh -c 'read x; echo $x; echo'\nHello\nHello\n\n$\n"
    check(page(tmp_path, block(answer, typed="2")))


def test_recording_writes_what_happens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rewriting corrects output and keeps wildcards; then the page passes."""
    monkeypatch.setattr(transcripts, "PATIENCE", 1.0)
    monkeypatch.setattr(transcripts, "QUIET", 0.25)
    path = page(
        tmp_path,
        SERVER.replace("5566", "9", 1).replace("tcp_echo", "tcp_echo", 1),
        block(
            "$ nc localhost 5566\nHello\nOld\nnoise\nThere\n^C\n", "client", "2, 5, 6"
        ),
        block("$ echo $$ is a pid; seq 2\n... is a pid\n1\n", "shell"),
        block("^C\n$ echo ok\n", "server", "1"),
    )
    (section,) = parse(path)
    path.write_text(transcripts.record(section))
    text = path.read_text()
    assert "listening on 127.0.0.1:5566" in text
    assert "   Hello\n   Hello\n   There\n   There\n   ^C\n" in text
    assert ":emphasize-lines: 2, 4, 6" in text
    assert "   ... is a pid\n   1\n   2\n" in text
    assert "   $ echo ok\n   ok\n" in text
    assert text.endswith("End.\n")
    check(path)


@pytest.mark.parametrize(
    ("why", "text"),
    [
        ("is empty", ".. code-block:: console\n\n"),
        ("indented less", ".. code-block:: console\n\n      $ a\n   b\n"),
        (
            "use numbers from 1 to 1",
            ".. code-block:: console\n   :emphasize-lines: 2\n\n   $ b\n",
        ),
        (
            "such as 2, 4-6",
            ".. code-block:: console\n   :emphasize-lines: x\n\n   $ b\n",
        ),
        ("option linenos", ".. code-block:: console\n   :linenos:\n\n   $ b\n"),
        ("start with a command", ".. code-block:: console\n\n   b\n"),
    ],
)
def test_a_malformed_block_is_refused(tmp_path: Path, why: str, text: str) -> None:
    """The error says file and line of the block, what is wrong and what to do."""
    path = page(tmp_path, "Prose.\n\n", text, "\n")
    with pytest.raises(PageError, match=why) as caught:
        parse(path)
    assert str(caught.value).startswith(f"{path}:9: ")


def test_a_block_outside_sections_is_refused(tmp_path: Path) -> None:
    """A console block above the first section would belong to nothing."""
    path = tmp_path / "page.rst"
    path.write_text("Title\n=====\n\n.. code-block:: console\n\n   $ true\n")
    with pytest.raises(PageError, match=f"{path}:4: .* in no section"):
        parse(path)
