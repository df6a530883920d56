"""A snippet can be started, reached and ended, and never outlives its test."""

import itertools
import signal
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from support.server import (
    SNIPPETS,
    TCP,
    NotListeningError,
    Server,
    Tcp,
    bound_to_any_address,
    free_port,
    interruptible_children,
    run,
)


@pytest.mark.parametrize(
    ("where", "address"),
    [
        ("127.0.0.1:5566", ("127.0.0.1", 5566)),
        ("[::1]:5566", ("::1", 5566)),
        ("[fe80::1%lo]:5566", ("fe80::1%lo", 5566)),
    ],
)
def test_address_is_found(where: str, address: tuple[str, int]) -> None:
    """The address after "listening on" is understood for IPv4 and IPv6."""
    assert address == TCP.find(where, Path())


@pytest.mark.parametrize("where", ["", "localhost", "::1:5566", "./domain.sock"])
def test_unknown_address_is_refused(where: str) -> None:
    """Anything else after "listening on" is an error that shows it."""
    with pytest.raises(ValueError, match="not HOST:PORT"):
        TCP.find(where, Path())


def test_other_host_is_used() -> None:
    """Clients connect to the host that was asked for, on the port that is printed."""
    assert Tcp("127.0.0.1").find("[::]:5566", Path()) == ("127.0.0.1", 5566)


def test_server_is_reached_and_ended() -> None:
    """A started snippet serves; after a signal its status and output are known."""
    with Server("tcp_echo_server") as server:
        with server.connect() as conn:
            conn.sendall(b"Hello")
            assert conn.recv(5) == b"Hello"
        ended = server.stop(signal.SIGINT)
    host, port = server.address
    assert (0, f"listening on {host}:{port}\n", "") == (
        ended.status,
        ended.stdout,
        ended.stderr,
    )


def test_server_runs_in_an_empty_folder() -> None:
    """Its current folder is empty, and is gone after it."""
    with Server("tcp_echo_server") as server:
        folder = server.folder
        assert list(folder.iterdir()) == []
        assert folder.samefile(server.process.cwd())
    assert not folder.exists()


def test_server_runs_in_a_given_folder(tmp_path: Path) -> None:
    """A folder of the caller's is used and kept."""
    with Server("tcp_echo_server", folder=tmp_path) as server:
        assert tmp_path.samefile(server.process.cwd())
    assert tmp_path.exists()


@pytest.mark.parametrize("error", [ZeroDivisionError, KeyboardInterrupt])
def test_nothing_outlives_a_failure(error: type[BaseException]) -> None:
    """After a failing test the process is gone, and the failure shows its output."""
    with pytest.raises(error) as caught, Server("tcp_echo_server") as server:  # noqa: PT012
        pid = server.pid
        raise error
    assert not psutil.pid_exists(pid)
    assert "The server runs" in "".join(caught.value.__notes__)
    assert "listening on 127.0.0.1" in "".join(caught.value.__notes__)


def test_failed_start_shows_why() -> None:
    """A snippet that does not come up fails with what it printed, and is reaped."""
    before = psutil.Process().children()
    with (
        pytest.raises(NotListeningError, match=r"--port must be between 0 and 65535"),
        Server("tcp_echo_server", place=["--port", "70000"]),
    ):
        pass
    assert before == psutil.Process().children()


def test_silent_start_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """A snippet that runs but never says that it listens is ended at the deadline."""
    monkeypatch.setattr("support.server.STARTS_WITHIN", 0.1)
    before = psutil.Process().children()
    silent = ("sh", "-c", "exec sleep 60")
    with (
        pytest.raises(NotListeningError, match="The server runs"),
        Server("tcp_echo_server", prefix=silent),
    ):
        pass
    assert before == psutil.Process().children()


def test_long_output_does_not_block() -> None:
    """A server that prints more than a pipe holds still ends at once."""
    talks = ("sh", "-c", 'yes | head -c 1000000 >&2; exec "$@"', "sh")
    with Server("tcp_echo_server", prefix=talks) as server:
        ended = server.stop(signal.SIGTERM)
    assert (ended.status, len(ended.stderr)) == (0, 1_000_000)


def test_stubborn_server_is_reported() -> None:
    """A server that goes on after a signal is an error, and is killed all the same."""
    deaf = ("sh", "-c", 'trap "" INT; exec "$@"', "sh")
    with Server("tcp_echo_server", prefix=deaf) as server:
        with pytest.raises(AssertionError, match=r"still runs 0\.1 s after SIGINT"):
            server.stop(signal.SIGINT, within=0.1)
        pid = server.pid
    assert not psutil.pid_exists(pid)


def test_ctrl_c_works_in_the_background() -> None:
    """Children end by SIGINT even where the tests themselves ignore it."""
    child = "import signal; print(signal.getsignal(signal.SIGINT) == signal.SIG_IGN)"
    line = [sys.executable, "-c", child]
    previous = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        ignoring = subprocess.check_output(line, text=True)
        with interruptible_children():
            heeding = subprocess.check_output(line, text=True)
        assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, previous)
    assert (ignoring, heeding) == ("True\n", "False\n")


def test_run_returns_what_is_left() -> None:
    """A snippet that ends by itself gives its status and its output."""
    ended = run("tcp_echo_server", "--help")
    assert (ended.status, ended.stderr) == (0, "")
    assert "--port" in ended.stdout


def test_run_has_a_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    """A snippet that was meant to end and does not is an error."""
    monkeypatch.setattr("support.server.ENDS_WITHIN", 0.2)
    with pytest.raises(AssertionError, match=r"still runs after 0\.2 s"):
        run("tcp_echo_server", "--port", "0")


def test_free_port_is_free_and_new() -> None:
    """Each port can be bound, comes once and is none that the kernel hands out."""
    ports = [free_port() for _ in range(3)]
    assert len(set(ports)) == 3
    for port in ports:
        assert 10_000 <= port < 30_000
        with bound_to_any_address(port), pytest.raises(OSError, match="in use"):
            bound_to_any_address(port)


def test_used_port_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """A port on which somebody listens is not given away."""
    used = free_port()
    monkeypatch.setattr("support.server._candidates", itertools.count())
    with socket.create_server(("127.0.0.1", used)):
        assert used not in [free_port() for _ in range(20)]
    monkeypatch.setattr("support.server._candidates", itertools.count())
    assert used in [free_port() for _ in range(20)]


def test_folder_of_snippets_is_right() -> None:
    """The snippets are found from here."""
    assert (SNIPPETS / "tcp_echo_server.py").is_file()
