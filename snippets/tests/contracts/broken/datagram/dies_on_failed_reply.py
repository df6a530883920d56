"""Lets a reply that cannot be sent end it."""

import socket

from contracts.broken.datagram import base


def serve(sock: socket.socket) -> None:
    """Echo until that is not possible."""
    while True:
        sock.sendto(*sock.recvfrom(base.SIZE))


if __name__ == "__main__":
    base.main(serve)
