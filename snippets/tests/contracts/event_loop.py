"""The steps of the concurrent servers, one at a time, and that they are one program.

A test module claims them for its snippet::

    class TestSteps(event_loop.EventLoop):
        module = poll_server

``EchoServer``'s methods are called directly, in one thread, so that what is ready
when is up to the test.
"""

import ast
import errno
import inspect
import os
import socket
import struct
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import epoll_server
import tcp_echo_server
from contracts.command_line import InternetServer

DEADLINE = 10.0  # seconds for any one call
RESET_AT_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER: on, for 0 seconds
FAULTS = [errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EPERM]


class Done(Exception):
    """The test has seen enough."""


class Listener(socket.socket):
    """A listener whose accept() does what it is told."""

    fault: int | None = None
    next_conn: socket.socket | None = None

    def accept(self) -> tuple[socket.socket, object]:
        """Accept, or raise the fault, or return what stands for a client."""
        if self.fault is not None:
            raise OSError(self.fault, os.strerror(self.fault))
        if self.next_conn is not None:
            conn, self.next_conn = self.next_conn, None
            return conn, None
        return super().accept()


def connect(server: Any) -> socket.socket:
    """Return a connection to *server* that is not accepted yet."""
    return socket.create_connection(server.listener.getsockname(), DEADLINE)


def outline(module: Any) -> list[str]:
    """Return the names of the classes, functions and methods of *module*, in order."""
    names = []
    for node in ast.parse(inspect.getsource(module)).body:
        if isinstance(node, ast.FunctionDef):
            names.append(node.name)
        elif isinstance(node, ast.ClassDef):
            functions = [n for n in node.body if isinstance(n, ast.FunctionDef)]
            names += [node.name, *(f"{node.name}.{n.name}" for n in functions)]
    return names


def sends_at_once(conn: socket.socket) -> bool:
    """Return whether *conn* has no Nagle algorithm (RFC 9293, section 3.7.4)."""
    return conn.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0


class Variation(InternetServer):
    """What every concurrent server has in common with ``epoll_server``."""

    left_out: frozenset[str] = (
        frozenset()
    )  # names of epoll_server that it need not have
    added: frozenset[str] = frozenset()  # names that epoll_server does not have

    def test_outline(self) -> None:
        """It has the classes and functions of epoll_server, in the same order."""
        expected = [n for n in outline(epoll_server) if n not in self.left_out]
        assert expected == [n for n in outline(self.module) if n not in self.added]

    def test_listener(self) -> None:
        """It listens by the same lines as the sequential server."""
        expected = inspect.getsource(tcp_echo_server.create_listener)
        assert expected == inspect.getsource(self.module.create_listener)


