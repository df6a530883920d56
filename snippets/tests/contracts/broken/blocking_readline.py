"""Waits for the rest of a line while the others wait for it."""

import socket

from contracts.broken import base


def advance(conn: socket.socket) -> bool:
    """Echo up to the end of the line."""
    conn.setblocking(True)
    with conn.makefile("rb") as lines:
        line = lines.readline()
    conn.sendall(line)
    return bool(line)


def serve(listener: socket.socket) -> None:
    """Serve many clients at once."""
    base.all_at_once(listener, advance)


if __name__ == "__main__":
    base.main(serve)
