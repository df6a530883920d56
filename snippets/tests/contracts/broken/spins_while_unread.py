"""Tries to send all the time while a client does not read."""

import contextlib
import socket

from contracts.broken import base


def echo(conn: socket.socket) -> None:
    """Echo and never wait for room to send."""
    while chunk := conn.recv(base.CHUNK):
        conn.setblocking(False)
        while chunk:
            with contextlib.suppress(BlockingIOError):
                chunk = chunk[conn.send(chunk) :]
        conn.setblocking(True)


def serve(listener: socket.socket) -> None:
    """Serve one client after the other."""
    base.one_by_one(listener, echo)


if __name__ == "__main__":
    base.main(serve)
