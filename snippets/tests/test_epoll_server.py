"""epoll_server: the stream contract, its steps, and a watch that is refused."""

import errno
import select
from types import SimpleNamespace
from typing import Any

import pytest

import epoll_server
from contracts import event_loop, stream

pytestmark = pytest.mark.linux

TestStream = stream.crowded("epoll_server")


class TestSteps(event_loop.EventLoop):
    """The steps of epoll_server."""

    module = epoll_server

    @staticmethod
    def poll(server: Any, seconds: float) -> list[int]:
        """Return what is ready within *seconds*."""
        return [fd for fd, _ in server.epoll.poll(seconds)]

    def test_too_many_watches(
        self, server: Any, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """Where the user's limit of watches is reached, a new client sees EOF."""

        def register(*_: object) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        with event_loop.connect(server) as ours:
            real_epoll = server.epoll
            server.epoll = SimpleNamespace(register=register)
            server.accept()
            server.epoll = real_epoll
            assert {} == server.clients
            assert b"" == ours.recv(1)
        expected = "a client is turned away: No space left on device\n"
        assert expected == capsys.readouterr().err

    def test_end_closes_epoll(self, server: Any) -> None:
        """The descriptor of epoll is closed when serve() ends."""
        self.serve_until_done(server)
        assert server.epoll.closed
        server.epoll = select.epoll()  # for the fixture to close


def test_a_system_without_epoll_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where ``select`` has no epoll, one line says so, and what to run instead."""
    monkeypatch.delattr(select, "epoll")
    monkeypatch.setattr("sys.argv", ["epoll_server.py"])
    with pytest.raises(SystemExit) as ended:
        epoll_server.main()
    expected = "cannot serve: this system has no epoll; try selectors_server.py"
    assert expected == ended.value.code
