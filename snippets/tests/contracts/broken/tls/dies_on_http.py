"""Expects every client to speak TLS."""

import socket
import ssl

from contracts.broken.tls import base


def serve(listener: socket.socket, context: ssl.SSLContext) -> None:
    """Handle resets and ends, and nothing else."""
    base.one_by_one(listener, context, caught=(ConnectionError, ssl.SSLEOFError))


if __name__ == "__main__":
    base.main(serve)
