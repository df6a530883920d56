"""tls_selectors_server: both contracts, and its steps one at a time.

``EchoServer``'s methods are called directly, in one thread, so that what is ready
when is up to the test.
"""

import errno
import os
import select
import selectors
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import cast

import pytest

import selectors_server
import tls_selectors_server
from contracts import command_line, event_loop, stream, tls
from support.tls import TLS, Connection, client_context, folder_of
from tls_selectors_server import CHUNK, Client, EchoServer

DEADLINE = 10.0  # seconds for any one call

TestStream = stream.concurrent("tls_selectors_server", transport=TLS)
TestTls = tls.concurrent("tls_selectors_server")
TestCommandLine = command_line.server(tls_selectors_server, TLS)


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
    page = folder_of("page")
    context = tls_selectors_server.create_context(
        str(page / "cert.pem"), str(page / "key.pem")
    )
    made = tls_selectors_server.create_listener("127.0.0.1", 0)
    with Listener(fileno=made.detach()) as listener:
        server = EchoServer(listener, context)
        yield server
        for client in list(server.clients.values()):
            server.close(client)
        server.selector.close()


def connect(server: EchoServer) -> tuple[Connection, Client]:
    """Return both sides of a new connection, its handshake still to come."""
    before = set(server.clients)
    sock = socket.create_connection(server.listener.getsockname(), DEADLINE)
    assert [server.listener.fileno()] == server.wait()
    server.accept()
    (fd,) = set(server.clients) - before
    ours = Connection(sock, client_context(), "localhost", 0)
    return ours, server.clients[fd]


def drive(server: EchoServer, until: Callable[[], object]) -> None:
    """Let *server* act on its events until a condition holds."""
    deadline = time.monotonic() + DEADLINE
    while not until():
        for key, _ in server.selector.select(0.01):
            if key.fd in server.clients:
                server.advance(server.clients[key.fd])
        assert time.monotonic() < deadline


def shaken(server: EchoServer) -> tuple[Connection, Client]:
    """Return both sides of a new connection after its handshake."""
    ours, client = connect(server)
    drive(server, lambda: ours.shake_hands(0) and client.conn.version())
    return ours, client


def receive(server: EchoServer, ours: Connection, size: int) -> bytes:
    """Let *server* work until *size* bytes came back, and return them."""
    received = bytearray()

    def has_all() -> bool:
        while len(received) < size:
            try:
                received.extend(ours.recv(size - len(received)))
            except ssl.SSLWantReadError:
                return False
        return True

    drive(server, has_all)
    return bytes(received)


def test_an_answer_in_pieces_does_not_wait(server: EchoServer) -> None:
    """No record waits until the one before is acknowledged."""
    ours, client = connect(server)
    with ours:
        assert event_loop.sends_at_once(client.conn)


