"""Answers the client before."""

import socket

from contracts.broken import base

LAST: list[bytes] = []


def advance(conn: socket.socket) -> bool:
    """Send back what the client before has sent."""
    chunk = conn.recv(base.CHUNK)
    if chunk:
        LAST.append(chunk)
        conn.send(LAST[0])
        del LAST[:-1]
    return bool(chunk)


def serve(listener: socket.socket) -> None:
    """Serve many clients at once."""
    base.all_at_once(listener, advance)


if __name__ == "__main__":
    base.main(serve)
