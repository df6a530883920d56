"""Takes datagrams for a stream: answers all that have come in one."""

import contextlib
import socket

from contracts.broken.datagram import base


def serve(sock: socket.socket) -> None:
    """Echo what has come until now as one datagram."""
    while True:
        payload, peer = sock.recvfrom(base.SIZE)
        with contextlib.suppress(BlockingIOError):
            while True:
                payload += sock.recv(base.SIZE, socket.MSG_DONTWAIT)
        base.reply(sock, payload, peer)


if __name__ == "__main__":
    base.main(serve)
