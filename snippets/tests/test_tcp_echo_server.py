"""tcp_echo_server, and what the servers of its chapter have in common with it."""

import inspect
import socket
import struct
import threading
from types import ModuleType

import pytest

import socketserver_tcp_echo_server
import tcp_echo_server
import tcp_echo_server_dual_stack
import tcp_echo_server_ipv6
from contracts import command_line, stream
from contracts.visits import Done, Visits

DEADLINE = 10.0  # seconds for any one call
RESET_AT_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER: on, for 0 seconds

ACCEPTING = [tcp_echo_server, tcp_echo_server_ipv6, tcp_echo_server_dual_stack]
SEQUENTIAL = [*ACCEPTING, socketserver_tcp_echo_server]

TestStream = stream.sequential("tcp_echo_server")
TestCommandLine = command_line.server(tcp_echo_server)


def name(module: ModuleType) -> str:
    """Return what a parametrized test shows for *module*."""
    return module.__name__


def loopback(module: ModuleType) -> str:
    """Return the address that *module* listens on by default."""
    return "::1" if module in ACCEPTING[1:] else "127.0.0.1"


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
