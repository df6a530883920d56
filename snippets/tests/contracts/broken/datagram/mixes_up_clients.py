"""Answers the client before."""

import socket

from contracts.broken.datagram import base


def serve(sock: socket.socket) -> None:
    """Echo to whoever sent the datagram before."""
    before = None
    while True:
        payload, peer = sock.recvfrom(base.SIZE)
        base.reply(sock, payload, before or peer)
        before = peer


if __name__ == "__main__":
    base.main(serve)
