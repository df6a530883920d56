"""Shows a traceback for what a client did."""

import socket
import traceback

from contracts.broken import base


def echo(conn: socket.socket) -> None:
    """Echo and show every error in full."""
    try:
        base.echo(conn)
    except OSError:
        traceback.print_exc()


def serve(listener: socket.socket) -> None:
    """Serve one client after the other."""
    base.one_by_one(listener, echo)


if __name__ == "__main__":
    base.main(serve)
