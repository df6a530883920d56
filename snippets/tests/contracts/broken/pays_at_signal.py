"""Ends at Ctrl-C or SIGTERM only when the client has got what it is owed."""

import socket

from contracts.broken import base


def echo(conn: socket.socket) -> None:
    """Echo; when interrupted, send the rest first."""
    unsent = b""
    try:
        while unsent or (unsent := conn.recv(base.CHUNK)):
            unsent = unsent[conn.send(unsent) :]
    except KeyboardInterrupt:
        conn.sendall(unsent)
        raise


def serve(listener: socket.socket) -> None:
    """Serve one client after the other."""
    base.one_by_one(listener, echo)


if __name__ == "__main__":
    base.main(serve)
