"""Lets accept shake hands, for as long as the client likes."""

import contextlib
import socket
import ssl

from contracts.broken.tls import base


def serve(listener: socket.socket, context: ssl.SSLContext) -> None:
    """Serve one client after the other."""
    with context.wrap_socket(listener, server_side=True) as tls_listener:
        while True:
            with contextlib.suppress(OSError):
                conn, _ = tls_listener.accept()
                with conn:
                    base.echo(conn)


if __name__ == "__main__":
    base.main(serve)
