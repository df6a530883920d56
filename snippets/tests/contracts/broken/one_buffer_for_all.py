"""Keeps what it could not send in one buffer for all clients."""

import socket

from contracts.broken import base


class OneBuffer(base.Buffered):
    """Whoever stalls last decides what all get."""

    def keep(self, conn: socket.socket, rest: bytes) -> None:
        """Remember what *conn* is owed, instead of what others are owed."""
        self.unsent = dict.fromkeys([*self.unsent, conn], rest)


def serve(listener: socket.socket) -> None:
    """Serve many clients at once."""
    OneBuffer().serve(listener)


if __name__ == "__main__":
    base.main(serve)
