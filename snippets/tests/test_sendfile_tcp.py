"""sendfile_tcp: a file arrives whole or not at all, and both sides know which."""

import contextlib
import os
import signal
import socket
import stat
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

import sendfile_tcp
from contracts import command_line
from sendfile_tcp import CHUNK, STORED
from support import server
from support.sandbox import Sandbox, SandboxError
from support.server import SNIPPETS, Ended, Server, environment, free_port, run

DEADLINE = 25.0  # seconds for any one call or process, which must start under load, too
BYTES = bytes(range(256))  # all of them, and no two alike next to each other
SIZES = [0, 1, 255, CHUNK - 1, CHUNK, CHUNK + 1, 3_000_000]
GONE = "the sender has left before the file was complete"

LINUX = sys.platform == "linux"  # elsewhere a process does not say that it waits

Pair = tuple[socket.socket, socket.socket]


hang_ups = pytest.fixture(autouse=True)(command_line.hang_ups)
folder = pytest.fixture(command_line.whole_files)


@pytest.fixture
def original(folder: Path) -> Path:
    """Return a file of 300 KiB."""
    path = folder / "original"
    path.write_bytes(BYTES * 1_200)
    return path


@pytest.fixture
def pair() -> Iterator[Pair]:
    """Return the two ends of a TCP connection, the sender's first."""
    with socket.create_server(("localhost", 0)) as listener:
        near = socket.create_connection(listener.getsockname(), DEADLINE)
        far, _ = listener.accept()
    with near, far:
        for sock in (near, far):
            sock.settimeout(DEADLINE)
        yield near, far


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give commands that are run more time to start and end."""
    monkeypatch.setattr(server, "STARTS_WITHIN", DEADLINE)
    monkeypatch.setattr(server, "ENDS_WITHIN", DEADLINE)


def receive(conn: socket.socket, path: Path) -> int:
    """Receive over *conn*, which is there already."""
    return sendfile_tcp.receive(lambda: conn, str(path))


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
        assert size == receive(far, target)
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
        assert b"" == far.recv(1)
    assert [300 * 1024] == sent


def test_sendfile_is_what_sends(original: Path, pair: Pair) -> None:
    """The bytes of the file go by os.sendfile: send() gets the eight of the size."""
    near, far = pair
    with (
        sendfile_tcp.opened(str(original)) as file,
        pytest.MonkeyPatch.context() as patch,
        meanwhile(lambda: receive(far, Path(f"{original}.copy"))),
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
    with meanwhile(lambda: receive(far, target)) as received:
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
        receive(far, target)
    assert before == (target.read_bytes() if target.exists() else None)


def test_a_sender_that_resets_is_refused(folder: Path, pair: Pair) -> None:
    """A connection that is reset leaves no file, as one that ends."""
    near, far = pair
    near.sendall(header(300) + BYTES)
    near.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    near.close()
    with pytest.raises(ConnectionResetError):
        receive(far, folder / "copy")
    assert [] == list(folder.iterdir())


def test_a_side_that_stalls_is_given_up(original: Path, pair: Pair) -> None:
    """Where the other side neither goes on nor leaves, a time-out ends the wait."""
    near, far = pair
    again = far.dup()  # this is closed, that is not
    for sock in (near, again):
        sock.settimeout(0.05)
    with pytest.raises(TimeoutError):
        receive(again, original.with_name("copy"))
    with original.open("ab") as file:
        file.truncate(64 * 1024 * 1024)  # more than the buffers hold
    with sendfile_tcp.opened(str(original)) as file, pytest.raises(TimeoutError):
        sendfile_tcp.send(near, file)


def test_the_target_is_there_when_the_sender_is_told(folder: Path, pair: Pair) -> None:
    """Only when the file has its name is the sender told that it is stored."""
    near, far = pair
    target = folder / "copy"
    with meanwhile(lambda: receive(far, target)):
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
            meanwhile(lambda: receive(far, target)) as received,
        ):
            if change < 0:
                assert size == sendfile_tcp.send(sock, file)
            else:
                with pytest.raises(OSError, match=f"only {change} of the {size} bytes"):
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

    with socket.create_server(("localhost", 0)) as listener:
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

    with socket.create_server(("localhost", 0)) as listener:
        listener.settimeout(DEADLINE)
        port = str(listener.getsockname()[1])
        with meanwhile(take_all):
            said = main("--send", str(original), "--port", port)
    why = "the receiver has left before the file was stored"
    assert f"cannot transfer the file: {why}" == said


def test_a_receiver_waits_for_so_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that is accepted has the time-out."""
    monkeypatch.setattr(sendfile_tcp, "TIMEOUT", 0.125)
    port = free_port()
    stack = contextlib.ExitStack()

    def connect(line: str) -> None:
        assert f"listening on 127.0.0.1:{port}" == line
        address = ("localhost", port)
        stack.enter_context(socket.create_connection(address, DEADLINE))

    monkeypatch.setattr(sendfile_tcp, "say", connect)
    with stack, sendfile_tcp.accepted("localhost", port) as conn:
        assert 0.125 == conn.gettimeout()


