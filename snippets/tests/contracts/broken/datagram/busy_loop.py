"""Looks for datagrams all the time."""

import contextlib
import socket

from contracts.broken.datagram import base


def serve(sock: socket.socket) -> None:
    """Echo, and never sleep."""
    sock.setblocking(False)
    while True:
        with contextlib.suppress(BlockingIOError):
            base.reply(sock, *sock.recvfrom(base.SIZE))


if __name__ == "__main__":
    base.main(serve)