class EventLoop(Variation):
    """The steps of a server that serves all clients from one thread."""

    @staticmethod
    def poll(server: Any, seconds: float) -> list[int]:
        """Return what is ready within *seconds*, as ``server.wait()`` would."""
        raise NotImplementedError

    @pytest.fixture
    def server(self, backend: None) -> Iterator[Any]:  # noqa: ARG002
        """Return a server that nobody drives; afterwards all of it is closed."""
        plain = self.module.create_listener("127.0.0.1", 0)
        with Listener(fileno=plain.detach()) as listener:
            server = self.module.EchoServer(listener)
            yield server
            listener.fault = errno.EBADF
            self.serve_until_done(server)

    def accept(self, server: Any) -> Any:
        """Let *server* take one client and return its side."""
        before = set(server.clients)
        assert [server.listener.fileno()] == server.wait()
        return self.take(server, before)

    def take(self, server: Any, before: set[int]) -> Any:
        """Let *server* accept and return the client that was not there *before*."""
        server.accept()
        (fd,) = set(server.clients) - before
        return server.clients[fd]

    def serve_until_done(
        self, server: Any, *rounds: Callable[[], list[int] | None]
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
            found: list[int] = real_wait() if events is None else events
            return found

        server.wait = wait
        with pytest.raises(Done):
            server.serve()
        server.wait = real_wait

    def test_an_answer_in_pieces_does_not_wait(self, server: Any) -> None:
        """No piece of an answer waits until the one before is acknowledged."""
        with connect(server):
            assert sends_at_once(self.accept(server).conn)

    def test_owed_no_more_than_a_chunk(self, server: Any) -> None:
        """Who is owed bytes is not read from, and gets them all once it reads."""
        chunk = self.module.CHUNK
        with connect(server) as ours:
            client = self.accept(server)
            ours.setblocking(False)
            payload = os.urandom(1 << 20)
            sent = bytearray()
            deadline = time.monotonic() + DEADLINE
            is_full = False
            while not is_full:  # until no buffer between the two has room
                try:
                    sent += payload[: ours.send(payload)]
                except BlockingIOError:
                    is_full = bool(client.unsent) and not self.poll(server, 0.05)
                if self.poll(server, 0):
                    assert [client.conn.fileno()] == server.wait()
                    server.advance(client)
                assert len(client.unsent) <= chunk
                assert time.monotonic() < deadline
            assert 0 < len(client.unsent) <= chunk

            received = bytearray()
            while len(received) < len(sent):  # now it reads
                try:
                    received += ours.recv(chunk)
                except BlockingIOError:
                    for _ in self.poll(server, 0.05):  # or what was sent is on its way
                        server.advance(client)
                        assert len(client.unsent) <= chunk
                assert time.monotonic() < deadline + DEADLINE
            assert sent == received
            assert b"" == client.unsent
            assert [] == self.poll(server, 0)  # it waits to read again
            ours.sendall(b"x")
            assert [client.conn.fileno()] == server.wait()

    def test_closed_sending_side(self, server: Any) -> None:
        """A client that half-closes while it is owed bytes gets them before EOF."""
        ours, theirs = socket.socketpair()
        with ours:
            ours.settimeout(DEADLINE)
            theirs.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4_096)
            server.listener.next_conn = theirs
            client = self.take(server, set())
            payload = os.urandom(2 * self.module.CHUNK)
            ours.sendall(payload)
            ours.shutdown(socket.SHUT_WR)
            server.advance(client)
            assert client.unsent  # it could not all be sent at once
            received = bytearray()
            while server.clients:
                for _ in self.poll(server, 0):
                    server.advance(client)
                    assert len(client.unsent) <= self.module.CHUNK
                if len(received) < len(payload):
                    received += ours.recv(len(payload))
            assert (payload, b"") == (bytes(received), ours.recv(1))

    def test_reset(self, server: Any) -> None:
        """A RST while reading, while owed bytes and before accept: others go on."""
        with connect(server) as other:
            other_side = self.accept(server)
            for before_accept in (True, False):
                lost = connect(server)
                lost.sendall(b"Hello")
                if not before_accept:
                    lost_side = self.accept(server)
                    lost_side.unsent = b"owed"
                lost.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_AT_CLOSE)
                lost.close()
                if before_accept:
                    lost_side = self.accept(server)
                for _ in range(2):  # the data first, then the reset
                    if lost_side.conn.fileno() in server.clients:
                        server.advance(lost_side)
                assert [other_side] == list(server.clients.values())
            other.sendall(b"Hello")
            assert [other_side.conn.fileno()] == server.wait()
            server.advance(other_side)
            assert b"Hello" == other.recv(5, socket.MSG_WAITALL)

    def test_stale_event(self, server: Any) -> None:
        """An event for a number that has another client by now leaves that one be."""
        with connect(server) as first:
            number = self.accept(server).conn.fileno()
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

                self.serve_until_done(
                    server,
                    first_leaves_second_gets_its_number,
                    second_sends,
                    second_is_answered,
                )
                assert b"" == first.recv(1)

    def test_event_of_nobody(self, server: Any) -> None:
        """An event whose descriptor is no client's at most looks for a client."""
        with connect(server) as ours:
            client = self.accept(server)
            server.accept()  # what serve() does with a number that it does not know
            assert [client] == list(server.clients.values())
            ours.sendall(b"Hello")
            assert [client.conn.fileno()] == server.wait()
            server.advance(client)
            assert b"Hello" == ours.recv(5, socket.MSG_WAITALL)

    @pytest.mark.parametrize("fault", FAULTS)
    def test_out_of_resources(
        self,
        server: Any,
        fault: int,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        """Out of resources the listener is left alone for a while, then served."""
        monkeypatch.setattr(self.module, "ACCEPT_PAUSE", 3600.0)
        listener = server.listener
        listener.fault = fault
        with connect(server):
            assert [listener.fileno()] == server.wait()
            server.accept()
            expected = f"accepting pauses: {os.strerror(fault)}\n"
            assert expected == capsys.readouterr().err
            assert [] == self.poll(server, 0)  # a client waits, and nothing spins
            listener.fault = None
            monkeypatch.setattr(self.module, "ACCEPT_PAUSE", 0.01)
            server.resume_at = time.monotonic()
            assert [] == server.wait()
            assert not server.resume_at
            self.accept(server)
            assert 1 == len(server.clients)

    def test_pause(self, server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        """During a pause clients are served, and wait() wakes up at its end."""
        listener = server.listener
        with connect(server) as ours, connect(server):
            client = self.accept(server)
            monkeypatch.setattr(self.module, "ACCEPT_PAUSE", 3600.0)
            listener.fault = errno.EMFILE
            server.accept()
            ours.sendall(b"Hello")
            assert [client.conn.fileno()] == server.wait()
            server.advance(client)
            assert b"Hello" == ours.recv(5, socket.MSG_WAITALL)
            monkeypatch.setattr(self.module, "ACCEPT_PAUSE", 0.05)
            server.resume_at = time.monotonic() + 0.05
            listener.fault = None
            deadline = time.monotonic() + DEADLINE
            while server.resume_at:
                assert [] == server.wait()
                assert time.monotonic() < deadline
            self.accept(server)
            assert 2 == len(server.clients)

    def test_end(self, server: Any) -> None:
        """However serve() ends, every client is closed."""
        clients = [connect(server) for _ in range(3)]
        self.serve_until_done(server, *[lambda: None] * len(clients))
        for client in clients:
            assert b"" == client.recv(1)
            client.close()
        assert {} == server.clients
