"""Tries all the time to accept while no descriptor is free."""

import socket

from contracts.broken import base


def serve(listener: socket.socket) -> None:
    """Serve many clients, a thread each."""
    base.in_threads(listener, lambda _: None)


if __name__ == "__main__":
    base.main(serve)
