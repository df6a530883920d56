"""epoll_server: the stream contract, and its steps one at a time.

``EchoServer``'s methods are called directly, in one thread, so that what is ready
when is up to the test.
"""

import errno
import os
import select
import socket
import struct
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import cast

import pytest

import epoll_server
from contracts import stream
from epoll_server import CHUNK, Client, EchoServer

DEADLINE = 10.0  # seconds for any one call
RESET_AT_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER: on, for 0 seconds

TestStream = stream.concurrent("epoll_server")


class Done(Exception):
    """The test has seen enough."""


class Listener(socket.socket):
    """A listener whose accept() fails for as long as it is told to."""

    fault: int | None = None

    def accept(self) -> tuple[socket.socket, object]:
        """Accept, or raise the fault."""
        if self.fault is not None:
            raise OSError(self.fault, os.strerror(self.fault))
        return super().accept()


@pytest.fixture
def server() -> Iterator[EchoServer]:
    """Return a server that nobody drives; afterwards all of it is closed."""
    listener = Listener(fileno=epoll_server.create_listener("127.0.0.1", 0).detach())
    with listener:
        server = EchoServer(listener)
        yield server
        for client in list(server.clients.values()):
            server.close(client)
        server.epoll.close()


def connect(server: EchoServer) -> socket.socket:
    """Return a connection to *server* that is not accepted yet."""
    return socket.create_connection(server.listener.getsockname(), DEADLINE)


def accept(server: EchoServer) -> Client:
    """Let *server* take one client and return its side."""
    before = set(server.clients)
    assert [server.listener.fileno()] == server.wait()
    server.accept()
    (fd,) = set(server.clients) - before
    return server.clients[fd]


def serve_until_done(
    server: EchoServer, *rounds: Callable[[], list[int] | None]
) -> None:
    """Run the server's own loop, one call of *rounds* before each of its waits.

    What a round returns stands for the events of that wait; None waits for real.
    """
    script, real_wait = iter(rounds), server.wait

    def wait() -> list[int]:
        this_round = next(script, None)
        if this_round is None:
            raise Done
        events = this_round()
        return real_wait() if events is None else events

    server.wait = wait  # type: ignore[method-assign]
    with pytest.raises(Done):
        server.serve()


def test_a_client_that_never_reads_is_owed_no_more_than_a_chunk(
    server: EchoServer,
) -> None:
    """While a client is owed bytes it is not read from, and then it gets them all."""
    with connect(server) as ours:
        client = accept(server)
        fd = client.conn.fileno()
        ours.setblocking(False)
        payload = os.urandom(1 << 20)
        sent = bytearray()
        deadline = time.monotonic() + DEADLINE
        while True:  # until no buffer between the two has room
            try:
                sent += payload[: ours.send(payload)]
            except BlockingIOError:
                nothing_ready = not server.epoll.poll(0.05)
                if nothing_ready and client.event == select.EPOLLOUT:
                    break
            if server.epoll.poll(0):
                assert [fd] == server.wait()
                server.advance(client)
            assert len(client.unsent) <= CHUNK
            assert time.monotonic() < deadline
        assert 0 < len(client.unsent) <= CHUNK

        received = bytearray()
        while len(received) < len(sent):  # now it reads
            try:
                received += ours.recv(CHUNK)
            except BlockingIOError:
                for _ in server.epoll.poll(0.05):  # or what was sent is on its way
                    server.advance(client)
            assert time.monotonic() < deadline + DEADLINE
        assert sent == received
        assert (b"", select.EPOLLIN) == (client.unsent, client.event)


def test_a_closed_sending_side_leaves_what_is_owed(server: EchoServer) -> None:
    """A client that half-closes while it is owed bytes gets them before the EOF."""
    ours, theirs = socket.socketpair()
    with ours:
        ours.settimeout(DEADLINE)
        theirs.setblocking(False)
        theirs.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4_096)
        client = server.clients[theirs.fileno()] = Client(theirs)
        server.epoll.register(theirs, select.EPOLLIN)
        payload = os.urandom(CHUNK)
        ours.sendall(payload)
        ours.shutdown(socket.SHUT_WR)
        server.advance(client)
        assert client.unsent  # it could not all be sent at once
        received = bytearray()
        while server.clients:
            for _ in server.epoll.poll(0):
                server.advance(client)
            if len(received) < CHUNK:
                received += ours.recv(CHUNK)
        assert (payload, b"") == (bytes(received), ours.recv(1))


