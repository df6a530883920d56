"""udp_sender: it sends at the right times, and goes on where nobody listens."""

import contextlib
import inspect
import signal
import socket
import time
from collections.abc import Iterator

import pytest

import udp_broadcast
import udp_sender
from contracts import command_line
from support.server import free_port, run

DEADLINE = 10.0  # seconds for any one call
REFUSED = "Connection refused"

TestCommandLine = command_line.program(udp_sender, "create_socket")


class Refusing(socket.socket):
    """A socket that has *refusals* errors to report before it sends."""

    refusals = 0

    def send(self, *arguments: object) -> int:
        """Report an error or send."""
        if self.refusals:
            self.refusals -= 1
            raise ConnectionRefusedError(111, REFUSED)
        return super().send(*arguments)  # type: ignore[arg-type]


class Clock:
    """A time that only sleeping and working make go by."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self.sent: list[float] = []

    def monotonic(self) -> float:
        """Return the time."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Let time go by, a little more than asked for, as real sleep does."""
        assert seconds >= 0
        if seconds:
            self.now += seconds + 0.01


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Put a ``Clock`` in the place of udp_sender's."""
    clock = Clock()
    monkeypatch.setattr(udp_sender, "time", clock)
    return clock


@pytest.fixture
def receiver() -> Iterator[socket.socket]:
    """Return a socket on a free port of 127.0.0.1."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(DEADLINE)
        sock.bind(("127.0.0.1", 0))
        yield sock


def port_of(sock: socket.socket) -> str:
    """Return the port of *sock* as an argument."""
    return str(sock.getsockname()[1])


def test_it_sends_as_often_as_it_is_told(receiver: socket.socket) -> None:
    """--count datagrams arrive, each a line, and a line is printed for each."""
    port = port_of(receiver)
    ended = run("udp_sender", "--port", port, "--interval", "0.01", "--count", "3")
    received = [receiver.recv(100) for _ in range(3)]
    receiver.setblocking(False)
    with pytest.raises(BlockingIOError):
        receiver.recv(100)
    assert [b"Hello\n"] * 3 == received
    told = f"sent b'Hello\\n' to 127.0.0.1:{port}\n" * 3
    assert (0, told, "") == (ended.status, ended.stdout, ended.stderr)


def test_the_first_is_sent_and_told_at_once(receiver: socket.socket) -> None:
    """Nobody waits for the first one, nor for the line about it."""
    port = port_of(receiver)
    with command_line.started(
        "udp_sender", "--port", port, "--interval", "3600"
    ) as sender:
        assert b"Hello\n" == receiver.recv(100)
        assert sender.stdout is not None
        assert f"sent b'Hello\\n' to 127.0.0.1:{port}\n" == sender.stdout.readline()


def test_a_single_one_is_not_waited_after(receiver: socket.socket) -> None:
    """With --count 1 it ends at once, although the interval is five seconds."""
    begin = time.monotonic()
    ended = run("udp_sender", "--port", port_of(receiver), "--count", "1")
    assert (0, b"Hello\n") == (ended.status, receiver.recv(100))
    assert time.monotonic() - begin < 5


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_it_survives_that_nobody_listens(signum: signal.Signals) -> None:
    """A refusal is told; who listens later gets the next one; a signal ends it."""
    port = free_port(socket.SOCK_DGRAM)
    with command_line.started(
        "udp_sender", "--port", str(port), "--interval", "0.05"
    ) as sender:
        assert sender.stderr is not None
        assert f"('127.0.0.1', {port}): {REFUSED}\n" == sender.stderr.readline()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as later:
            later.settimeout(DEADLINE)
            later.bind(("127.0.0.1", port))
            assert [b"Hello\n"] * 2 == [later.recv(100) for _ in range(2)]
            sender.send_signal(signum)
            said = sender.communicate(timeout=DEADLINE)[1]
    # What was refused before the receiver was there may have been told since.
    assert set() == set(said.splitlines()) - {f"('127.0.0.1', {port}): {REFUSED}"}
    assert 0 == sender.returncode


@pytest.mark.parametrize(("refusals", "sent"), [(0, True), (1, True), (2, False)])
def test_an_error_about_an_earlier_one_costs_nothing(
    refusals: int,
    sent: bool,
    receiver: socket.socket,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The call that reports an error has sent nothing, so it is made once more."""
    with Refusing(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect(receiver.getsockname())
        sock.refusals = refusals
        assert sent == udp_sender.send(sock)
    assert refusals == capsys.readouterr().err.count(f"{REFUSED}\n")
    receiver.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        assert b"Hello\n" == receiver.recv(100)
        assert sent


@pytest.mark.parametrize("work", [0.0, 0.3, 0.95])
def test_pauses_do_not_drift(clock: Clock, work: float) -> None:
    """However long sending takes, the n-th datagram goes at n intervals."""
    for number, _ in enumerate(udp_sender.ticks(1.0, 100)):
        late = clock.now - 1_000 - number
        assert 0 <= round(late, 6) <= 0.01
        clock.now += work


def test_nothing_is_made_up_for(clock: Clock) -> None:
    """After a delay of many intervals there is one datagram at once, not a burst."""
    times = []
    for number, _ in enumerate(udp_sender.ticks(1.0, 6)):
        times.append(round(clock.now - 1_000))
        if number == 2:
            clock.now += 10
    assert [0, 1, 2, 12, 13, 14] == times


def test_ticks_go_on_for_ever(clock: Clock) -> None:
    """Without a count there is no end."""
    ticks = udp_sender.ticks(1.0, None)
    for _ in range(1_000):
        next(ticks)
    assert clock.now > 1_998


def test_the_broadcaster_counts_time_by_the_same_lines() -> None:
    """Where the two programs do not mean to differ, they are the same."""
    expected = inspect.getsource(udp_sender.ticks)
    assert expected == inspect.getsource(udp_broadcast.ticks)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--port", "0"],
        ["--port", "65536"],
        ["--port", "x"],
        ["--interval", "0"],
        ["--interval", "-1"],
        ["--interval", "nan"],
        ["--interval", "inf"],
        ["--count", "0"],
        ["--count", "x"],
    ],
    ids=" ".join,
)
def test_wrong_usage(
    arguments: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Wrong usage is exit status 2 and names the option."""
    said = command_line.complaint(udp_sender, arguments, monkeypatch, capsys)
    assert arguments[0] in said


@pytest.mark.parametrize(
    ("host", "why"),
    [
        ("\N{LATIN SMALL LETTER A WITH DIAERESIS}..b", "label"),
        ("::1", ": "),
        pytest.param("127.255.255.255", "denied", marks=pytest.mark.linux),
    ],
    ids=["no-host-name", "of-the-other-family", "broadcast"],
)
def test_a_host_that_cannot_be_sent_to_is_one_line(host: str, why: str) -> None:
    """What cannot be resolved or connected to is one line and exit status 1."""
    ended = run("udp_sender", "--host", host, "--count", "1")
    assert (1, "", 1) == (ended.status, ended.stdout, ended.stderr.count("\n"))
    assert ended.stderr.startswith("cannot send, check --host and --port: ")
    assert why in ended.stderr


def test_real_pauses_are_as_long_as_told() -> None:
    """With the real clock, three datagrams take two intervals."""
    begin = time.monotonic()
    assert 3 == sum(1 for _ in udp_sender.ticks(0.05, 3))
    assert 0.1 <= time.monotonic() - begin
