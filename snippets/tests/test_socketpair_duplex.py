"""socketpair_duplex, and what socketpair_pipe has in common with it.

Everything that forks runs in a process of its own: pytest may have threads.
"""

import inspect
import re
import subprocess
import sys
from types import ModuleType

import pytest

import socketpair_duplex
import socketpair_pipe
from support.server import SNIPPETS, Ended, environment, run

DEADLINE = 10.0  # seconds for any one call
BOTH = [socketpair_duplex, socketpair_pipe]


def name(module: ModuleType) -> str:
    """Return what a parametrized test shows for *module*."""
    return module.__name__


def run_changed(module: ModuleType, *lines: str) -> Ended:
    """Run *lines* in a new process, with *module* imported as ``m``."""
    source = "\n".join(
        [
            "import os, signal, socket, sys",
            f"import {module.__name__} as m",
            "sys.argv = ['changed.py']",
            *lines,
        ]
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", source],
        cwd=SNIPPETS,
        env=environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        text=True,
        timeout=DEADLINE,
    )
    return Ended(done.returncode, done.stdout, done.stderr)


def test_each_line_is_printed_once_and_in_order() -> None:
    """What both sides print comes once, in the order of the conversation.

    Standard output is no terminal here, so what is not flushed before fork comes twice.
    """
    ended = run("socketpair_duplex")
    assert (0, "") == (ended.status, ended.stderr)
    pids = re.match(r"parent pid: (\d+)\nchild pid: (\d+)\n", ended.stdout)
    assert pids is not None
    parent, child = pids[1], pids[2]
    assert parent != child
    expected = [
        f"parent pid: {parent}",
        f"child pid: {child}",
        f"c[{child}] ---> p[{parent}]: b'Hello Parent'",
        f"p[{parent}] ---> c[{child}]: b'Hello Child'",
        "child: EOF",
        "parent: EOF",
        "child ended: exit status 0",
    ]
    assert expected == ended.stdout.splitlines()


@pytest.mark.parametrize("module", BOTH, ids=name)
@pytest.mark.parametrize(
    ("death", "told"),
    [
        ("os._exit(3)", "exit status 3"),
        ("os._exit(0)", "exit status 0"),
        ("os.kill(os.getpid(), signal.SIGKILL)", "signal 9"),
    ],
    ids=["at-once", "without-a-word", "killed"],
)
def test_a_child_that_dies_early_is_told(
    module: ModuleType, death: str, told: str
) -> None:
    """However the child dies, that is one line which says how, and exit status 1."""
    ended = run_changed(module, f"m.child = lambda sock: {death}", "m.main()")
    assert (1, 1) == (ended.status, ended.stderr.count("\n"))
    assert ended.stderr.startswith(f"the child ended early, {told}: ")


@pytest.mark.parametrize(
    ("module", "begin"),
    [
        (socketpair_duplex, "m.send(sock, b'Hello Parent')"),
        (socketpair_pipe, "sock.recv(1)"),
    ],
    ids=["socketpair_duplex", "socketpair_pipe"],
)
def test_a_child_that_leaves_bytes_unread_is_told(
    module: ModuleType, begin: str
) -> None:
    """The reset or the broken pipe that the parent then sees is the same one line."""
    ended = run_changed(
        module, f"m.child = lambda sock: ({begin}, os._exit(4))", "m.main()"
    )
    assert (1, 1) == (ended.status, ended.stderr.count("\n"))
    assert ended.stderr.startswith("the child ended early, exit status 4: ")


def test_an_eof_in_place_of_an_answer_is_told() -> None:
    """A child that reads a line and leaves without an answer has ended early."""
    ended = run_changed(
        socketpair_pipe,
        "def child(sock):",
        "    sock.makefile().readline()",
        "    os._exit(0)",
        "m.child = child",
        "m.main()",
    )
    expected = "the child ended early, exit status 0: no answer\n"
    assert (1, expected) == (ended.status, ended.stderr)


