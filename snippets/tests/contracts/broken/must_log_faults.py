"""Waits where no descriptor is free, but ends where it cannot say so."""

import contextlib
import socket
import sys
import threading
import time

from contracts.broken import base


def serve(listener: socket.socket) -> None:
    """Serve many clients, a thread each."""
    while True:
        try:
            conn, _ = listener.accept()
        except OSError as error:
            print(error, file=sys.stderr, flush=True)
            time.sleep(1)
            continue
        threading.Thread(target=serve_client, args=(conn,), daemon=True).start()


def serve_client(conn: socket.socket) -> None:
    """Serve one client."""
    with conn, contextlib.suppress(OSError):
        base.echo(conn)


if __name__ == "__main__":
    base.main(serve)
