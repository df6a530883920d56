"""Closes by RST."""

import socket
import struct

from contracts.broken import base


def echo(conn: socket.socket) -> None:
    """Echo, and throw away at the end what is still on its way."""
    conn.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    base.echo(conn)


def serve(listener: socket.socket) -> None:
    """Serve one client after the other."""
    base.one_by_one(listener, echo)


if __name__ == "__main__":
    base.main(serve)
