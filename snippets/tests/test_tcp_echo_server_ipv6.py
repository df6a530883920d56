"""tcp_echo_server_ipv6: the stream contract through IPv6, scopes, and no IPv4."""

import socket
import sys

import pytest

import tcp_echo_server_ipv6
from contracts import command_line, stream
from support.sandbox import Sandbox
from support.server import Server, free_port

DEADLINE = 10.0  # seconds for any one call

TestStream = stream.sequential("tcp_echo_server_ipv6")
TestCommandLine = command_line.server(tcp_echo_server_ipv6, host="::1")

# Runs on a host of the sandbox: the server's own main(), but for the serving.
LISTEN_ONLY = """\
import sys
sys.path.insert(0, "snippets")
import tcp_echo_server_ipv6
tcp_echo_server_ipv6.serve = lambda listener: print(listener.getsockname())
tcp_echo_server_ipv6.main()
"""


def test_a_client_has_four_parts() -> None:
    """The listener is IPv6, and the peer is host, port, flow label and scope."""
    with tcp_echo_server_ipv6.create_listener("::1", 0) as listener:
        assert socket.AF_INET6 == listener.family
        with socket.create_connection(listener.getsockname()[:2], DEADLINE) as client:
            conn, peer = listener.accept()
            conn.close()
            assert ("::1", client.getsockname()[1], 0, 0) == peer


def test_ipv4_is_refused() -> None:
    """Even on the wildcard ``::`` an IPv4 client is refused, its port left free."""
    port = free_port()
    with socket.socket() as ipv4:
        ipv4.bind(("127.0.0.1", port))  # keeps others off the port; does not listen
        with tcp_echo_server_ipv6.create_listener("::", port) as listener:
            assert 1 == listener.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY)
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection(("127.0.0.1", port), DEADLINE)


def test_the_host_is_printed_in_brackets() -> None:
    """It listens on ::1 and says so as an URL would have it."""
    with Server("tcp_echo_server_ipv6") as server:
        assert f"listening on [::1]:{server.address[1]}\n" == server.stdout


@pytest.mark.linux
@pytest.mark.usefixtures("needs_sandbox")
def test_a_link_local_address_keeps_its_scope() -> None:
    """``fe80::...%eth0`` is listened on and printed with its interface."""
    host = "fe80::ff:fe00:1%eth0"
    with Sandbox(("alice", "bob")) as sandbox:
        program = (sys.executable, "-W", "error", "-c", LISTEN_ONLY)
        done = sandbox.run("alice", *program, "--host", host)
        index = sandbox.run("alice", "cat", "/sys/class/net/eth0/ifindex").stdout
    assert ("", 0) == (done.stderr, done.returncode)
    expected = [
        f"listening on [{host}]:5566",
        f"('fe80::ff:fe00:1', 5566, 0, {int(index)})",
    ]
    assert expected == done.stdout.splitlines()