def test_a_reset_loses_this_client_only(server: EchoServer) -> None:
    """A RST while reading, while owed bytes and before accept: the others go on."""
    with connect(server) as other:
        other_side = accept(server)
        for before_accept in (True, False):
            lost = connect(server)
            lost.sendall(b"Hello")
            if not before_accept:
                lost_side = accept(server)
                lost_side.unsent = b"owed"
            lost.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_AT_CLOSE)
            lost.close()
            if before_accept:
                lost_side = accept(server)
            for _ in range(2):  # the data first, then the reset
                if lost_side.conn.fileno() in server.clients:
                    server.advance(lost_side)
            assert [other_side] == list(server.clients.values())
        other.sendall(b"Hello")
        assert [other_side.conn.fileno()] == server.wait()
        server.advance(other_side)
        assert b"Hello" == other.recv(5, socket.MSG_WAITALL)


def test_a_stale_event_does_nothing_to_the_next_client(server: EchoServer) -> None:
    """An event for a number that has another client by now leaves that one alone."""
    with connect(server) as first:
        number = accept(server).conn.fileno()
        first.shutdown(socket.SHUT_WR)
        with connect(server) as second:

            def first_leaves_second_gets_its_number() -> list[int]:
                return [number, server.listener.fileno(), number]

            def second_sends() -> None:
                assert [number] == list(server.clients)
                second.sendall(b"Hello")

            def second_is_answered() -> list[int]:
                assert b"Hello" == second.recv(5, socket.MSG_WAITALL)
                return []

            serve_until_done(
                server,
                first_leaves_second_gets_its_number,
                second_sends,
                second_is_answered,
            )
            assert b"" == first.recv(1)


def test_an_event_of_nobody_hits_nobody(server: EchoServer) -> None:
    """An event whose descriptor is no client's does no more than look for a client."""
    with connect(server) as ours:
        client = accept(server)
        server.accept()  # what serve() does with a number that it does not know
        assert [client] == list(server.clients.values())
        ours.sendall(b"Hello")
        server.advance(client)
        assert b"Hello" == ours.recv(5, socket.MSG_WAITALL)


@pytest.mark.parametrize("fault", sorted(epoll_server.OUT_OF_RESOURCES))
def test_without_descriptors_accepting_pauses(
    server: EchoServer,
    fault: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Out of resources the listener is left alone for a while, and then served."""
    monkeypatch.setattr(epoll_server, "ACCEPT_PAUSE", 3600.0)
    listener = cast(Listener, server.listener)
    listener.fault = fault
    with connect(server):
        assert [listener.fileno()] == server.wait()
        server.accept()
        assert f"accepting pauses: {os.strerror(fault)}\n" == capsys.readouterr().err
        assert [] == server.epoll.poll(0)  # a client waits, and nothing spins
        listener.fault = None
        server.resume_at = time.monotonic()
        assert [] == server.wait()
        assert server.resume_at is None
        accept(server)
        assert 1 == len(server.clients)


def test_a_pause_ends_by_itself_and_others_are_served(
    server: EchoServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """During a pause connected clients are served, and wait() wakes up at its end."""
    listener = cast(Listener, server.listener)
    with connect(server) as ours, connect(server):
        client = accept(server)
        monkeypatch.setattr(epoll_server, "ACCEPT_PAUSE", 3600.0)
        listener.fault = errno.EMFILE
        server.accept()
        ours.sendall(b"Hello")
        assert [client.conn.fileno()] == server.wait()
        server.advance(client)
        assert b"Hello" == ours.recv(5, socket.MSG_WAITALL)
        monkeypatch.setattr(epoll_server, "ACCEPT_PAUSE", 0.05)
        listener.fault = errno.EMFILE
        server.accept()
        listener.fault = None
        deadline = time.monotonic() + DEADLINE
        while server.resume_at is not None:
            assert [] == server.wait()
            assert time.monotonic() < deadline
        accept(server)
        assert 2 == len(server.clients)


def test_a_client_that_cannot_be_watched_is_turned_away(
    server: EchoServer, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where the user's limit of watches is reached, a new client sees EOF."""

    def register(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with connect(server) as ours:
        real_epoll = server.epoll
        server.epoll = cast("select.epoll", SimpleNamespace(register=register))
        server.accept()
        server.epoll = real_epoll
        assert {} == server.clients
        assert b"" == ours.recv(1)
    expected = "a client is turned away: No space left on device\n"
    assert expected == capsys.readouterr().err


def test_the_end_of_serve_closes_all(server: EchoServer) -> None:
    """However serve() ends, every client and the epoll descriptor are closed."""
    clients = [connect(server) for _ in range(3)]
    serve_until_done(server, *[lambda: None] * len(clients))
    for client in clients:
        assert b"" == client.recv(1)
        client.close()
    assert {} == server.clients
    assert server.epoll.closed
