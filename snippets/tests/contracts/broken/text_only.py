"""Takes the bytes for UTF-8."""

import socket

from contracts.broken import base


def echo(conn: socket.socket) -> None:
    """Echo what can be decoded."""
    while chunk := conn.recv(base.CHUNK):
        conn.sendall(chunk.decode(errors="ignore").encode())


def serve(listener: socket.socket) -> None:
    """Serve one client after the other."""
    base.one_by_one(listener, echo)


if __name__ == "__main__":
    base.main(serve)
