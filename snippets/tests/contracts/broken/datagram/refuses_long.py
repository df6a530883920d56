"""Says which datagrams are too long for it, and does not answer them."""

import socket
import sys

from contracts.broken.datagram import base


def serve(sock: socket.socket) -> None:
    """Echo what fits, and tell of what does not."""
    while True:
        payload, _, flags, peer = sock.recvmsg(1024)
        if flags & socket.MSG_TRUNC:
            print(f"{peer}: longer than 1,024 bytes", file=sys.stderr)
        else:
            base.reply(sock, payload, peer)


if __name__ == "__main__":
    base.main(serve)
