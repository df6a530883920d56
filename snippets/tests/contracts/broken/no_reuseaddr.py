"""Cannot be started again before TIME_WAIT is over."""

import socket

from contracts.broken import base


def create_listener(host: str, port: int) -> socket.socket:
    """Return a listener without SO_REUSEADDR."""
    listener = socket.socket()
    try:
        listener.bind((host, port))
        listener.listen()
    except OSError:
        listener.close()
        raise
    return listener


if __name__ == "__main__":
    base.main(base.one_by_one, create_listener)
