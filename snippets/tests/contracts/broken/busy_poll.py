"""Looks for clients every millisecond."""

import select
import socket

from contracts.broken import base


def serve(listener: socket.socket) -> None:
    """Serve one client after the other."""
    poller = select.poll()
    poller.register(listener, select.POLLIN)
    while True:
        if poller.poll(1):
            conn, _ = listener.accept()
            with conn:
                base.echo(conn)


if __name__ == "__main__":
    base.main(serve)
