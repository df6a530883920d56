"""Does not say why it cannot listen."""

import socket
import sys

from contracts.broken import base


def create_listener(host: str, port: int) -> socket.socket:
    """Return a listener, or end with words that help nobody."""
    try:
        return base.listen(host, port)
    except OSError:
        sys.exit("something went wrong")


if __name__ == "__main__":
    base.main(base.one_by_one, create_listener)
