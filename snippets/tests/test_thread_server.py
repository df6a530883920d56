"""thread_server: the stream contract, and threads that cannot start or must end."""

import contextlib
import errno
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

import thread_server
from contracts import event_loop, stream
from contracts.program import enough_descriptors
from support.server import Server
from thread_server import EchoServer

TestStream = stream.concurrent("thread_server")


class TestVariation(event_loop.Variation):
    """What thread_server has in common with the others."""

    module = thread_server
    # The thread itself waits, and holds what its client is owed.
    left_out = frozenset({"Client", "Client.__init__", "EchoServer.wait"})
    added = frozenset(
        {"interrupt"}
    )  # so that a second signal does not cut its end short


@pytest.fixture
def server() -> Iterator[Any]:
    """Return a server that accepts when it is told to."""
    plain = thread_server.create_listener("127.0.0.1", 0)
    with event_loop.Listener(fileno=plain.detach()) as listener:
        yield EchoServer(listener)


def test_an_answer_in_pieces_does_not_wait(server: Any) -> None:
    """No piece of an answer waits until the one before is acknowledged."""
    with event_loop.connect(server):
        server.accept()
        (conn,) = server.clients
        assert event_loop.sends_at_once(conn)


def test_thread_that_cannot_start(
    server: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where no thread can start, this one client sees EOF and a line says so."""

    def start(_: object) -> None:
        raise RuntimeError("can't start new thread")

    with event_loop.connect(server) as ours:
        with monkeypatch.context() as patch:
            patch.setattr(threading.Thread, "start", start)
            server.accept()
        assert set() == server.clients
        assert b"" == ours.recv(1)
    assert (
        "a client is turned away: can't start new thread\n" == capsys.readouterr().err
    )
    with event_loop.connect(server) as ours:
        server.accept()
        ours.sendall(b"Hello")
        assert b"Hello" == ours.recv(5, socket.MSG_WAITALL)
        (thread,) = [t for t in threading.enumerate() if t.name.endswith("(advance)")]
        ours.close()
        thread.join(event_loop.DEADLINE)
        assert not thread.is_alive()
    assert set() == server.clients


@pytest.mark.parametrize("fault", event_loop.FAULTS)
def test_out_of_resources(
    server: Any,
    fault: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Out of resources accept() returns only after a pause."""
    pauses: list[float] = []
    monkeypatch.setattr(time, "sleep", pauses.append)
    server.listener.fault = fault
    server.accept()
    assert [thread_server.ACCEPT_PAUSE] == pauses
    assert f"accepting pauses: {os.strerror(fault)}\n" == capsys.readouterr().err


def test_client_that_has_gone(server: Any) -> None:
    """An error of accept() that is a client's costs nothing and no pause."""
    server.listener.fault = errno.ECONNABORTED
    begin = time.monotonic()
    server.accept()
    assert time.monotonic() - begin < thread_server.ACCEPT_PAUSE
    assert set() == server.clients


def test_end_wakes_every_thread(server: Any) -> None:
    """When serve() ends, a thread that reads and one that sends end, too."""
    payload = bytes(1 << 20)
    with (
        event_loop.connect(server) as silent,
        event_loop.connect(server) as never_reads,
    ):
        server.accept()
        server.accept()
        threads = [t for t in threading.enumerate() if t.name.endswith("(advance)")]
        assert 2 == len(threads)
        never_reads.settimeout(0.2)
        with contextlib.suppress(TimeoutError):
            while True:
                never_reads.sendall(payload)

        def interrupted() -> None:
            raise KeyboardInterrupt

        server.accept = interrupted
        with pytest.raises(KeyboardInterrupt):
            server.serve()
        for thread in threads:
            thread.join(event_loop.DEADLINE)
            assert not thread.is_alive()
        assert b"" == silent.recv(1)
    assert set() == server.clients


def test_ctrl_c_with_a_crowd() -> None:
    """Ctrl-C ends it within a second whatever its clients do."""
    payload = bytes(1 << 20)
    with Server("thread_server") as server, contextlib.ExitStack() as crowd:
        for _ in range(100):
            client = crowd.enter_context(server.connect())
            client.sendall(b"Hello")
            assert b"Hello" == client.recv(5, socket.MSG_WAITALL)
        client.settimeout(0.2)
        with contextlib.suppress(TimeoutError):
            while True:  # until its thread waits in sendall()
                client.sendall(payload)
        ended = server.stop(signal.SIGINT, within=1.0)
    assert (0, "") == (ended.status, ended.stderr)


def test_a_second_signal_delays_nothing() -> None:
    """Two signals at once, with 300 clients, end it as one does."""
    with (
        enough_descriptors(400),
        Server("thread_server") as server,
        contextlib.ExitStack() as crowd,
    ):
        clients = [crowd.enter_context(server.connect()) for _ in range(300)]
        for client in clients:
            client.sendall(b"x")
        for client in clients:
            assert b"x" == client.recv(1)
        server.process.send_signal(signal.SIGINT)
        ended = server.stop(signal.SIGTERM)
        assert (0, "") == (ended.status, ended.stderr)
