"""Takes Ctrl-C in a handshake for the client's fault."""

import socket
import ssl

from contracts.broken.tls import base


def serve(listener: socket.socket, context: ssl.SSLContext) -> None:
    """Handle all that can be raised."""
    base.one_by_one(listener, context, caught=(BaseException,))


if __name__ == "__main__":
    base.main(serve)
