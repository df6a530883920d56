"""Cuts what is longer than 1,024 bytes, as the old sheet's server did."""

import socket

from contracts.broken.datagram import base


def serve(sock: socket.socket) -> None:
    """Echo what fits."""
    while True:
        base.reply(sock, *sock.recvfrom(1024))


if __name__ == "__main__":
    base.main(serve)
