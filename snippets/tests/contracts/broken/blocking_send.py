"""Waits for one client while the others wait for it."""

import socket

from contracts.broken import base


def advance(conn: socket.socket) -> bool:
    """Echo all of it, however long it takes."""
    conn.setblocking(True)
    chunk = conn.recv(base.CHUNK)
    conn.sendall(chunk)
    return bool(chunk)


def serve(listener: socket.socket) -> None:
    """Serve many clients at once."""
    base.all_at_once(listener, advance)


if __name__ == "__main__":
    base.main(serve)
