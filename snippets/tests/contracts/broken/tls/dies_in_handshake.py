"""Expects every client to finish the handshake that it began."""

import socket
import ssl

from contracts.broken.tls import base


def serve(listener: socket.socket, context: ssl.SSLContext) -> None:
    """Handle resets, and nothing that TLS raises."""
    base.one_by_one(listener, context, caught=(ConnectionError,))


if __name__ == "__main__":
    base.main(serve)
