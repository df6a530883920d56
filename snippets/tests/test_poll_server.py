"""poll_server: the stream contract, its steps, and a closed client in the set."""

from typing import Any

import poll_server
from contracts import event_loop, stream

TestStream = stream.crowded("poll_server")


class TestSteps(event_loop.EventLoop):
    """The steps of poll_server."""

    module = poll_server

    @staticmethod
    def poll(server: Any, seconds: float) -> list[int]:
        """Return what is ready within *seconds*."""
        return [fd for fd, _ in server.poller.poll(seconds * 1_000)]

    def test_closed_client_leaves_the_set(self, server: Any) -> None:
        """A client that was closed is not reported again (POLLNVAL, for ever)."""
        with event_loop.connect(server):
            client = self.accept(server)
        assert [client.conn.fileno()] == server.wait()
        server.advance(client)
        assert {} == server.clients
        assert [] == self.poll(server, 0)
