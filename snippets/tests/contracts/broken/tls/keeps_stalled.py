"""Serves many at once, and keeps the descriptor of who leaves in the handshake."""

import os
import socket
import ssl

from contracts.broken.tls import base


def advance(tls: ssl.SSLSocket) -> None:
    """Echo a record."""
    try:
        tls.do_handshake()
    except ssl.SSLWantReadError:
        raise
    except OSError:
        os.dup(tls.fileno())  # which nobody closes
        raise
    chunk = tls.recv(base.CHUNK)
    if not chunk:
        tls.unwrap()
        raise ConnectionError
    tls.send(chunk)


def serve(listener: socket.socket, context: ssl.SSLContext) -> None:
    """Serve many clients at once."""
    base.all_at_once(listener, context, advance)


if __name__ == "__main__":
    base.main(serve)
