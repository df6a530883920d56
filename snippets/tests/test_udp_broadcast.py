"""udp_broadcast: what it needs to be allowed to, and what it tells the time by."""

import re
import signal
import socket
import sys
import time
from collections.abc import Iterator

import pytest

import udp_broadcast
from contracts import command_line
from support.sandbox import Sandbox, SandboxError
from support.server import run

DEADLINE = 10.0  # seconds for any one call
LOOPBACK = "127.255.255.255"  # a broadcast address that no packet leaves this host by

TestCommandLine = command_line.program(udp_broadcast, "create_socket", LOOPBACK)


@pytest.fixture
def receivers() -> Iterator[list[socket.socket]]:
    """Return two sockets that share a port and receive broadcasts on loopback."""
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as first,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as second,
    ):
        for sock in (first, second):
            sock.settimeout(DEADLINE)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        first.bind((LOOPBACK, 0))
        second.bind(first.getsockname())
        yield [first, second]


def test_broadcasting_is_switched_on() -> None:
    """The socket has SO_BROADCAST."""
    with udp_broadcast.create_socket() as sock:
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST)


@pytest.mark.linux
def test_without_so_broadcast_permission_is_denied() -> None:
    """A socket as the system makes it may not send to a broadcast address."""
    with udp_broadcast.create_socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 0)
        with pytest.raises(PermissionError):
            sock.sendto(b"x", (LOOPBACK, 9))
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        assert 1 == sock.sendto(b"x", (LOOPBACK, 9))


@pytest.mark.linux
def test_each_receiver_gets_the_time(receivers: list[socket.socket]) -> None:
    """Every socket that is bound to the port gets every datagram, a time of now."""
    port = str(receivers[0].getsockname()[1])
    begin = time.time()
    ended = run(
        "udp_broadcast", LOOPBACK, "--port", port, "--interval", "0.01", "--count", "2"
    )
    end = time.time()
    received = [[sock.recv(100) for _ in range(2)] for sock in receivers]
    assert received[0] == received[1]
    told = "".join(f"sent {p!r} to {LOOPBACK}:{port}\n" for p in received[0])
    assert (0, told, "") == (ended.status, ended.stdout, ended.stderr)
    for payload in received[0]:
        assert re.fullmatch(rb"time \d+\.\d\d\n", payload)
        assert begin - 0.01 <= float(payload.split()[1]) <= end + 0.01


@pytest.mark.linux
@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_quietly(signum: signal.Signals) -> None:
    """The first one is told at once; Ctrl-C or SIGTERM then ends a long pause."""
    arguments = (LOOPBACK, "--port", "9", "--interval", "3600")
    with command_line.started("udp_broadcast", *arguments) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("sent b'time ")
        process.send_signal(signum)
        assert ("", "") == process.communicate(timeout=DEADLINE)
    assert 0 == process.returncode


@pytest.mark.linux
def test_a_host_without_a_route_says_so() -> None:
    """Where 255.255.255.255 leads nowhere, that is one line and exit status 1."""
    try:
        with Sandbox() as sandbox:
            program = ["snippets/udp_broadcast.py", "255.255.255.255", "--count", "1"]
            done = sandbox.run("alice", sys.executable, *program)
    except SandboxError as error:
        pytest.skip(str(error))
    expected = "cannot send, check the address: [Errno 101] Network is unreachable\n"
    assert (1, "", expected) == (done.returncode, done.stdout, done.stderr)


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["localhost"],
        ["::1"],
        ["192.0.2.256"],
        ["\N{LATIN SMALL LETTER A WITH DIAERESIS}"],
        [LOOPBACK, "--port", "0"],
        [LOOPBACK, "--interval", "nan"],
        [LOOPBACK, "--count", "0"],
    ],
    ids=" ".join,
)
def test_wrong_usage(
    arguments: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Without an IPv4 address nothing is sent: exit status 2 and a line why."""
    named = arguments[1] if len(arguments) > 1 else "address"
    said = command_line.complaint(udp_broadcast, arguments, monkeypatch, capsys)
    assert named in said
