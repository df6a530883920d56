"""sendfile_tcp: a file arrives whole or not at all, and both sides know which.

Everything that forks runs in a process of its own: pytest may have threads.
"""

import contextlib
import inspect
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import sendfile_copy
import sendfile_tcp
from sendfile_tcp import CHUNK, STORED
from support.sandbox import Sandbox, SandboxError
from support.server import SNIPPETS, Ended, Server, environment, free_port, run

DEADLINE = 10.0  # seconds for any one call
BYTES = bytes(range(256))  # all of them, and no two alike next to each other
SIZES = [0, 1, 255, CHUNK - 1, CHUNK, CHUNK + 1, 3_000_000]
GONE = "the sender has left before the file was complete"

Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Return a folder in which no unfinished file may be left."""
    yield tmp_path
    assert [] == list(tmp_path.rglob(".part-*"))


@pytest.fixture
def original(folder: Path) -> Path:
    """Return a file of 300 KiB."""
    path = folder / "original"
    path.write_bytes(BYTES * 1_200)
    return path


@pytest.fixture
def pair() -> Iterator[Pair]:
    """Return the two ends of a TCP connection, the sender's first."""
    near, far = sendfile_tcp.connected_pair("localhost", 0)
    with near, far:
        for sock in (near, far):
            sock.settimeout(DEADLINE)
        yield near, far


@contextlib.contextmanager
def meanwhile(work: Callable[[], object]) -> Iterator[list[object]]:
    """Do *work* in a thread for the time of a ``with`` block; its result is there then.

    What it raises is a result, too.
    """
    results: list[object] = []

    def keep() -> None:
        try:
            results.append(work())
        except (OSError, EOFError) as error:
            results.append(error)

    thread = threading.Thread(target=keep, daemon=True)
    thread.start()
    yield results
    thread.join(DEADLINE)
    assert not thread.is_alive()


def header(size: int) -> bytes:
    """Return how a sender says that *size* bytes will follow."""
    return struct.pack("!Q", size)


