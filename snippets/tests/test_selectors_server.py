"""selectors_server: the stream contract, its steps, and a refused registration."""

import errno
import selectors
from typing import Any

import pytest

import selectors_server
from contracts import event_loop, stream

TestStream = stream.crowded("selectors_server")


class TestSteps(event_loop.EventLoop):
    """The steps of selectors_server."""

    module = selectors_server

    @staticmethod
    def poll(server: Any, seconds: float) -> list[int]:
        """Return what is ready within *seconds*."""
        return [key.fd for key, _ in server.selector.select(seconds)]

    def test_refused_registration(
        self,
        server: Any,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        """A client that the selector cannot take sees EOF."""

        def register(*_: object) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        with event_loop.connect(server) as ours:
            with monkeypatch.context() as patch:
                patch.setattr(server.selector, "register", register)
                server.accept()
            assert {} == server.clients
            assert b"" == ours.recv(1)
        expected = "a client is turned away: No space left on device\n"
        assert expected == capsys.readouterr().err

    def test_closed_client_leaves_the_selector(self, server: Any) -> None:
        """The selector's own table forgets a client when it is closed."""
        with event_loop.connect(server):
            client = self.accept(server)
        server.advance(client)
        assert [server.listener] == [
            key.fileobj for key in server.selector.get_map().values()
        ]


@pytest.mark.parametrize(
    "way", ["SelectSelector", "PollSelector", "EpollSelector", "KqueueSelector"]
)
class TestEachSelector:
    """selectors_server does not depend on which selector the system has."""

    def test_echo(self, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """It accepts, echoes, pauses, goes on and closes by any of them."""
        selector = getattr(selectors, way, None)
        if selector is None:
            return  # a system has three of the four
        monkeypatch.setattr(selectors, "DefaultSelector", selector)
        steps = TestSteps()
        with selectors_server.create_listener("127.0.0.1", 0) as listener:
            server = selectors_server.EchoServer(listener)
            with event_loop.connect(server) as ours:
                client = steps.accept(server)
                ours.sendall(b"Hello")
                assert [client.conn.fileno()] == server.wait()
                server.advance(client)
                assert b"Hello" == ours.recv(5)
                steps.serve_until_done(server)
                assert b"" == ours.recv(1)
