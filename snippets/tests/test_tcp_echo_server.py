"""tcp_echo_server, and what the servers of its chapter have in common with it."""

import errno
import inspect
import signal
import socket
import struct
import sys
import threading
from collections.abc import Iterator
from types import ModuleType

import pytest

import epoll_server
import socketserver_tcp_echo_server
import tcp_echo_server
import tcp_echo_server_dual_stack
import tcp_echo_server_ipv6
from contracts import stream
from support.server import run

DEADLINE = 10.0  # seconds for any one call
RESET_AT_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER: on, for 0 seconds

ACCEPTING = [tcp_echo_server, tcp_echo_server_ipv6, tcp_echo_server_dual_stack]
SEQUENTIAL = [*ACCEPTING, socketserver_tcp_echo_server]
ALL = [*SEQUENTIAL, epoll_server]

TestStream = stream.sequential("tcp_echo_server")


class Done(Exception):
    """The script of a ``Visits`` is over."""


class Visits(socket.socket):
    """A listener to which clients come as its script says."""

    script: Iterator[Exception | tuple[socket.socket, object]]

    def accept(self) -> tuple[socket.socket, object]:
        """Return the next client, or raise what stands in its place."""
        visit = next(self.script, Done())
        if isinstance(visit, Exception):
            raise visit
        return visit


def name(module: ModuleType) -> str:
    """Return what a parametrized test shows for *module*."""
    return module.__name__


def loopback(module: ModuleType) -> str:
    """Return the address that *module* listens on by default."""
    return "::1" if module in ACCEPTING[1:] else "127.0.0.1"


@pytest.fixture
def no_arguments(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let main() see an empty command line, and undo what it does to SIGTERM."""
    monkeypatch.setattr(sys, "argv", ["a_server.py"])
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.mark.parametrize("size", [0, 1, tcp_echo_server.CHUNK + 1, 1 << 20])
def test_echo_returns_every_byte_and_ends_at_eof(size: int) -> None:
    """What goes in comes out, and echo() returns once the peer has sent everything."""
    payload = bytes(range(256)) * (size // 256) + bytes(size % 256)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.settimeout(DEADLINE)
        theirs.settimeout(DEADLINE)

        def send() -> None:
            ours.sendall(payload)
            ours.shutdown(socket.SHUT_WR)

        received = bytearray()

        def receive() -> None:
            while len(received) < size:
                received.extend(ours.recv(65_536))

        threads = [threading.Thread(target=work) for work in (send, receive)]
        for thread in threads:
            thread.start()
        tcp_echo_server.echo(theirs)
        for thread in threads:
            thread.join(DEADLINE)
        assert payload == bytes(received)


def test_echo_raises_where_the_client_resets() -> None:
    """A RST is an OSError of echo(), for its caller to handle."""
    with tcp_echo_server.create_listener("127.0.0.1", 0) as listener:
        client = socket.create_connection(listener.getsockname(), DEADLINE)
        conn, _ = listener.accept()
        with conn:
            conn.settimeout(DEADLINE)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_AT_CLOSE)
            client.close()
            with pytest.raises(ConnectionResetError):
                tcp_echo_server.echo(conn)


@pytest.mark.parametrize("module", ACCEPTING, ids=name)
def test_serve_goes_on_after_clients_that_are_lost(
    module: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    """A client lost before or after accept costs a line at most; the next is served."""
    host = loopback(module)
    with module.create_listener(host, 0) as listener:
        address = listener.getsockname()
        lost = socket.create_connection(address[:2], DEADLINE)
        first_visit = listener.accept()
        lost.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_AT_CLOSE)
        lost.close()
        with socket.create_connection(address[:2], DEADLINE) as client:
            second_visit = listener.accept()
            client.sendall(b"Hello")
            client.shutdown(socket.SHUT_WR)
            with Visits(fileno=listener.detach()) as visits:
                visits.script = iter(
                    [ConnectionAbortedError(), first_visit, second_visit]
                )
                with pytest.raises(Done):
                    module.serve(visits)
            assert b"Hello" == client.recv(5, socket.MSG_WAITALL)
    lines = capsys.readouterr().err.splitlines()
    assert [f"{first_visit[1]}: Connection reset by peer"] == lines


@pytest.mark.parametrize("module", ALL, ids=name)
def test_a_port_is_taken_once(module: ModuleType) -> None:
    """A second listener on a port is an OSError that says so, and leaves nothing."""
    host = loopback(module)
    with module.create_listener(host, 0) as first:
        listener = getattr(first, "socket", first)  # a socketserver has one, or is one
        port = listener.getsockname()[1]
        with pytest.raises(OSError, match="in use") as caught:
            module.create_listener(host, port)
    assert errno.EADDRINUSE == caught.value.errno


@pytest.mark.parametrize("module", ALL, ids=name)
@pytest.mark.usefixtures("no_arguments")
def test_ctrl_c_is_quiet_while_a_name_is_resolved(
    module: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C that comes before the server listens ends main() without a traceback."""

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "create_listener", interrupted)
    try:
        module.main()
    except KeyboardInterrupt:  # let through, it would end pytest
        pytest.fail("KeyboardInterrupt left main()")


@pytest.mark.parametrize("module", SEQUENTIAL, ids=name)
@pytest.mark.usefixtures("no_arguments")
def test_a_fault_while_serving_is_one_line(
    module: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where accept() fails for good, main() ends with one line and status 1."""

    def no_descriptor(_: object) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    create_listener, host = module.create_listener, loopback(module)
    monkeypatch.setattr(module, "create_listener", lambda *_: create_listener(host, 0))
    monkeypatch.setattr(module, "serve", no_descriptor)
    with pytest.raises(SystemExit) as caught:
        module.main()
    expected = "cannot serve, check --host and --port: [Errno 24] Too many open files"
    assert expected == caught.value.code


@pytest.mark.parametrize("module", ALL, ids=name)
@pytest.mark.parametrize("fault", ["no host name", "of the other family"])
def test_a_host_that_is_none_is_one_line(module: ModuleType, fault: str) -> None:
    """What cannot be resolved is one line on standard error and exit status 1.

    Both faults are found without asking a name server: IDNA has no empty label.
    """
    other = "127.0.0.1" if ":" in loopback(module) else "::1"
    host = "\N{LATIN SMALL LETTER A WITH DIAERESIS}..b" if "name" in fault else other
    ended = run(module.__name__, "--host", host, "--port", "0")
    assert (1, "", 1) == (ended.status, ended.stdout, ended.stderr.count("\n"))
    assert ended.stderr.startswith("cannot serve, check --host and --port: ")


@pytest.mark.parametrize("module", SEQUENTIAL, ids=name)
def test_it_says_that_a_second_client_waits(module: ModuleType) -> None:
    """The reader is told what one client at a time means."""
    assert "second client waits in the backlog" in " ".join(
        (module.__doc__ or "").split()
    )


@pytest.mark.parametrize("module", SEQUENTIAL, ids=name)
def test_the_variations_echo_by_the_same_lines(module: ModuleType) -> None:
    """The sequential servers differ where they mean to, and echo() is the same."""
    expected = inspect.getsource(tcp_echo_server.echo)
    assert expected == inspect.getsource(module.echo)