@pytest.mark.parametrize("module", BOTH, ids=name)
def test_a_fault_in_the_child_is_one_line_of_its_own(module: ModuleType) -> None:
    """An OSError in the child is a line of the child's, then one of the parent's."""
    ended = run_changed(
        module,
        "def child(sock):",
        "    raise OSError(28, 'No space left on device')",
        "m.child = child",
        "m.main()",
    )
    assert 1 == ended.status
    lines = ended.stderr.splitlines()
    assert 2 == len(lines)
    assert "child: [Errno 28] No space left on device" == lines[0]
    assert lines[1].startswith("the child ended early, exit status 1: ")


@pytest.mark.parametrize("module", BOTH, ids=name)
def test_a_mistake_in_the_child_shows_where_it_is(module: ModuleType) -> None:
    """Who edits child() wrongly sees a traceback, and the child goes no further."""
    ended = run_changed(module, "m.child = lambda sock: mistake", "m.main()")
    assert 1 == ended.status
    assert "NameError: name 'mistake' is not defined" in ended.stderr
    assert 1 == ended.stderr.count("Traceback")
    assert 1 == ended.stderr.count("the child ended early, exit status 1: ")


@pytest.mark.parametrize("module", BOTH, ids=name)
def test_a_child_that_ends_late_in_trouble_is_told(module: ModuleType) -> None:
    """When all was said and the child fails after it, that is exit status 1, too."""
    ended = run_changed(
        module,
        "def child(sock, child=m.child):",
        "    child(sock)",
        "    os._exit(5)",
        "m.child = child",
        "m.main()",
    )
    expected = "the child ended early, exit status 5: all was said\n"
    assert (1, expected) == (ended.status, ended.stderr)


@pytest.mark.parametrize("module", BOTH, ids=name)
def test_the_child_is_reaped(module: ModuleType) -> None:
    """After main() there is no child left to wait for, also where it died."""
    for change in ("pass", "m.child = lambda sock: os._exit(3)"):
        ended = run_changed(
            module,
            change,
            "try:",
            "    m.main()",
            "except SystemExit:",
            "    pass",
            "try:",
            "    os.waitpid(-1, 0)",
            "except ChildProcessError:",
            "    print('no child')",
        )
        assert "no child" == ended.stdout.splitlines()[-1]


@pytest.mark.parametrize("module", BOTH, ids=name)
def test_each_side_closes_the_end_of_the_other(module: ModuleType) -> None:
    """Each side sees EOF although its peer only closes its own end."""
    ended = run_changed(
        module,
        "def child(sock):",
        "    print('child got', sock.recv(1), flush=True)",
        "pid, sock = m.spawn(child)",
        "sock.close()",
        "print('parent waited:', m.wait(pid), flush=True)",
        "pid, sock = m.spawn(lambda sock: sock.close())",
        "with sock:",
        "    print('parent got', sock.recv(1), flush=True)",
        "m.wait(pid)",
    )
    expected = ["child got b''", "parent waited: exit status 0", "parent got b''"]
    assert expected == ended.stdout.splitlines()
    assert "" == ended.stderr


@pytest.mark.parametrize("module", BOTH, ids=name)
def test_nothing_buffered_is_printed_twice_or_lost(module: ModuleType) -> None:
    """Text in the buffer at fork, and the child's own without a flush, come once."""
    ended = run_changed(
        module,
        "print('before')",
        "pid, sock = m.spawn(lambda sock: print('in the child'))",
        "sock.close()",
        "m.wait(pid)",
        "print('after')",
    )
    assert ["before", "in the child", "after"] == ended.stdout.splitlines()


@pytest.mark.parametrize("module", BOTH, ids=name)
def test_the_child_goes_no_further(module: ModuleType) -> None:
    """What follows in the program, and what it does at exit, is done by the parent."""
    ended = run_changed(
        module,
        "import atexit",
        "atexit.register(print, 'at exit')",
        "try:",
        "    pid, sock = m.spawn(lambda sock: None)",
        "finally:",
        "    print('after', flush=True)",
        "sock.close()",
        "m.wait(pid)",
    )
    assert ["after", "at exit"] == ended.stdout.splitlines()


