"""Shows a certificate without the names that clients connect to."""

import socket
import ssl
from pathlib import Path

from contracts.broken.tls import base
from support.tls import make_certificate


def serve(listener: socket.socket, context: ssl.SSLContext) -> None:
    """Take another certificate than the one on the command line."""
    make_certificate("no name", Path.cwd())
    context.load_cert_chain("cert.pem", "key.pem")
    base.one_by_one(listener, context)


if __name__ == "__main__":
    base.main(serve)