def main(*arguments: str) -> object:
    """Run ``main()`` and return its exit status or what it says at the end."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["sendfile_tcp.py", *arguments])
        try:
            sendfile_tcp.main()
        except SystemExit as ended:
            return ended.code
    return 0


def run_changed(*lines: str, arguments: list[str]) -> Ended:
    """Run *lines* in a new process, with the snippet imported as ``m``, then main()."""
    source = [
        "import os, signal, sys",
        "import sendfile_tcp as m",
        f"sys.argv = {['changed.py', '--port', '0', *arguments]!r}",
        *lines,
    ]
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", "\n".join(source)],
        cwd=SNIPPETS,
        env=environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        text=True,
        timeout=DEADLINE,
    )
    return Ended(done.returncode, done.stdout, done.stderr)


@pytest.mark.parametrize("size", SIZES)
def test_every_byte_arrives(folder: Path, pair: Pair, size: int) -> None:
    """A file of any size arrives whole, and both sides know its size."""
    near, far = pair
    source, target = folder / "source", folder / "target"
    source.write_bytes((BYTES * (size // 256 + 1))[:size])
    with (
        sendfile_tcp.opened(str(source)) as file,
        meanwhile(lambda: sendfile_tcp.send(near, file)) as sent,
    ):
        assert size == sendfile_tcp.receive(far, str(target))
    assert [size] == sent
    assert source.read_bytes() == target.read_bytes()


def test_what_is_sent(original: Path, pair: Pair) -> None:
    """The size goes first, as eight bytes, then the file, and nothing after it."""
    near, far = pair
    with sendfile_tcp.opened(str(original)) as file:
        with meanwhile(lambda: sendfile_tcp.send(near, file)) as sent:
            with far.makefile("rb") as stream:
                assert header(300 * 1024) == stream.read(8)
                assert original.read_bytes() == stream.read(300 * 1024)
            far.sendall(STORED)
        near.shutdown(socket.SHUT_WR)
        assert b"" == far.recv(1)
    assert [300 * 1024] == sent


def test_sendfile_is_what_sends(original: Path, pair: Pair) -> None:
    """The bytes of the file go by os.sendfile: send() gets the eight of the size."""
    near, far = pair
    with (
        sendfile_tcp.opened(str(original)) as file,
        pytest.MonkeyPatch.context() as patch,
        meanwhile(lambda: sendfile_tcp.receive(far, f"{original}.copy")),
    ):
        calls: list[int] = []
        sendfile = os.sendfile

        def counted(*arguments: int) -> int:
            calls.append(sendfile(*arguments))
            return calls[-1]

        patch.setattr(os, "sendfile", counted)
        sendfile_tcp.send(near, file)
        assert 300 * 1024 == sum(calls)


def test_bytes_that_come_one_at_a_time(folder: Path, pair: Pair) -> None:
    """However the stream is cut into pieces, the file is the same."""
    near, far = pair
    target = folder / "copy"
    with meanwhile(lambda: sendfile_tcp.receive(far, str(target))) as received:
        near.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in header(256) + BYTES:
            near.sendall(bytes([byte]))
        assert STORED == near.recv(1)
    assert [256] == received
    assert target.read_bytes() == BYTES


@pytest.mark.parametrize("before", [None, b"old"], ids=["new-target", "old-target"])
@pytest.mark.parametrize(
    "stream",
    [b"", header(1)[:7], header(1), header(300) + BYTES, header(2**64 - 1) + BYTES],
    ids=["nothing", "half-a-size", "size-alone", "half-a-file", "not-all-there-is"],
)
def test_what_is_cut_short_is_refused(
    folder: Path, pair: Pair, stream: bytes, before: bytes | None
) -> None:
    """Less than was announced is no file, and the target is as it was."""
    near, far = pair
    target = folder / "copy"
    if before is not None:
        target.write_bytes(before)
    near.sendall(stream)
    near.close()
    with pytest.raises(EOFError, match=GONE):
        sendfile_tcp.receive(far, str(target))
    assert before == (target.read_bytes() if target.exists() else None)


def test_a_sender_that_resets_is_refused(folder: Path, pair: Pair) -> None:
    """A connection that is reset leaves no file, as one that ends."""
    near, far = pair
    near.sendall(header(300) + BYTES)
    near.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    near.close()
    with pytest.raises(ConnectionResetError):
        sendfile_tcp.receive(far, str(folder / "copy"))
    assert [] == list(folder.iterdir())


def test_a_side_that_stalls_is_given_up(
    original: Path, pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the other side neither goes on nor leaves, a time-out ends the wait."""
    near, far = pair
    for sock in pair:
        sock.settimeout(0.05)
    with pytest.raises(TimeoutError):
        sendfile_tcp.receive(far, str(original.with_name("copy")))
    with original.open("ab") as file:
        file.truncate(64 * 1024 * 1024)  # more than the buffers hold
    with sendfile_tcp.opened(str(original)) as file, pytest.raises(TimeoutError):
        sendfile_tcp.send(near, file)
    monkeypatch.setattr(sendfile_tcp, "TIMEOUT", 0.125)
    ends = sendfile_tcp.connected_pair("localhost", 0)
    assert [0.125, 0.125] == [end.gettimeout() for end in ends]
    for end in ends:
        end.close()


def test_the_target_is_there_when_the_sender_is_told(folder: Path, pair: Pair) -> None:
    """Only when the file has its name is the sender told that it is stored."""
    near, far = pair
    target = folder / "copy"
    with meanwhile(lambda: sendfile_tcp.receive(far, str(target))):
        near.sendall(header(256) + BYTES[:-1])
        assert not target.exists()
        near.sendall(BYTES[-1:])
        assert STORED == near.recv(1)
        assert target.read_bytes() == BYTES