def test_a_stranger_who_connects_first_is_not_the_sender(
    original: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With both in one, nobody else is taken for the sender."""
    connect = socket.create_connection
    strangers: list[socket.socket] = []

    def late(address: tuple[str, int], timeout: float) -> socket.socket:
        strangers.append(connect(address, timeout))
        strangers.append(connect(address, timeout))
        return strangers[-1]

    monkeypatch.setattr(socket, "create_connection", late)
    target = f"{original}.copy"
    said = main("--port", "0", "--send", str(original), "--receive", target)
    for stranger in strangers:
        stranger.close()
    why = "somebody else has connected first: try again"
    assert f"cannot transfer the file: {why}" == said
    assert not Path(target).exists()


@pytest.mark.parametrize(
    ("before", "umask", "expected"),
    [
        (0o600, 0o022, 0o600),
        (0o644, 0o077, 0o644),
        (0o4755, 0o022, 0o755),
        (None, 0o022, 0o644),
        (None, 0o077, 0o600),
    ],
    ids=str,
)
def test_the_mode_of_the_target(
    folder: Path, pair: Pair, before: int | None, umask: int, expected: int
) -> None:
    """What is there keeps its mode, a new file gets what the umask leaves."""
    near, far = pair
    target = folder / "copy"
    if before is not None:
        target.touch()
        target.chmod(before)
    seen: list[int] = []

    def connect() -> socket.socket:
        [partial] = folder.glob(".part-*")
        seen.append(stat.S_IMODE(partial.stat().st_mode))
        return far

    near.sendall(header(256) + BYTES)
    old = os.umask(umask)
    try:
        sendfile_tcp.receive(connect, str(target))
        assert umask == os.umask(umask)
    finally:
        os.umask(old)
    assert expected == stat.S_IMODE(target.stat().st_mode)
    assert [0o600] == seen  # nobody else reads it before it is complete


def test_stored_but_the_sender_does_not_know(
    folder: Path, pair: Pair, capsys: pytest.CaptureFixture[str]
) -> None:
    """A sender that resets after its last byte is told of apart: there is a file."""
    near, far = pair
    near.sendall(header(256) + BYTES)

    class Resetting(socket.socket):
        """A socket whose other end resets before this one sends."""

        def sendall(self, *arguments: object) -> None:
            """Reset, then send."""
            linger = struct.pack("ii", 1, 0)
            near.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            near.close()
            super().sendall(*arguments)  # type: ignore[arg-type]

    with Resetting(fileno=far.detach()) as sock, pytest.MonkeyPatch.context() as patch:
        sock.settimeout(DEADLINE)
        patch.setattr(sendfile_tcp, "accepted", lambda *_: sock)
        assert sendfile_tcp.UNTOLD == main("--receive", str(folder / "copy"))
    told = "stored, but the sender does not know: [Errno "
    said = capsys.readouterr()
    assert (told, 1, "") == (said.err[: len(told)], said.err.count("\n"), said.out)
    assert BYTES == (folder / "copy").read_bytes()


@pytest.mark.linux
@pytest.mark.parametrize("stdout", ["/dev/full", "pipe"])
@pytest.mark.parametrize("mode", ["both", "receive"])
def test_what_cannot_be_printed_is_no_fault_of_the_other_side(
    original: Path, mode: str, stdout: str
) -> None:
    """Where stdout takes nothing, one line says so and blames nobody else."""
    arguments = ["--port", "0", "--receive", f"{original}.copy"]
    line = "listening on 127.0.0.1:"
    if mode == "both":
        arguments += ["--send", str(original)]
        line = "sent 307200 bytes"
    if stdout == "pipe":
        status, said = server.cut_off("sendfile_tcp", *arguments)
    else:
        with Path(stdout).open("wb") as full:
            done = subprocess.run(
                server.command("sendfile_tcp", *arguments),
                stdout=full,
                stderr=subprocess.PIPE,
                check=False,
                env=environment(),
                text=True,
                timeout=DEADLINE,
            )
        status, said = done.returncode, done.stderr
    why = {"pipe": "[Errno 32] Broken pipe", "/dev/full": "[Errno 28] No space left"}
    assert (1, 1) == (status, said.count("\n"))
    assert said.startswith(f"cannot write '{line}")
    assert f"' to stdout: {why[stdout]}" in said


@pytest.mark.linux
def test_less_than_the_size_says(pair: Pair) -> None:
    """A file in /sys has less than its size: that is said without a guess why."""
    near, _ = pair
    source = Path("/sys/class/net/lo/mtu")
    size, there = source.stat().st_size, len(source.read_bytes())
    why = f"the file had only {there} of the {size} bytes that it was said to have"
    with sendfile_tcp.opened(str(source)) as file, pytest.raises(OSError, match=why):
        sendfile_tcp.send(near, file)


def test_a_name_with_a_line_feed_is_still_one_line(folder: Path) -> None:
    """What a terminal would act on is shown as an escape."""
    path = folder / "a\nb\x1b[31m"
    path.mkdir()
    assert str(main("--receive", str(path))).isprintable()
    assert str(main("--send", str(path))).isprintable()


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
        (
            "def send(conn, file):\n"
            "    with conn:\n"
            "        conn.sendall(bytes(7) + bytes([9]))\n"
            "        raise OSError('the file had less')\n"
            "m.send = send",
            "the file had less",
        ),
        (
            "def pieces(conn, size):\n"
            "    raise OSError(28, 'No space left on device')\n"
            "m.pieces = pieces",
            "[Errno 28] No space left on device",
        ),
    ],
    ids=["told-by-the-sender", "told-by-the-receiver"],
)
def test_with_both_in_one_a_fault_is_one_line(
    original: Path, change: str, said: str
) -> None:
    """Whichever side fails, one line says why, no file is left, and the thread ends."""
    with original.open("ab") as file:
        file.truncate(64 * 1024 * 1024)  # more than the buffers hold
    ended = run_changed(
        change,
        "m.main()",
        arguments=["--send", str(original), "--receive", f"{original}.copy"],
    )
    expected = f"cannot transfer the file: {said}\n"
    assert (1, "", expected) == (ended.status, ended.stdout, ended.stderr)
    assert not Path(f"{original}.copy").exists()


def test_an_interrupt_ends_both(original: Path) -> None:
    """Ctrl-C while both are at work is quiet, and the thread ends soon."""
    with original.open("ab") as file:
        file.truncate(64 * 1024 * 1024)  # more than the buffers hold
    ended = run_changed(
        "pieces = m.pieces",
        "def interrupted(conn, size):",
        "    if size > 8:",
        "        os.kill(os.getpid(), signal.SIGINT)",
        "    return pieces(conn, size)",
        "m.pieces = interrupted",
        "m.main()",
        arguments=["--send", str(original), "--receive", f"{original}.copy"],
    )
    assert (130, "", "") == (ended.status, ended.stdout, ended.stderr)
    assert not Path(f"{original}.copy").exists()


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
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
            conn.sendall(header(2 * CHUNK) + bytes(CHUNK))
            end = time.monotonic() + DEADLINE
            while not any(path.stat().st_size for path in folder.iterdir()):
                assert time.monotonic() < end
                os.sched_yield()
        # A signal between Python's last look for one and the system call is acted on
        # only when that returns: so not before the receiver waits.
        end = time.monotonic() + DEADLINE
        while LINUX and receiver.process.status() != psutil.STATUS_SLEEPING:
            assert time.monotonic() < end
            os.sched_yield()
        ended = receiver.stop(signum, DEADLINE)
    assert (130, "") == (ended.status, ended.stderr)
    assert [] == list(folder.iterdir())


@pytest.mark.parametrize(
    ("source", "target", "why"),
    [
        ("missing", None, "No such file or directory: '{source}'"),
        ("missing", "copy", "No such file or directory: '{source}'"),
        (
            "folder",
            "copy",
            "'{source}' is no regular file with a size: send a copy of it",
        ),
        ("fifo", None, "'{source}' is no regular file with a size: send a copy of it"),
        ("original", "folder", "'{target}' is no regular file"),
        (None, "folder", "'{target}' is no regular file"),
        (None, "copy/", "'{target}/' is no regular file"),
        (None, "/dev/null", "'{target}' is no regular file"),
        (None, "missing/copy", "No such file or directory: '{target}'"),
        ("original", "missing/copy", "No such file or directory: '{target}'"),
    ],
)
def test_what_cannot_be_transferred_is_one_line(
    original: Path,
    source: str | None,
    target: str | None,
    why: str,
    capsys: pytest.CaptureFixture[str],
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
    assert "" == capsys.readouterr().out  # it does not listen
    assert said.startswith("cannot transfer the file: ")
    assert said.endswith(why.format(**paths))
    assert 1 == len(said.splitlines())
    assert before == sorted(original.parent.rglob("*"))


@pytest.mark.linux
def test_a_file_without_a_size_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """A file in /proc that has content but no size is not sent as an empty one."""
    said = main("--send", "/proc/version", "--port", "1")
    why = "'/proc/version' is no regular file with a size: send a copy of it"
    assert (f"cannot transfer the file: {why}", "") == (said, capsys.readouterr().out)


def test_nobody_listens(original: Path) -> None:
    """Where no receiver is, that is one line."""
    said = str(main("--send", str(original), "--port", str(free_port())))
    assert "cannot transfer the file: [Errno 111] Connection refused" == said


@pytest.mark.parametrize("mode", [["--receive"], ["--send", "{}", "--receive"]])
def test_a_port_in_use_is_one_line(original: Path, mode: list[str]) -> None:
    """Where somebody else has the port, that is one line."""
    with socket.create_server(("localhost", 0)) as listener:
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
