"""Cannot be ended by Ctrl-C or SIGTERM."""

import signal
import socket

from contracts.broken import base


def serve(listener: socket.socket) -> None:
    """Serve one client after the other, whatever happens."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    base.one_by_one(listener)


if __name__ == "__main__":
    base.main(serve)
