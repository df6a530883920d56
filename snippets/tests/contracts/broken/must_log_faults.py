"""Waits where no descriptor is free, but ends where it cannot say so."""

import socket
import sys
import time

from contracts.broken import base


def wait(error: OSError) -> None:
    """Say what is wrong, and wait."""
    print(error, file=sys.stderr, flush=True)
    time.sleep(1)


def serve(listener: socket.socket) -> None:
    """Serve many clients, a thread each."""
    base.in_threads(listener, wait)


if __name__ == "__main__":
    base.main(serve)
