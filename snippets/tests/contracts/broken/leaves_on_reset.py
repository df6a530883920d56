"""Ends without a word when a client is reset."""

import contextlib
import socket

from contracts.broken import base


def serve(listener: socket.socket) -> None:
    """Serve one client after the other until one is reset."""
    with contextlib.suppress(OSError):
        while True:
            conn, _ = listener.accept()
            with conn:
                base.echo(conn)


if __name__ == "__main__":
    base.main(serve)
