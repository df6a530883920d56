"""Ctrl-C shows a traceback, and SIGTERM kills it."""

import signal
import socket

from contracts.broken import base


def serve(listener: socket.socket) -> None:
    """Serve one client after the other."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    try:
        base.one_by_one(listener)
    except KeyboardInterrupt:
        raise RuntimeError("interrupted") from None


if __name__ == "__main__":
    base.main(serve)
