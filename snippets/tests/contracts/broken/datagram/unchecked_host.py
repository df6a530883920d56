"""Shows a traceback where --host cannot be a host name."""

import socket
import sys

from contracts.broken.datagram import base


def create_socket(host: str, port: int) -> socket.socket:
    """Return a socket, or end with the words that OSError has, and no other error."""
    try:
        return base.bind(host, port)
    except OSError as error:
        sys.exit(f"check --host and --port: {error}")


if __name__ == "__main__":
    base.main(create_socket=create_socket)
