"""Keeps whatever a client sends and does not read back."""

import queue
import socket
import threading

from contracts.broken import base


def echo(conn: socket.socket) -> None:
    """Read as fast as it comes; another thread sends."""
    owed: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    sender = threading.Thread(target=send, args=(conn, owed))
    sender.start()
    while chunk := conn.recv(base.CHUNK):
        owed.put(chunk)
    owed.put(b"")
    sender.join()


def send(conn: socket.socket, owed: "queue.SimpleQueue[bytes]") -> None:
    """Send what is owed until there is nothing more."""
    while chunk := owed.get():
        conn.sendall(chunk)


def serve(listener: socket.socket) -> None:
    """Serve one client after the other."""
    base.one_by_one(listener, echo)


if __name__ == "__main__":
    base.main(serve)
