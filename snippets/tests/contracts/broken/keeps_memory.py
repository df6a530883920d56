"""Keeps 200 kB for each client that it ever had."""

import socket

from contracts.broken import base

KEPT: list[bytes] = []


def echo(conn: socket.socket) -> None:
    """Echo and remember."""
    KEPT.append(b"x" * 200_000)
    base.echo(conn)


def serve(listener: socket.socket) -> None:
    """Serve one client after the other."""
    base.one_by_one(listener, echo)


if __name__ == "__main__":
    base.main(serve)
