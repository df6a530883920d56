"""What every echo server must survive, whatever it is that carries the bytes.

``contracts.stream`` and ``contracts.datagram`` add what their transport is about;
test modules claim those. Each check starts a server of its own, by its real command
line. The first line of its docstring is its label in the published grid.
"""

import contextlib
import errno
import os
import random
import resource
import select
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import ClassVar, Self, TypeVar

import psutil
import pytest

from support.server import SNIPPETS, Ended, Server, Tcp, run

MIB = 1_024 * 1_024
ALL_BYTES = bytes(range(256))
WINDOW = 0.2  # seconds for which a server is watched to tell whether it is idle
BUSY_SHARE = 0.01  # of one core, above which it is not idle
BUSY_WAKE_UPS = 30.0  # a second: a poll each 1 ms makes 1,000, one each 0.5 s makes 2
UNCAUGHT = ("Traceback (most", "Exception ignored", "Fatal Python error", "Warning:")


AnyClient = TypeVar("AnyClient", bound="Client")


class Client:
    """A socket of the server's; a call that gets no answer in *patience* fails."""

    def __init__(self, server: Server, patience: float) -> None:
        self.transport = server.transport
        self.patience = patience
        try:
            self.conn = server.connect(patience)
        except OSError as error:
            raise AssertionError(f"a new client cannot connect: {error}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Leave, whatever is still to come."""
        self.conn.close()

    def echo(self, payload: bytes) -> None:
        """Send *payload*, get the same back, and stay."""
        raise NotImplementedError

    def is_readable(self) -> bool:
        """Return whether the server has sent something (or has left) by now."""
        return self.wait_for(select.POLLIN, 0)

    def wait_for(self, event: int, seconds: float) -> bool:
        """Return whether *event* came in time."""
        poller = select.poll()
        poller.register(self.conn, event)
        return bool(poller.poll(seconds * 1_000))


@contextlib.contextmanager
def each_of(count: int, connect: Callable[[], AnyClient]) -> Iterator[list[AnyClient]]:
    """Have *count* clients, all at once, for the time of a ``with`` block."""
    with contextlib.ExitStack() as leaving:
        clients = []
        for _ in range(count):
            clients.append(connect())
            leaving.callback(clients[-1].close)
        yield clients


def progress(expected: bytes, actual: bytes | bytearray) -> str:
    """Return in words how much of *expected* came back."""
    words = f"{len(actual):,} of {len(expected):,} bytes came back"
    if expected[: len(actual)] == actual:
        return f"{words}, and no end" if len(actual) == len(expected) else words
    at = next(
        (i for i, (a, b) in enumerate(zip(expected, actual, strict=False)) if a != b),
        len(expected),
    )
    return f"{words}, wrong from byte {at:,} on"


def pattern(size: int) -> bytes:
    """Return *size* bytes that repeat only after a prime number of them."""
    block = random.Random(size).randbytes(min(size, 1_000_003))  # noqa: S311
    return (block * (size // len(block) + 1))[:size]


def cpu_seconds(process: psutil.Process) -> float:
    """Return the CPU time of *process* until now."""
    if sys.platform == "linux":  # psutil has steps of 10 ms, too long for 1 % of WINDOW
        clock = ~process.pid << 3 | 2  # as clock_getcpuclockid makes it from a pid
        return time.clock_gettime(clock)
    times = process.cpu_times()
    return times.user + times.system


def wake_ups(process: psutil.Process) -> int:
    """Return how often the threads of *process* slept and were woken."""
    if not sys.platform.startswith("linux"):  # elsewhere psutil counts every thread
        return int(process.num_ctx_switches().voluntary)
    threads = [thread.id for thread in process.threads()]
    if process.pid not in threads:
        raise psutil.NoSuchProcess(process.pid)
    total = 0
    for thread in threads:
        try:
            total += psutil.Process(thread).num_ctx_switches().voluntary
        except psutil.NoSuchProcess:  # it ended meanwhile
            if thread == process.pid:
                raise
    return total


def wants_cpu(process: psutil.Process) -> bool:
    """Tell whether *process* runs, or would if the machine were less busy."""
    if sys.platform != "linux":  # elsewhere that is said of every process
        return False
    states = []
    for thread in process.threads():
        with contextlib.suppress(psutil.NoSuchProcess):  # it ended meanwhile
            states.append(psutil.Process(thread.id).status())
    return psutil.STATUS_RUNNING in states


def activity(server: Server) -> tuple[float, int]:
    """Return the CPU seconds and the wake-ups of *server* until now."""
    try:
        cpu = cpu_seconds(server.process)
        woken = wake_ups(server.process)
    except (OSError, psutil.Error) as error:
        raise AssertionError("the server has ended") from error
    if not server.is_alive():  # the dead use no CPU time either
        raise AssertionError("the server has ended")
    return cpu, woken


@contextlib.contextmanager
def enough_descriptors(needed: int) -> Iterator[None]:
    """Raise the limit for this process, and what it starts, to *needed* open files.

    macOS starts with 256, and the limit of the tests is the server's, too. Where
    more than the hard limit is needed the test is skipped.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    too_few = soft != resource.RLIM_INFINITY and soft < needed
    if too_few and hard != resource.RLIM_INFINITY and hard < needed:
        remedy = f"let root run ulimit -Hn {needed} and start the tests from there"
        pytest.skip(f"a process may open {hard} files, not {needed}: {remedy}")
    if too_few:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
    try:
        yield
    finally:
        if too_few:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


class ProgramContract:
    """The checks for every echo server."""

    contract: ClassVar[str]
    snippet: ClassVar[str]
    arguments: ClassVar[Sequence[str]] = ()
    transport: ClassVar[Tcp]
    runner: ClassVar[str | None] = None  # a program, named as a snippet, that runs it
    emulated: ClassVar[str | None] = None  # what it runs on, if not the real thing
    patience: ClassVar[float] = 10.0  # seconds until what should come counts as lost
    ends_within: ClassVar[float] = 1.0  # seconds after Ctrl-C
    memory_limit: ClassVar[int] = 8 * MIB

    def program(self) -> list[str]:
        """Return how the snippet is started: its name, or the runner and its file."""
        if self.runner is None:
            return [self.snippet, *self.arguments]
        file = SNIPPETS / f"{self.snippet}.py"
        return [self.runner, str(file), *self.arguments]

    @contextlib.contextmanager
    def started(
        self, place: Sequence[str] | None = None, prefix: Sequence[str] = ()
    ) -> Iterator[Server]:
        """Start a server that the check itself may end."""
        with Server(
            *self.program(),
            transport=self.transport,
            place=place,
            prefix=prefix,
        ) as server:
            yield server

    @contextlib.contextmanager
    def running(
        self, place: Sequence[str] | None = None, prefix: Sequence[str] = ()
    ) -> Iterator[Server]:
        """Start a server; after the check it is alive, with nothing uncaught."""
        with self.started(place, prefix) as server:
            yield server
            if not server.is_alive():
                raise AssertionError("the server has ended")
            self.check_output(server.stderr)

    def client(self, server: Server) -> Client:
        """Return a new client of *server*."""
        raise NotImplementedError

    def check_serves(self, server: Server) -> None:
        """Fail unless a new client is served."""
        raise NotImplementedError

    def check_output(self, stderr: str) -> None:
        """Fail where *stderr* shows an exception or a warning that nobody caught."""
        for words in UNCAUGHT:
            if words in stderr:
                raise AssertionError(f'"{words}" on stderr:\n{stderr}')

    def check_ends(self, server: Server, signum: signal.Signals) -> None:
        """Fail unless *signum* ends the server quickly, with status 0 and quietly."""
        ended = server.stop(signum, self.ends_within)
        self.check_output(ended.stderr)
        self.check_status(ended, 0)

    def check_status(self, ended: Ended, status: int) -> None:
        """Fail unless a process ended with *status*."""
        if ended.status != status:
            raise AssertionError(
                f"exit status {ended.status} instead of {status}:\n{ended.stderr}"
            )

    def check_becomes_idle(self, server: Server) -> None:
        """Fail unless the server comes to use no CPU time and to sleep on.

        A window in which it is busy may be the end of its work: another one follows
        until *patience* is over.
        """
        deadline = time.monotonic() + self.patience
        while True:
            begin = time.monotonic()
            cpu_before, woken_before = activity(server)
            time.sleep(WINDOW)  # not to wait for something: to watch
            cpu_after, woken_after = activity(server)
            seconds = time.monotonic() - begin
            cpu, woken = cpu_after - cpu_before, woken_after - woken_before
            is_idle = cpu <= BUSY_SHARE * seconds and woken <= BUSY_WAKE_UPS * seconds
            if is_idle and not wants_cpu(server.process):
                return
            if time.monotonic() > deadline:
                raise AssertionError(
                    f"it is not idle: {cpu:.2f} s of CPU time and {woken} wake-ups "
                    f"in {seconds:.2f} s with nothing to do"
                )

    def check_descriptors(self, server: Server, expected: int) -> None:
        """Fail unless the server comes to have *expected* open descriptors."""
        deadline = time.monotonic() + self.patience
        while (actual := server.process.num_fds()) != expected:
            if time.monotonic() > deadline:
                raise AssertionError(
                    f"{actual} descriptors are open instead of {expected}"
                )
            time.sleep(0.01)

    def check_memory(self, server: Server, before: int) -> None:
        """Fail where 1,000 clients have left *server* with too much memory."""
        grown = server.process.memory_info().rss - before
        if grown >= self.memory_limit:
            raise AssertionError(
                f"{grown / MIB:.1f} MiB more memory after 1,000 clients"
            )

    def check_gives_up(self, ended: Ended, words: str) -> None:
        """Fail unless a process ended with status 1 and one line that has *words*."""
        self.check_output(ended.stderr)
        self.check_status(ended, 1)
        lines = ended.stderr.splitlines()
        if len(lines) != 1 or words not in lines[0]:
            raise AssertionError(f"not one line that says {words!r}:\n{ended.stderr}")
        if "listening on" in ended.stdout:
            raise AssertionError(f"it says that it listens:\n{ended.stdout}")

    def test_idle(self) -> None:
        """It takes no CPU time while nobody is connected or a client is silent."""
        with self.running() as server:
            self.check_becomes_idle(server)
            with self.client(server) as client:
                client.echo(b"x")
                self.check_becomes_idle(server)

    def test_restart(self) -> None:
        """It can be started again at once in the same place."""
        place = self.transport.known_place()
        with self.started(place) as server, self.client(server) as client:
            client.echo(b"x")
            server.stop(signal.SIGTERM)  # ends first: TIME_WAIT is on its port
        with self.running(place) as server:
            self.check_serves(server)

    def test_address_in_use(self) -> None:
        """Address in use: exit status 1 and one line on stderr that says so."""
        place = self.transport.known_place()
        with self.running(place) as server:
            ended = run(*self.program(), *place, folder=server.folder)
            self.check_gives_up(ended, os.strerror(errno.EADDRINUSE))
            self.check_serves(server)

    def test_unusable_address(self) -> None:
        """No such address: exit status 1 and one line on stderr that says so."""
        for arguments in self.transport.unusable_places:
            place = [*self.transport.anywhere(), *arguments]
            self.check_gives_up(run(*self.program(), *place), arguments[0])

    def test_wrong_usage(self) -> None:
        """Wrong usage: exit status 2 and no traceback."""
        for arguments in self.transport.wrong_usages:
            ended = run(*self.program(), *arguments)
            self.check_output(ended.stderr)
            self.check_status(ended, 2)


Contract = TypeVar("Contract", bound=ProgramContract)


def claim(
    contract: type[Contract],
    snippet: str,
    arguments: Sequence[str],
    transport: Tcp,
) -> type[Contract]:
    """Return the checks of *contract* for one snippet."""
    name = contract.__name__.removesuffix("Contract")
    members = {"snippet": snippet, "arguments": arguments, "transport": transport}
    return type(name, (contract,), members)