@pytest.mark.parametrize("module", BOTH, ids=name)
def test_a_parent_that_is_interrupted_reaps_the_child(module: ModuleType) -> None:
    """Ctrl-C in the parent is quiet, and leaves no child to wait for."""
    ended = run_changed(
        module,
        "def parent(*_):",
        "    raise KeyboardInterrupt",
        "m.parent = parent",
        "m.main()",
        "try:",
        "    os.waitpid(-1, 0)",
        "except ChildProcessError:",
        "    print('no child')",
    )
    assert (0, "") == (ended.status, ended.stderr)
    assert "no child" == ended.stdout.splitlines()[-1]


@pytest.mark.parametrize("module", BOTH, ids=name)
def test_a_child_without_a_parent_is_quiet(module: ModuleType) -> None:
    """A child that cannot answer any more ends without a word, with status 1."""
    ended = run_changed(
        module,
        "ours, theirs = socket.socketpair()",
        "socket.socketpair = lambda: (ours, theirs)",
        "ours.sendall(b'x\\n')",
        "ours.shutdown(socket.SHUT_RDWR)",
        "pid, sock = m.spawn(m.child)",
        "print(m.wait(pid))",
        "sock.close()",
    )
    assert ("exit status 1", "") == (ended.stdout.splitlines()[-1], ended.stderr)


@pytest.mark.parametrize("module", BOTH, ids=name)
def test_an_interrupted_child_is_quiet(module: ModuleType) -> None:
    """A child ended by Ctrl-C shows no traceback, and has the status for it."""
    ended = run_changed(
        module,
        "def child(sock):",
        "    raise KeyboardInterrupt",
        "pid, sock = m.spawn(child)",
        "sock.close()",
        "print(m.wait(pid))",
    )
    assert ("exit status 130\n", "") == (ended.stdout, ended.stderr)


@pytest.mark.parametrize("module", BOTH, ids=name)
def test_no_process_to_be_had_is_one_line(module: ModuleType) -> None:
    """Where fork fails, that is one line and exit status 1, with both ends closed."""
    ended = run_changed(
        module,
        "def fork():",
        "    raise BlockingIOError(11, 'Resource temporarily unavailable')",
        "os.fork = fork",
        "m.main()",
    )
    expected = "cannot start a child: [Errno 11] Resource temporarily unavailable\n"
    assert (1, expected) == (ended.status, ended.stderr)


def test_a_message_that_is_cut_off_is_an_error() -> None:
    """EOF in a header or in a message is no message."""
    ended = run_changed(
        socketpair_duplex,
        "for cut in (b'', b'\\0\\0', b'\\0\\0\\0\\5Hell'):",
        "    a, b = socket.socketpair()",
        "    with a, b, b.makefile('rb') as stream:",
        "        m.send(a, b'Hello')",
        "        a.sendall(cut)",
        "        a.close()",
        "        print(m.receive(stream))",
        "        try:",
        "            print(m.receive(stream))",
        "        except EOFError as error:",
        "            print(error)",
    )
    why = "the other side has left before its message was complete"
    assert ["b'Hello'", why] * 3 == ended.stdout.splitlines()


def test_messages_keep_their_boundaries() -> None:
    """Messages of any length, sent at once, come out one by one."""
    ended = run_changed(
        socketpair_duplex,
        "messages = [b'', b'a', bytes(range(256)), bytes(100_000), b'\\0' * 4, b'end']",
        "def child(sock):",
        "    for message in messages:",
        "        m.send(sock, message)",
        "pid, sock = m.spawn(child)",
        "with sock, sock.makefile('rb') as stream:",
        "    print([m.receive(stream) for _ in messages] == messages)",
        "m.wait(pid)",
    )
    assert ("True\n", "") == (ended.stdout, ended.stderr)


@pytest.mark.parametrize("function", ["spawn", "wait"])
def test_the_two_programs_fork_by_the_same_lines(function: str) -> None:
    """Where the two programs do not mean to differ, they are the same."""
    sources = [inspect.getsource(getattr(module, function)) for module in BOTH]
    assert sources[0] == sources[1]


def test_wrong_usage() -> None:
    """It takes no arguments: exit status 2."""
    assert 2 == run("socketpair_duplex", "x").status
