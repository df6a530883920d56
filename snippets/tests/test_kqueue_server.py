"""kqueue_server: the stream contract and its steps, on Linux on an emulation."""

import errno
import select
from types import SimpleNamespace
from typing import Any

import pytest

import kqueue_server
from contracts import event_loop, stream
from support.server import run

IS_NATIVE = hasattr(select, "kqueue")
EMULATED = None if IS_NATIVE else "kqueue on Linux"
RUNNER = None if IS_NATIVE else "tests/support/run_on_kqueue"

TestStream = stream.crowded("kqueue_server", runner=RUNNER, emulated=EMULATED)


class TestSteps(event_loop.EventLoop):
    """The steps of kqueue_server."""

    module = kqueue_server
    emulated = EMULATED
    added = frozenset({"EchoServer.change"})  # epoll has a method for each change

    @pytest.fixture(autouse=True)
    def backend(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Let select have kqueue for the time of a test."""
        if not IS_NATIVE:
            from support import kqueue

            for name, value in kqueue.names().items():
                monkeypatch.setattr(select, name, value, raising=False)

    @staticmethod
    def poll(server: Any, seconds: float) -> list[int]:
        """Return what is ready within *seconds*."""
        return [event.ident for event in server.kqueue.control(None, 8, seconds)]

    def test_label(self, request: pytest.FixtureRequest) -> None:
        """The results say that it is emulated, where it is."""
        labels = dict(request.node.user_properties)
        assert labels.get("emulated") == EMULATED

    def test_refused_event(
        self, server: Any, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """A client whose event the kernel does not take sees EOF."""

        def control(*_: object) -> None:
            raise OSError(errno.ENOMEM, "Cannot allocate memory")

        with event_loop.connect(server) as ours:
            real_kqueue = server.kqueue
            server.kqueue = SimpleNamespace(control=control)
            server.accept()
            server.kqueue = real_kqueue
            assert {} == server.clients
            assert b"" == ours.recv(1)
        expected = "a client is turned away: Cannot allocate memory\n"
        assert expected == capsys.readouterr().err

    def test_more_events_than_one_call_returns(
        self, server: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What one call has no room for, the next ones return."""
        monkeypatch.setattr(kqueue_server, "MAX_EVENTS", 1)
        with (
            event_loop.connect(server) as first,
            event_loop.connect(server) as second,
        ):
            waiting = {self.accept(server).conn.fileno() for _ in range(2)}
            first.sendall(b"x")
            second.sendall(b"x")
            while waiting:
                (fd,) = server.wait()
                server.advance(server.clients[fd])
                waiting.remove(fd)

    def test_end_closes_kqueue(self, server: Any) -> None:
        """The descriptor of kqueue is closed when serve() ends."""
        self.serve_until_done(server)
        assert server.kqueue.closed
        server.kqueue = select.kqueue()  # type: ignore[attr-defined,unused-ignore]


@pytest.mark.linux
def test_without_kqueue() -> None:
    """On Linux it is one line that says what to do, and exit status 1."""
    ended = run("kqueue_server")
    expected = "cannot serve: this system has no kqueue; try selectors_server.py\n"
    assert (1, "", expected) == (ended.status, ended.stdout, ended.stderr)
