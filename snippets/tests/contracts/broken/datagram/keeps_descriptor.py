"""Opens a socket for each client and closes none."""

import socket

from contracts.broken.datagram import base


def serve(sock: socket.socket) -> None:
    """Echo by a socket of this client's."""
    kept = {}
    while True:
        payload, peer = sock.recvfrom(base.SIZE)
        kept[peer] = sock.dup()
        base.reply(kept[peer], payload, peer)


if __name__ == "__main__":
    base.main(serve)
