"""Tries all the time to accept while no descriptor is free."""

import contextlib
import socket
import threading

from contracts.broken import base


def serve(listener: socket.socket) -> None:
    """Serve many clients, a thread each."""
    while True:
        try:
            conn, _ = listener.accept()
        except OSError:
            continue
        threading.Thread(target=serve_client, args=(conn,), daemon=True).start()


def serve_client(conn: socket.socket) -> None:
    """Serve one client."""
    with conn, contextlib.suppress(OSError):
        base.echo(conn)


if __name__ == "__main__":
    base.main(serve)
