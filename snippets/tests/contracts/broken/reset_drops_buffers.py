"""Forgets what all clients are owed when one of them resets its connection."""

import socket

from contracts.broken import base


class DropsBuffers(base.Buffered):
    """Drops too much."""

    def drop(self, conn: socket.socket) -> None:
        """Forget a client whose connection broke, and more."""
        self.unsent.clear()
        self.close(conn)


def serve(listener: socket.socket) -> None:
    """Serve many clients at once."""
    DropsBuffers().serve(listener)


if __name__ == "__main__":
    base.main(serve)
