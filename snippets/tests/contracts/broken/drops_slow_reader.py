"""Drops a client that does not read at once."""

import socket

from contracts.broken import base


def echo(conn: socket.socket) -> None:
    """Echo; leave when nothing could be sent for some time."""
    conn.settimeout(0.05)
    while chunk := conn.recv(base.CHUNK):
        conn.sendall(chunk)


def serve(listener: socket.socket) -> None:
    """Serve one client after the other."""
    base.one_by_one(listener, echo)


if __name__ == "__main__":
    base.main(serve)
