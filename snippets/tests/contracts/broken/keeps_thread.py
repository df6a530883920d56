"""Serves each client in a thread that never ends."""

import contextlib
import socket
import threading

from contracts.broken import base

NEVER = threading.Event()


def serve(listener: socket.socket) -> None:
    """Serve many clients, a thread each."""
    while True:
        conn, _ = listener.accept()
        threading.Thread(target=serve_client, args=(conn,), daemon=True).start()


def serve_client(conn: socket.socket) -> None:
    """Serve one client and stay."""
    with conn, contextlib.suppress(OSError):
        base.echo(conn)
    NEVER.wait()


if __name__ == "__main__":
    base.main(serve)
