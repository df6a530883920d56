"""udp_echo_server, and what socketserver_udp_echo_server has in common with it."""

import errno
import socket
from collections.abc import Iterator
from types import ModuleType

import pytest

import socketserver_udp_echo_server
import udp_echo_server
from contracts import command_line, datagram
from support.server import UDP

DEADLINE = 10.0  # seconds for any one call
PEER = ("192.0.2.1", 5566)

BOTH = [udp_echo_server, socketserver_udp_echo_server]

TestDatagram = datagram.contract("udp_echo_server")
TestCommandLine = command_line.server(udp_echo_server, UDP, begins_with="create_socket")


class Done(Exception):
    """The script of a ``Scripted`` is over."""


class Scripted(socket.socket):
    """A socket that receives what its script says, and fails to reply to ``PEER``."""

    script: Iterator[Exception | tuple[bytes, object]]
    replies: list[tuple[object, ...]]

    def recvfrom(self, *_: object) -> tuple[bytes, object]:
        """Return what comes next, or raise what stands in its place."""
        visit = next(self.script, Done())
        if isinstance(visit, Exception):
            raise visit
        return visit

    def sendto(self, payload: object, *address: object) -> int:
        """Keep what is sent, unless it goes to ``PEER``."""
        if address == (PEER,):
            raise OSError(errno.ENETUNREACH, "Network is unreachable")
        self.replies.append((payload, *address))
        return 0


def name(module: ModuleType) -> str:
    """Return what a parametrized test shows for *module*."""
    return module.__name__


def test_errors_of_one_datagram_cost_only_that_one(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Neither an ICMP message nor a reply that cannot be sent ends serve()."""
    other = ("192.0.2.2", 5566)
    with Scripted(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.replies = []
        sock.script = iter(
            [
                ConnectionRefusedError(),  # Linux with IP_RECVERR, macOS
                ConnectionResetError(),  # Windows
                (b"lost", PEER),
                (b"Hello", other),
            ]
        )
        with pytest.raises(Done):
            udp_echo_server.serve(sock)
        assert [(b"Hello", other)] == sock.replies
    assert f"{PEER}: Network is unreachable\n" == capsys.readouterr().err


def test_other_faults_of_the_socket_are_raised() -> None:
    """What would fail again at once, for ever, ends serve() instead of spinning."""
    with Scripted(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.script = iter([OSError(errno.EBADF, "Bad file descriptor")])
        with pytest.raises(OSError, match="Bad file descriptor"):
            udp_echo_server.serve(sock)


def test_a_short_buffer_cuts_and_only_recvmsg_tells() -> None:
    """What the docstring says of recvfrom, and why SIZE is what it is."""
    with udp_echo_server.create_socket("127.0.0.1", 0) as sock:
        sock.settimeout(DEADLINE)
        for _ in range(2):
            sock.sendto(bytes(range(100)), sock.getsockname())
        payload, peer = sock.recvfrom(10)
        assert (bytes(range(10)), sock.getsockname()) == (payload, peer)
        assert socket.MSG_TRUNC == sock.recvmsg(10)[2]  # the rest of the first is lost
    assert datagram.LONGEST < udp_echo_server.SIZE


@pytest.mark.parametrize("module", BOTH, ids=name)
def test_replies_may_be_as_long_as_what_is_received(module: ModuleType) -> None:
    """The send buffer has room for the longest datagram, on macOS, too."""
    with module.create_socket("127.0.0.1", 0) as server:
        sock = getattr(server, "socket", server)  # a socketserver has one, or is one
        size = sock.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF)
    assert datagram.LONGEST <= size


@pytest.mark.parametrize("module", BOTH, ids=name)
def test_it_says_what_a_forged_address_does(module: ModuleType) -> None:
    """The reader is told that an answer may go to somebody who has not asked."""
    words = " ".join((module.__doc__ or "").split())
    assert "may write any source address" in words
    assert "never longer than the question" in words
