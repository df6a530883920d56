"""socketserver_udp_echo_server: the datagram contract, and its own settings."""

import socket
import socketserver
from typing import Any

import pytest

import socketserver_udp_echo_server
from contracts import command_line, datagram
from socketserver_udp_echo_server import EchoHandler, EchoServer
from support.server import UDP, Server

DEADLINE = 10.0  # seconds for any one call

TestDatagram = datagram.contract("socketserver_udp_echo_server")
TestCommandLine = command_line.server(
    socketserver_udp_echo_server, UDP, begins_with="create_socket"
)


def ask(server: socketserver.UDPServer, payload: bytes) -> tuple[bytes, object]:
    """Return what *server* answers to *payload*, and the address that asked."""
    with UDP.connect(server.socket.getsockname(), DEADLINE) as client:
        client.send(payload)
        server.handle_request()
        return client.recv(65_535), client.getsockname()


def test_the_address_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    """A handler prints where its datagram came from, and sends it back."""
    with socketserver_udp_echo_server.create_socket("127.0.0.1", 0) as server:
        reply, address = ask(server, b"Hello")
    assert (b"Hello", f"{address}\n") == (reply, capsys.readouterr().out)


def test_the_address_is_printed_at_once() -> None:
    """Who watches the server sees a client's address before the client its answer."""
    with (
        Server("socketserver_udp_echo_server", transport=UDP) as server,
        server.connect() as client,
    ):
        client.send(b"Hello")
        assert b"Hello" == client.recv(6)
        assert str(client.getsockname()) == server.stdout.splitlines()[-1]


def test_the_default_size_would_cut() -> None:
    """As it comes, UDPServer cuts what exceeds 8,192 bytes, and says nothing."""
    payload = bytes(8_193)
    with socketserver.UDPServer(("127.0.0.1", 0), EchoHandler) as server:
        assert 8_192 == len(ask(server, payload)[0])
    with EchoServer(("127.0.0.1", 0), EchoHandler) as server:
        assert 8_193 == len(ask(server, payload)[0])


def test_a_port_is_not_shared() -> None:
    """SO_REUSEADDR is off, since with it two servers can have one port."""
    with socketserver_udp_echo_server.create_socket("127.0.0.1", 0) as server:
        assert 0 == server.socket.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR)


@pytest.mark.linux
def test_with_reuse_address_a_port_would_be_shared() -> None:
    """Two servers that both set allow_reuse_address get one port, without an error."""

    class Sharing(EchoServer):
        allow_reuse_address = True

    with Sharing(("127.0.0.1", 0), EchoHandler) as first:
        address = first.socket.getsockname()
        with Sharing(address, EchoHandler) as second:
            assert address == second.socket.getsockname()


def test_a_reply_that_cannot_be_sent_is_one_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A handler that fails costs one line on standard error, not a traceback."""
    with (
        socketserver_udp_echo_server.create_socket("127.0.0.1", 0) as server,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock,
    ):
        too_long: Any = (bytes(65_508), sock)
        server.finish_request(too_long, ("127.0.0.1", 5566))
    assert "('127.0.0.1', 5566): Message too long\n" == capsys.readouterr().err
