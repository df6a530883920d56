"""Remembers all that it received."""

import socket

from contracts.broken.datagram import base


def serve(sock: socket.socket) -> None:
    """Echo and keep."""
    kept = []
    while True:
        payload, peer = sock.recvfrom(base.SIZE)
        kept.append(payload)
        base.reply(sock, payload, peer)


if __name__ == "__main__":
    base.main(serve)
