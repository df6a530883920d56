"""select_server: the stream contract, its steps, and FD_SETSIZE."""

import contextlib
import select
import time
from typing import Any

import select_server
from contracts import event_loop, program, stream
from support.server import Server

FD_SETSIZE = 1_024  # with glibc, musl and on macOS
TURNED_AWAY = "a client is turned away: FD_SETSIZE reached\n"

TestStream = stream.concurrent("select_server")


class TestSteps(event_loop.EventLoop):
    """The steps of select_server."""

    module = select_server

    @staticmethod
    def poll(server: Any, seconds: float) -> list[int]:
        """Return what is ready within *seconds*."""
        readers = [fd for fd, client in server.clients.items() if not client.unsent]
        writers = [fd for fd, client in server.clients.items() if client.unsent]
        if not server.resume_at:
            readers.append(server.listener.fileno())
        readable, writable, _ = select.select(readers, writers, [], seconds)
        return readable + writable


def test_fd_setsize() -> None:
    """Above FD_SETSIZE a new client sees EOF and a line says so; the others go on."""
    with (
        program.enough_descriptors(FD_SETSIZE + 200),
        Server("select_server") as server,
        contextlib.ExitStack() as crowd,
    ):
        first = crowd.enter_context(server.connect())
        clients = [crowd.enter_context(server.connect()) for _ in range(FD_SETSIZE - 1)]
        turned_away = clients[-1]
        assert b"" == turned_away.recv(1)
        for client in (first, clients[len(clients) // 2]):
            client.sendall(b"Hello")
            assert b"Hello" == client.recv(5)
        lines = server.stderr.splitlines(keepends=True)
        assert {TURNED_AWAY} == set(lines)

        first.close()  # which makes room for one
        deadline = time.monotonic() + event_loop.DEADLINE
        while server.process.num_fds() >= FD_SETSIZE:
            assert time.monotonic() < deadline
        with server.connect() as next_client:
            next_client.sendall(b"Hello")
            assert b"Hello" == next_client.recv(5)
