"""Looks whether a client has sent something, in a thread, every millisecond."""

import contextlib
import socket
import threading

from contracts.broken import base


def echo(conn: socket.socket) -> None:
    """Leave the client to a thread and wait for that."""
    thread = threading.Thread(target=look_often, args=(conn,), daemon=True)
    thread.start()
    thread.join()


def look_often(conn: socket.socket) -> None:
    """Echo what is there each time."""
    conn.settimeout(0.001)
    while True:
        with contextlib.suppress(TimeoutError):
            chunk = conn.recv(base.CHUNK)
            conn.sendall(chunk)
            if not chunk:
                return


def serve(listener: socket.socket) -> None:
    """Serve one client after the other."""
    base.one_by_one(listener, echo)


if __name__ == "__main__":
    base.main(serve)