@pytest.mark.parametrize("change", [1, 1_000, -1], ids=["to-1", "to-1000", "longer"])
def test_a_source_that_changes_its_size(
    original: Path, pair: Pair, change: int
) -> None:
    """What is cut off meanwhile is told on both sides; what is added is left out."""
    near, far = pair
    target, size = original.with_name("copy"), original.stat().st_size

    class Changing(socket.socket):
        """A socket with a file that changes once its size is sent."""

        def sendall(self, *arguments: object) -> None:
            """Send the size, then change the file."""
            super().sendall(*arguments)  # type: ignore[arg-type]
            os.truncate(original, change if change > 0 else size + 1)

    with Changing(fileno=near.detach()) as sock:
        sock.settimeout(DEADLINE)
        with (
            sendfile_tcp.opened(str(original)) as file,
            meanwhile(lambda: sendfile_tcp.receive(far, str(target))) as received,
        ):
            if change < 0:
                assert size == sendfile_tcp.send(sock, file)
            else:
                with pytest.raises(OSError, match=f"to {change} of {size} bytes"):
                    sendfile_tcp.send(sock, file)
            sock.close()
    if change < 0:
        assert ([size], BYTES * 1_200) == (received, target.read_bytes())
    else:
        assert [GONE] == [str(error) for error in received]
        assert not target.exists()


@pytest.mark.parametrize("taken", [0, 8, 100_000])
def test_a_receiver_that_leaves_is_one_line(folder: Path, taken: int) -> None:
    """Where the receiver leaves midway, the sender says so in one line."""
    source = folder / "source"
    with source.open("wb") as file:
        file.truncate(64 * 1024 * 1024)  # more than the buffers hold

    def take_and_leave() -> None:
        conn, _ = listener.accept()
        with conn, conn.makefile("rb") as stream:
            stream.read(taken)

    with sendfile_tcp.create_listener("localhost", 0) as listener:
        listener.settimeout(DEADLINE)
        port = str(listener.getsockname()[1])
        with meanwhile(take_and_leave):
            said = str(main("--send", str(source), "--port", port))
    assert said.startswith("the other side has left: [Errno ")
    assert 1 == len(said.splitlines())


@pytest.mark.parametrize("answer", [b"", b"?"])
def test_sent_is_not_stored(original: Path, answer: bytes) -> None:
    """A receiver that has taken all and does not say that it is stored is told of."""

    def take_all() -> None:
        conn, _ = listener.accept()
        with conn, conn.makefile("rb") as stream:
            stream.read(8 + 300 * 1024)
            conn.sendall(answer)

    with sendfile_tcp.create_listener("localhost", 0) as listener:
        listener.settimeout(DEADLINE)
        port = str(listener.getsockname()[1])
        with meanwhile(take_all):
            said = main("--send", str(original), "--port", port)
    why = "the receiver has left before the file was stored"
    assert f"cannot transfer the file: {why}" == said


