"""A listener to which clients come as a script says: what no real client can time."""

import socket
from collections.abc import Iterator


class Done(Exception):
    """The script of a ``Visits`` is over."""


class Visits(socket.socket):
    """A listener to which clients come as its script says."""

    script: Iterator[Exception | tuple[socket.socket, object]]

    def accept(self) -> tuple[socket.socket, object]:
        """Return the next client, or raise what stands in its place."""
        visit = next(self.script, Done())
        if isinstance(visit, Exception):
            raise visit
        return visit
