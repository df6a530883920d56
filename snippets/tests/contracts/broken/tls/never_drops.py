"""Serves many at once, and waits for ever for a handshake."""

import socket
import ssl

from contracts.broken.tls import base


def advance(tls: ssl.SSLSocket) -> None:
    """Echo a record."""
    tls.do_handshake()
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
