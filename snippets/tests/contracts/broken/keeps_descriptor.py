"""Says goodbye to a client but never closes its socket."""

import socket

from contracts.broken import base

KEPT: list[socket.socket] = []


def echo(conn: socket.socket) -> None:
    """Echo and keep a duplicate."""
    base.echo(conn)
    conn.shutdown(socket.SHUT_RDWR)
    KEPT.append(conn.dup())


def serve(listener: socket.socket) -> None:
    """Serve one client after the other."""
    base.one_by_one(listener, echo)


if __name__ == "__main__":
    base.main(serve)
