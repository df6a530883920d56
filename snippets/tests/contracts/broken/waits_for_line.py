"""Answers whole lines only."""

import socket

from contracts.broken import base


def echo(conn: socket.socket) -> None:
    """Echo line by line."""
    with conn.makefile("rb") as lines:
        for line in lines:
            conn.sendall(line)


def serve(listener: socket.socket) -> None:
    """Serve one client after the other."""
    base.one_by_one(listener, echo)


if __name__ == "__main__":
    base.main(serve)
