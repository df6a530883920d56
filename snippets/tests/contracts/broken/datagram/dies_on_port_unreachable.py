"""Lets a client that is gone end it."""

import socket

from contracts.broken.datagram import base

IP_RECVERR = 11  # Linux: report ICMP errors, also where nothing is connected


def serve(sock: socket.socket) -> None:
    """Echo until an ICMP message comes."""
    sock.setsockopt(socket.IPPROTO_IP, IP_RECVERR, 1)
    while True:
        base.reply(sock, *sock.recvfrom(base.SIZE))


if __name__ == "__main__":
    base.main(serve)
