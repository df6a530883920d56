"""What every program does that is interrupted early, or that cannot go on.

A test module claims it in one line, and pytest collects every check::

    TestCommandLine = command_line.server(tcp_echo_server)
    TestCommandLine = command_line.program(udp_sender, "create_socket")

``main()`` is called in the process of the tests. What a server says of a wrong command
line is in ``contracts.program``, where it runs in a process of its own.
"""

import contextlib
import errno
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from support.server import (
    TCP,
    UNIX,
    Tcp,
    command,
    environment,
    interruptible_children,
)


def end_of(main: Any) -> object:
    """Return what *main* ends with: None, or else its exit status or last words."""
    try:
        main()
    except SystemExit as error:
        return error.code
    except KeyboardInterrupt:  # let through, it would end pytest
        pytest.fail("KeyboardInterrupt left main()")
    return None


def interrupted(*_: object) -> None:
    """Be where Ctrl-C comes."""
    raise KeyboardInterrupt


def hang_ups() -> Iterator[None]:
    """Let SIGHUP be as it is in a terminal, also where the tests run under nohup.

    Becomes a fixture in a test module, as ``whole_files`` does.
    """
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


def whole_files(tmp_path: Path) -> Iterator[Path]:
    """Return a folder in which no unfinished file may be left."""
    yield tmp_path
    assert [] == list(tmp_path.rglob(".part-*"))


@contextlib.contextmanager
def started(snippet: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Start a program for the time of a ``with`` block, with pipes to read from it."""
    with (
        interruptible_children(),
        subprocess.Popen(
            command(snippet, *arguments),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(),
            text=True,
        ) as process,
    ):
        try:
            yield process
        finally:
            process.kill()


class Program:
    """The checks for every program."""

    module: Any
    begins_with: str  # the name of the function that makes the first socket
    arguments: Sequence[str] = ()

    @pytest.fixture(autouse=True)
    def backend(self) -> None:
        """Make the system have what the program needs."""

    @pytest.fixture
    def folder(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
        """Let main() see its arguments and an empty folder, and undo its SIGTERM."""
        name = f"{self.module.__name__}.py"
        monkeypatch.setattr(sys, "argv", [name, *self.command_line()])
        monkeypatch.chdir(tmp_path)
        before = signal.getsignal(signal.SIGTERM)
        yield tmp_path
        signal.signal(signal.SIGTERM, before)

    def command_line(self) -> Sequence[str]:
        """Return the arguments of the program."""
        return self.arguments

    def test_ctrl_c_at_the_start(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Ctrl-C before there is a socket ends main() quietly, and leaves nothing."""
        monkeypatch.setattr(self.module, self.begins_with, interrupted)
        assert end_of(self.module.main) is None
        assert [] == list(folder.iterdir())


class Server(Program):
    """The checks for every server."""

    transport: Tcp = TCP
    begins_with = "create_listener"

    def command_line(self) -> Sequence[str]:
        """Return arguments that make it listen where nobody else does."""
        return self.transport.anywhere()

    def test_fault_while_serving(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What fails for good ends main() with one line, and nothing is left."""

        def no_descriptor(*_: object) -> None:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

        serves = (
            self.module if hasattr(self.module, "serve") else self.module.EchoServer
        )
        monkeypatch.setattr(serves, "serve", no_descriptor)
        options = ["--path"] if self.transport is UNIX else ["--host", "--port"]
        why = f"[Errno {errno.EMFILE}] {os.strerror(errno.EMFILE)}"
        said = str(end_of(self.module.main))
        assert said.startswith("cannot serve, check ")
        assert said.endswith(f": {why}")
        assert options == [option for option in options if option in said]
        assert [] == list(folder.iterdir())


class InternetServer(Server):
    """The checks for every server that has a port."""

    host = "127.0.0.1"

    def test_port_in_use(self) -> None:
        """A second server on a port is an OSError that says so, and leaves nothing."""
        create = getattr(self.module, self.begins_with)
        with create(self.host, 0) as first:
            sock = getattr(first, "socket", first)  # a socketserver has one, or is one
            port = sock.getsockname()[1]
            with pytest.raises(OSError, match="in use") as caught:
                create(self.host, port)
        assert errno.EADDRINUSE == caught.value.errno


def program(module: Any, begins_with: str, *arguments: str) -> type[Program]:
    """Return the checks for *module*, started with *arguments*."""
    members = {"module": module, "begins_with": begins_with, "arguments": arguments}
    return type("CommandLine", (Program,), members)


def server(
    module: Any,
    transport: Tcp = TCP,
    *,
    begins_with: str = "create_listener",
    host: str = "127.0.0.1",
) -> type[Server]:
    """Return the checks for *module*, which can listen on *host*."""
    kind = Server if transport is UNIX else InternetServer
    members = {
        "module": module,
        "transport": transport,
        "begins_with": begins_with,
        "host": host,
    }
    return type("CommandLine", (kind,), members)


def complaint(
    module: Any,
    arguments: Sequence[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> str:
    """Return the last line that *module* says of wrong usage; its status must be 2."""
    monkeypatch.setattr(sys, "argv", [f"{module.__name__}.py", *arguments])
    assert 2 == end_of(module.main)
    return capsys.readouterr().err.splitlines()[-1]
