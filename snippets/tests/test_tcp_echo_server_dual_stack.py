"""tcp_echo_server_dual_stack: the stream contract, and both families on one socket."""

import socket
import subprocess
from pathlib import Path

import pytest

import tcp_echo_server_dual_stack
from contracts import command_line, stream
from support.server import TCP, Server, Tcp, command, run

DEADLINE = 10.0  # seconds for any one call

TestStream = stream.sequential("tcp_echo_server_dual_stack")
TestCommandLine = command_line.server(tcp_echo_server_dual_stack, host="::1")


def test_the_wildcard_takes_both_families() -> None:
    """On ``::`` an IPv6 and an IPv4 client are accepted, the latter as mapped."""
    with tcp_echo_server_dual_stack.create_listener("::", 0) as listener:
        port = listener.getsockname()[1]
        assert 0 == listener.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY)
        for host, seen in [("::1", "::1"), ("127.0.0.1", "::ffff:127.0.0.1")]:
            with socket.create_connection((host, port), DEADLINE) as client:
                conn, peer = listener.accept()
                conn.close()
                assert (seen, client.getsockname()[1], 0, 0) == peer


@pytest.mark.parametrize(
    ("arguments", "client_host", "seen"),
    [
        ((), "::1", "::1"),
        # Loopback of IPv4 as an IPv6 socket names it: only with IPV6_V6ONLY off.
        (("--host", "::ffff:127.0.0.1"), "127.0.0.1", "::ffff:127.0.0.1"),
    ],
)
def test_each_client_is_served_and_printed(
    arguments: tuple[str, ...], client_host: str, seen: str
) -> None:
    """A client gets its bytes, and its four-tuple is printed before, at once."""
    transport = Tcp(host=client_host)
    with Server(
        "tcp_echo_server_dual_stack", *arguments, transport=transport
    ) as server:
        for _ in range(2):
            with server.connect() as client:
                client.sendall(b"Hello")
                assert b"Hello" == client.recv(5, socket.MSG_WAITALL)
                last_line = server.stdout.splitlines()[-1]
                assert str((seen, client.getsockname()[1], 0, 0)) == last_line


def test_without_being_asked_it_is_loopback_only() -> None:
    """The default is ``::1``, and --help says what ``::`` means."""
    with Server("tcp_echo_server_dual_stack") as server:
        assert f"listening on [::1]:{server.address[1]}\n" == server.stdout
    usage = " ".join(run("tcp_echo_server_dual_stack", "--help").stdout.split())
    assert "default: ::1; :: takes IPv4 too, and clients on other machines" in usage


@pytest.mark.parametrize(
    "snippet", ["tcp_echo_server_dual_stack", "socketserver_tcp_echo_server"]
)
def test_a_log_that_nobody_reads_costs_no_client(snippet: str) -> None:
    """In ``| head -n 1`` the clients that come later are served all the same."""
    with subprocess.Popen(
        command(snippet, "--port", "0"),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as server:
        try:
            assert server.stdout is not None
            where = server.stdout.readline().removeprefix("listening on ").strip()
            server.stdout.close()
            for _ in range(2):
                with TCP.connect(TCP.find(where, Path()), DEADLINE) as client:
                    client.sendall(b"Hello")
                    assert b"Hello" == client.recv(5, socket.MSG_WAITALL)
        finally:
            server.kill()
