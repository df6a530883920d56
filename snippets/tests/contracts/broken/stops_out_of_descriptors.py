"""Accepts nobody any more once no descriptor was free."""

import signal
import socket

from contracts.broken import base


def serve(listener: socket.socket) -> None:
    """Serve many clients, a thread each."""
    base.in_threads(listener, lambda _: signal.pause())


if __name__ == "__main__":
    base.main(serve)
