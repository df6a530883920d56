"""Waits for one client's TLS while the others wait for it."""

import socket
import ssl

from contracts.broken.tls import base


def advance(tls: ssl.SSLSocket) -> None:
    """Shake hands and echo, however long it takes."""
    tls.do_handshake()
    chunk = tls.recv(base.CHUNK)
    if not chunk:
        tls.unwrap()
        raise ConnectionError
    tls.sendall(chunk)


def serve(listener: socket.socket, context: ssl.SSLContext) -> None:
    """Serve many clients at once, on sockets that were left blocking."""
    base.all_at_once(listener, context, advance, blocking=True)


if __name__ == "__main__":
    base.main(serve)
