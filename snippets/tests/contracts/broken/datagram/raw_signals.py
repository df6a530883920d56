"""Ctrl-C shows a traceback, and SIGTERM kills it."""

import signal
import socket

from contracts.broken.datagram import base


def serve(sock: socket.socket) -> None:
    """Echo, and fail when interrupted."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    try:
        base.serve(sock)
    except KeyboardInterrupt:
        raise RuntimeError("interrupted") from None


if __name__ == "__main__":
    base.main(serve)
