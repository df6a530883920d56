"""Leaves a child behind, which has the port until the next server asks for it."""

import contextlib
import os
import socket
import time

from contracts.broken.datagram import base

PATIENCE = 10.0  # seconds for which the child waits to be sent away


def create_socket(host: str, port: int) -> socket.socket:
    """Return a bound socket; where that fails, end the child that is in the way."""
    try:
        return base.bind(host, port)
    except OSError:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.sendto(b"leave", (host, port))
        raise


def stay(sock: socket.socket, parent: int) -> None:
    """Keep *sock* open when the parent has ended."""
    while os.getppid() == parent:
        time.sleep(0.01)
    sock.settimeout(PATIENCE)
    sock.recv(base.SIZE)


def serve(sock: socket.socket) -> None:
    """Echo beside an idle child."""
    parent = os.getpid()
    if os.fork():
        base.serve(sock)
    with contextlib.suppress(KeyboardInterrupt, OSError):
        stay(sock, parent)
    os._exit(0)


if __name__ == "__main__":
    base.main(serve, create_socket)
