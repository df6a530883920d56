"""Takes an empty datagram for an end, of which there is none."""

import socket

from contracts.broken.datagram import base


def serve(sock: socket.socket) -> None:
    """Echo what is not empty."""
    while True:
        payload, peer = sock.recvfrom(base.SIZE)
        if payload:
            base.reply(sock, payload, peer)


if __name__ == "__main__":
    base.main(serve)
