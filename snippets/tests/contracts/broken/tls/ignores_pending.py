"""Waits for the socket while TLS has decrypted bytes to return."""

import socket
import ssl

from contracts.broken.tls import base


def advance(tls: ssl.SSLSocket) -> None:
    """Echo a part of a record."""
    tls.do_handshake()
    chunk = tls.recv(1_024)
    if not chunk:
        tls.unwrap()
        raise ConnectionError
    tls.send(chunk)


def serve(listener: socket.socket, context: ssl.SSLContext) -> None:
    """Serve many clients at once."""
    base.all_at_once(listener, context, advance)


if __name__ == "__main__":
    base.main(serve)
