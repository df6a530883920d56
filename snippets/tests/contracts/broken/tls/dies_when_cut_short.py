"""Expects every client to say farewell."""

import socket
import ssl

from contracts.broken.tls import base


def serve_client(tls: ssl.SSLSocket) -> None:
    """Handle errors of the handshake, and no later ones."""
    try:
        tls.do_handshake()
    except OSError:
        return
    while chunk := tls.recv(base.CHUNK):
        tls.sendall(chunk)
    tls.unwrap()


def serve(listener: socket.socket, context: ssl.SSLContext) -> None:
    """Serve one client after the other."""
    base.one_by_one(listener, context, serve_client, caught=())


if __name__ == "__main__":
    base.main(serve)
