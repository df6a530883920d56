"""Believes that send sends everything."""

import contextlib
import socket

from contracts.broken import base


def advance(conn: socket.socket) -> bool:
    """Echo as much as the kernel takes."""
    chunk = conn.recv(base.CHUNK)
    with contextlib.suppress(BlockingIOError):
        conn.send(chunk)
    return bool(chunk)


def serve(listener: socket.socket) -> None:
    """Serve many clients at once."""
    base.all_at_once(listener, advance)


if __name__ == "__main__":
    base.main(serve)
