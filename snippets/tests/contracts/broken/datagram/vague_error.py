"""Does not say why it cannot bind."""

import socket
import sys

from contracts.broken.datagram import base


def create_socket(host: str, port: int) -> socket.socket:
    """Return a bound socket, or end with words that help nobody."""
    try:
        return base.bind(host, port)
    except OSError:
        sys.exit("something went wrong")


if __name__ == "__main__":
    base.main(create_socket=create_socket)
