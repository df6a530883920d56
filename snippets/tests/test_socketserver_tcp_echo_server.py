"""socketserver_tcp_echo_server: the stream contract, and its own settings."""

import socket
import struct

import pytest

import socketserver_tcp_echo_server
from contracts import command_line, stream
from support.server import Server

DEADLINE = 10.0  # seconds for any one call

TestStream = stream.sequential("socketserver_tcp_echo_server")
TestCommandLine = command_line.server(socketserver_tcp_echo_server)


def test_the_address_is_printed_and_all_is_echoed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A handler prints its client's address and echoes until the client is done."""
    with socketserver_tcp_echo_server.create_listener("127.0.0.1", 0) as server:
        address = server.socket.getsockname()
        with socket.create_connection(address, DEADLINE) as client:
            client.sendall(b"Hello")
            client.shutdown(socket.SHUT_WR)
            server.handle_request()
            assert b"Hello" == client.recv(6, socket.MSG_WAITALL)
            assert f"{client.getsockname()}\n" == capsys.readouterr().out


def test_the_address_is_printed_at_once() -> None:
    """Who watches the server sees a client's address while it is connected."""
    with Server("socketserver_tcp_echo_server") as server, server.connect() as client:
        client.sendall(b"Hello")
        assert b"Hello" == client.recv(5, socket.MSG_WAITALL)
        assert str(client.getsockname()) == server.stdout.splitlines()[-1]


def test_a_reset_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    """A client that resets costs one line on standard error, not a traceback."""
    with socketserver_tcp_echo_server.create_listener("127.0.0.1", 0) as server:
        client = socket.create_connection(server.socket.getsockname(), DEADLINE)
        peer = client.getsockname()
        reset_at_close = struct.pack("ii", 1, 0)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset_at_close)
        client.close()
        server.handle_request()
    assert f"{peer}: Connection reset by peer\n" == capsys.readouterr().err


def test_it_may_be_restarted_at_once() -> None:
    """SO_REUSEADDR is set, which socketserver leaves off."""
    with socketserver_tcp_echo_server.create_listener("127.0.0.1", 0) as server:
        assert server.socket.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR)


def test_the_backlog_is_as_long_as_the_system_allows() -> None:
    """More clients than socketserver's five may wait for their turn."""
    with socketserver_tcp_echo_server.create_listener("127.0.0.1", 0) as server:
        address = server.socket.getsockname()
        waiting = [socket.create_connection(address, DEADLINE) for _ in range(50)]
        for client in waiting:
            client.close()
