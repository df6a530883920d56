"""Looks for clients all the time."""

import contextlib
import socket

from contracts.broken import base


def serve(listener: socket.socket) -> None:
    """Serve one client after the other."""
    listener.setblocking(False)
    while True:
        with contextlib.suppress(BlockingIOError):
            conn, _ = listener.accept()
            with conn:
                conn.setblocking(True)
                base.echo(conn)


if __name__ == "__main__":
    base.main(serve)