def test_a_stranger_who_connects_first_is_sent_away(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The two ends are of one connection, whoever else finds the port in time."""
    connect = socket.create_connection
    strangers: list[socket.socket] = []

    def late(address: tuple[str, int], timeout: float) -> socket.socket:
        strangers.append(connect(address, timeout))
        return connect(address, timeout)

    monkeypatch.setattr(socket, "create_connection", late)
    near, far = sendfile_tcp.connected_pair("localhost", 0)
    with near, far, strangers[0] as stranger:
        assert near.getsockname() == far.getpeername()
        assert b"" == stranger.recv(1)


def test_two_commands(original: Path) -> None:
    """A receiver and a sender, each its own command, transfer a file and end."""
    target = original.with_name("copy")
    with Server("sendfile_tcp", "--receive", str(target)) as receiver:
        port = str(receiver.address[1])
        sender = run("sendfile_tcp", "--send", str(original), "--port", port)
        receiver.process.wait(DEADLINE)
        said = receiver.stdout
    assert (0, "sent 307200 bytes\n", "") == (
        sender.status,
        sender.stdout,
        sender.stderr,
    )
    assert f"listening on 127.0.0.1:{port}\nreceived 307200 bytes\n" == said
    assert original.read_bytes() == target.read_bytes()


def test_one_command(original: Path) -> None:
    """One command does both, says so in this order, and the copy is right."""
    target = original.with_name("copy")
    ended = run(
        *("sendfile_tcp", "--port", "0"),
        *("--send", str(original), "--receive", str(target)),
    )
    told = "sent 307200 bytes\nreceived 307200 bytes\n"
    assert (0, told, "") == (ended.status, ended.stdout, ended.stderr)
    assert original.read_bytes() == target.read_bytes()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("m.send = lambda *_: os._exit(0)", GONE),
        ("m.send = lambda *_: os.kill(os.getpid(), signal.SIGKILL)", GONE),
        (
            "def send(conn, file):\n"
            "    conn.sendall(m.SIZE.pack(9))\n"
            "    raise OSError('the file has shrunk')\n"
            "m.send = send",
            "the file has shrunk",
        ),
        (
            "def receive(conn, path):\n"
            "    raise OSError(28, 'No space left on device')\n"
            "m.receive = receive",
            "[Errno 28] No space left on device",
        ),
    ],
    ids=["ends", "killed", "told-by-the-child", "told-by-the-parent"],
)
def test_with_both_in_one_a_fault_is_one_line(
    original: Path, change: str, said: str
) -> None:
    """Whichever side fails, one line says why, no file is left, the child is reaped."""
    with original.open("ab") as file:
        file.truncate(64 * 1024 * 1024)  # more than the buffers hold
    ended = run_changed(
        change,
        "try:",
        "    m.main()",
        "finally:",
        "    try:",
        "        os.waitpid(-1, 0)",
        "    except ChildProcessError:",
        "        print('no child', flush=True)",
        arguments=["--send", str(original), "--receive", f"{original}.copy"],
    )
    expected = f"cannot transfer the file: {said}\n"
    assert (1, "no child\n", expected) == (ended.status, ended.stdout, ended.stderr)
    assert not Path(f"{original}.copy").exists()


def test_an_interrupt_ends_both(original: Path) -> None:
    """Ctrl-C while both are at work is quiet, and leaves no child to wait for."""
    ended = run_changed(
        "import pathlib, time",
        "parent = os.getpid()",
        "def send(*_):",
        f"    end = time.monotonic() + {DEADLINE / 2}",
        f"    while not list(pathlib.Path({str(original.parent)!r}).glob('.part-*')):",
        "        assert time.monotonic() < end",
        "    os.kill(parent, signal.SIGINT)",
        "    raise KeyboardInterrupt",
        "m.send = send",
        "try:",
        "    m.main()",
        "finally:",
        "    try:",
        "        os.waitpid(-1, 0)",
        "    except ChildProcessError:",
        "        print('no child', flush=True)",
        arguments=["--send", str(original), "--receive", f"{original}.copy"],
    )
    assert (130, "no child\n", "") == (ended.status, ended.stdout, ended.stderr)


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("connected", [False, True])
def test_a_signal_ends_a_receiver(
    folder: Path, signum: signal.Signals, connected: bool
) -> None:
    """A receiver that waits, or that has half a file, ends quietly and leaves none."""
    with (
        Server("sendfile_tcp", "--receive", str(folder / "copy")) as receiver,
        contextlib.ExitStack() as stack,
    ):
        if connected:
            conn = stack.enter_context(receiver.connect())
            conn.sendall(header(300) + BYTES)
            end = time.monotonic() + DEADLINE
            while not list(folder.iterdir()):
                assert time.monotonic() < end
                os.sched_yield()
        ended = receiver.stop(signum)
    assert (130, "") == (ended.status, ended.stderr)
    assert [] == list(folder.iterdir())


@pytest.mark.parametrize(
    ("source", "target", "why"),
    [
        ("missing", None, "No such file or directory: '{source}'"),
        ("missing", "copy", "No such file or directory: '{source}'"),
        ("folder", "copy", "Is a directory: '{source}'"),
        ("fifo", None, "{source} is no regular file with a size: send a copy of it"),
        ("original", "folder", "{target} is no regular file"),
        (None, "folder", "{target} is no regular file"),
        (None, "copy/", "{target}/ is no regular file"),
        (None, "/dev/null", "{target} is no regular file"),
    ],
)
def test_what_cannot_be_transferred_is_one_line(
    original: Path, source: str | None, target: str | None, why: str
) -> None:
    """What is no file, or can be none, is one line, and no other side is needed."""
    (original.parent / "folder").mkdir()
    os.mkfifo(original.parent / "fifo")
    before = sorted(original.parent.rglob("*"))
    arguments = ["--port", "0" if target else "1"]
    paths = {}
    for option, name in (("send", source), ("receive", target)):
        if name:
            path = str(original.parent / name)
            paths["source" if option == "send" else "target"] = path
            arguments += [f"--{option}", path + "/" * name.endswith("/")]
    said = str(main(*arguments))
    assert said.startswith("cannot transfer the file: ")
    assert said.endswith(why.format(**paths))
    assert 1 == len(said.splitlines())
    assert before == sorted(original.parent.rglob("*"))


@pytest.mark.linux
def test_a_file_without_a_size_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """A file in /proc that has content but no size is not sent as an empty one."""
    said = main("--send", "/proc/version", "--port", "1")
    why = "/proc/version is no regular file with a size: send a copy of it"
    assert (f"cannot transfer the file: {why}", "") == (said, capsys.readouterr().out)


def test_nobody_listens(original: Path) -> None:
    """Where no receiver is, that is one line."""
    said = str(main("--send", str(original), "--port", str(free_port())))
    assert "cannot transfer the file: [Errno 111] Connection refused" == said


@pytest.mark.parametrize("mode", [["--receive"], ["--send", "{}", "--receive"]])
def test_a_port_in_use_is_one_line(original: Path, mode: list[str]) -> None:
    """Where somebody else has the port, that is one line."""
    with sendfile_tcp.create_listener("localhost", 0) as listener:
        port = str(listener.getsockname()[1])
        arguments = [word.format(original) for word in mode]
        said = str(main("--port", port, *arguments, f"{original}.copy"))
    assert "cannot transfer the file: [Errno 98] Address already in use" in said


@pytest.mark.linux
def test_a_full_disk_is_one_line() -> None:
    """Where the receiver's disk gets full it says so, and keeps nothing."""
    script = (
        "mkdir full && mount -t tmpfs -o size=1m tmpfs full &&"
        " truncate --size 64M original;"
        f" {sys.executable} -W error snippets/sendfile_tcp.py"
        " --send original --receive full/copy; echo $?; ls -A full"
    )
    try:
        with Sandbox() as sandbox:
            done = sandbox.run("alice", "sh", "-c", script)
    except SandboxError as error:
        pytest.skip(str(error))
    assert (0, "1\n") == (done.returncode, done.stdout)
    why = "[Errno 28] No space left on device"
    assert f"cannot transfer the file: {why}\n" == done.stderr


def test_the_copier_finds_its_target_by_the_same_lines() -> None:
    """Where the two programs do not mean to differ, they are the same."""
    expected = inspect.getsource(sendfile_tcp.place)
    assert expected == inspect.getsource(sendfile_copy.place)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ([], "--send FILE, --receive FILE or both"),
        (["original"], "original"),
        (["--send"], "--send"),
        (["--send", "x", "--port", "65536"], "--port"),
        (["--send", "x", "--port", "-1"], "--port"),
        (["--send", "x", "--port", "x"], "--port"),
    ],
    ids=lambda value: " ".join(value) or "none" if isinstance(value, list) else "",
)
def test_wrong_usage(
    arguments: list[str], named: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Wrong usage is exit status 2 and names the option."""
    assert 2 == main(*arguments)
    assert named in capsys.readouterr().err.splitlines()[-1]