@pytest.mark.parametrize("chunk", [1, 1_024, CHUNK])
def test_what_tls_has_decrypted_is_drained(
    server: EchoServer, chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A record larger than CHUNK comes back whole from one event of the socket."""
    monkeypatch.setattr(tls_selectors_server, "CHUNK", chunk)
    ours, client = shaken(server)
    with ours:
        payload = os.urandom(10_000)
        assert len(payload) == ours.send(payload)
        assert [client.conn.fileno()] == server.wait()
        server.advance(client)
        while client.conn.pending() or client.unsent:  # the record was still coming
            assert [client.conn.fileno()] == server.wait()
            server.advance(client)
        assert payload == receive(server, ours, len(payload))


def test_a_client_that_never_reads_is_owed_no_more_than_a_chunk(
    server: EchoServer,
) -> None:
    """While a client is owed bytes it is not read from, and then it gets them all."""
    ours, client = shaken(server)
    with ours:
        payload, sent = os.urandom(CHUNK), bytearray()
        deadline = time.monotonic() + DEADLINE
        while True:  # until no buffer between the two has room
            try:
                sent += payload[: ours.send(payload)]
            except ssl.SSLWantWriteError:
                nothing_ready = not server.selector.select(0.05)
                if nothing_ready and client.event == selectors.EVENT_WRITE:
                    break
            for _ in server.selector.select(0):
                server.advance(client)
            assert len(client.unsent) <= CHUNK
            assert time.monotonic() < deadline
        assert 0 < len(client.unsent) <= CHUNK
        assert bytes(sent) == receive(server, ours, len(sent))


def test_a_farewell_waits_for_what_is_owed(server: EchoServer) -> None:
    """A client that says close_notify while it is owed bytes gets them before ours."""
    ours, client = shaken(server)
    with ours:
        payload = os.urandom(CHUNK)
        sent = bytearray()
        while client.event != selectors.EVENT_WRITE:  # until it is owed something
            try:
                sent += payload[: ours.send(payload)]
            except ssl.SSLWantWriteError:
                ours.wait(select.POLLOUT, 0.01)
            for _ in server.selector.select(0):
                server.advance(client)
        ours.end_sending()
        assert bytes(sent) == receive(server, ours, len(sent))
        drive(server, lambda: not server.clients)
        assert b"" == ours.recv(1)


def test_a_farewell_that_finds_no_room_is_said_later(server: EchoServer) -> None:
    """Where close_notify cannot be sent at once, it is sent when there is room."""
    ours, client = shaken(server)
    with ours:
        real_conn, rounds = client.conn, [ssl.SSLWantWriteError(), None]

        def unwrap() -> None:
            if error := rounds.pop(0):
                raise error
            real_conn.unwrap()

        fake = SimpleNamespace(
            do_handshake=real_conn.do_handshake,
            recv=real_conn.recv,
            fileno=real_conn.fileno,
            close=real_conn.close,
        )
        fake.unwrap = unwrap
        client.conn = cast("ssl.SSLSocket", fake)
        ours.end_sending()
        drive(server, lambda: client.event == selectors.EVENT_WRITE)
        assert [client] == list(server.clients.values())
        drive(server, lambda: not server.clients)
        assert b"" == ours.recv(1)


def test_tls_says_which_event_it_waits_for(server: EchoServer) -> None:
    """Whatever the step, the selector watches for what TLS asked for."""
    ours, client = shaken(server)
    with ours:
        real_conn = client.conn
        for error, expected in (
            (ssl.SSLWantWriteError(), selectors.EVENT_WRITE),
            (ssl.SSLWantReadError(), selectors.EVENT_READ),
        ):

            def recv(_: int, error: OSError = error) -> bytes:
                raise error

            fake = SimpleNamespace(
                do_handshake=real_conn.do_handshake, recv=recv, fileno=real_conn.fileno
            )
            client.conn = cast("ssl.SSLSocket", fake)
            server.advance(client)
            client.conn = real_conn
            watched = server.selector.get_key(real_conn).events
            assert (expected, expected) == (client.event, watched)


def test_a_lost_client_is_alone(server: EchoServer) -> None:
    """No TLS, or an end without close_notify: the others go on."""
    other, other_side = shaken(server)
    with other:
        for said in (b"GET / HTTP/1.0\r\n\r\n", b"\x16", b""):
            lost, _ = connect(server)
            socket.socket.send(lost, said)
            lost.shutdown(socket.SHUT_WR)
            drive(server, lambda: len(server.clients) == 1)
            lost.close()
        lost, _ = shaken(server)
        lost.shutdown(socket.SHUT_WR)
        drive(server, lambda: len(server.clients) == 1)
        lost.close()
        assert [other_side] == list(server.clients.values())
        assert 5 == other.send(b"Hello")
        assert b"Hello" == receive(server, other, 5)


@pytest.mark.parametrize("fault", event_loop.FAULTS)
def test_without_descriptors_accepting_pauses(
    server: EchoServer,
    fault: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Out of resources the listener is left alone for a while, and then served."""
    monkeypatch.setattr(tls_selectors_server, "ACCEPT_PAUSE", 3600.0)
    listener = cast(Listener, server.listener)
    listener.fault = fault
    with socket.create_connection(listener.getsockname(), DEADLINE):
        assert [listener.fileno()] == server.wait()
        server.accept()
        assert f"accepting pauses: {os.strerror(fault)}\n" == capsys.readouterr().err
        assert [] == server.selector.select(0)  # a client waits, and nothing spins
        listener.fault = None
        monkeypatch.setattr(tls_selectors_server, "ACCEPT_PAUSE", 0.01)
        server.resume_at = time.monotonic()
        assert [] == server.wait()
        assert not server.resume_at
        server.wait()
        server.accept()
        assert 1 == len(server.clients)


def test_a_client_that_cannot_be_watched_is_turned_away(server: EchoServer) -> None:
    """Where the user's limit of watches is reached, a new client sees EOF."""

    def register(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with socket.create_connection(server.listener.getsockname(), DEADLINE) as ours:
        real_selector = server.selector
        server.selector = cast(
            "selectors.DefaultSelector", SimpleNamespace(register=register)
        )
        server.accept()
        server.selector = real_selector
        assert {} == server.clients
        assert b"" == ours.recv(1)


def test_it_reads_as_a_variation_of_the_plain_one() -> None:
    """It has the classes and methods of selectors_server, in the same order."""

    def shape(module: object) -> list[str]:
        return [
            *[n for n in vars(module) if n in ("Client", "EchoServer", "main")],
            *[n for n in vars(getattr(module, "EchoServer")) if n[:2] != "__"],  # noqa: B009
        ]

    assert shape(selectors_server) == shape(tls_selectors_server)
