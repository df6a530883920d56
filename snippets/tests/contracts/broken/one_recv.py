"""Receives once and closes."""

import socket

from contracts.broken import base


def echo(conn: socket.socket) -> None:
    """Echo what one recv returns."""
    conn.sendall(conn.recv(base.CHUNK))


def serve(listener: socket.socket) -> None:
    """Serve one client after the other."""
    base.one_by_one(listener, echo)


if __name__ == "__main__":
    base.main(serve)
