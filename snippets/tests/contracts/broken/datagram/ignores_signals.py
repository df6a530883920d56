"""Cannot be ended by a signal."""

import signal
import socket

from contracts.broken.datagram import base


def serve(sock: socket.socket) -> None:
    """Echo, whatever comes."""
    for signum in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signum, signal.SIG_IGN)
    base.serve(sock)


if __name__ == "__main__":
    base.main(serve)
