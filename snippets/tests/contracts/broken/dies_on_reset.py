"""Lets a client's reset end it."""

import socket

from contracts.broken import base


def serve(listener: socket.socket) -> None:
    """Serve one client after the other until one is reset."""
    while True:
        conn, _ = listener.accept()
        with conn:
            base.echo(conn)


if __name__ == "__main__":
    base.main(serve)
