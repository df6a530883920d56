"""Takes EOF for data: spins once a client has left."""

import socket

from contracts.broken import base


def echo(conn: socket.socket) -> None:
    """Echo for ever."""
    while True:
        conn.sendall(conn.recv(base.CHUNK))


def serve(listener: socket.socket) -> None:
    """Serve one client after the other."""
    base.one_by_one(listener, echo)


if __name__ == "__main__":
    base.main(serve)
