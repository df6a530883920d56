"""Serves each client in a thread that never ends."""

import socket
import threading

from contracts.broken import base

NEVER = threading.Event()


def serve_client(conn: socket.socket) -> None:
    """Serve one client and stay."""
    base.serve_client(conn)
    NEVER.wait()


def serve(listener: socket.socket) -> None:
    """Serve many clients, a thread each."""
    base.in_threads(listener, serve_client=serve_client)


if __name__ == "__main__":
    base.main(serve)
