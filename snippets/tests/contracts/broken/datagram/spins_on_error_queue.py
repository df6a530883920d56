"""Does not empty the queue of ICMP messages, so poll returns at once."""

import contextlib
import select
import socket

from contracts.broken.datagram import base

IP_RECVERR = 11  # Linux: report ICMP errors, also where nothing is connected


def serve(sock: socket.socket) -> None:
    """Echo what poll reports."""
    sock.setsockopt(socket.IPPROTO_IP, IP_RECVERR, 1)
    sock.setblocking(False)
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    while True:
        poll.poll()
        with contextlib.suppress(OSError):
            base.reply(sock, *sock.recvfrom(base.SIZE))


if __name__ == "__main__":
    base.main(serve)
