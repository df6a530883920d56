"""Closes the connection without a farewell."""

import socket
import ssl

from contracts.broken.tls import base


def serve_client(tls: ssl.SSLSocket) -> None:
    """Echo and leave."""
    tls.do_handshake()
    while chunk := tls.recv(base.CHUNK):
        tls.sendall(chunk)


def serve(listener: socket.socket, context: ssl.SSLContext) -> None:
    """Serve one client after the other."""
    base.one_by_one(listener, context, serve_client)


if __name__ == "__main__":
    base.main(serve)
