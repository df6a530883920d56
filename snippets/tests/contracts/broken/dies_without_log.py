"""Cannot go on where it cannot say which client it lost."""

import socket
import sys

from contracts.broken import base


def serve(listener: socket.socket) -> None:
    """Serve one client after the other."""
    while True:
        conn, _ = listener.accept()
        with conn:
            try:
                base.echo(conn)
            except OSError as error:
                print(error, file=sys.stderr, flush=True)


if __name__ == "__main__":
    base.main(serve)
