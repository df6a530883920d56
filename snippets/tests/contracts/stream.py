"""What every echo server over a stream must survive.

A test module claims it in one line, and pytest collects every check::

    TestStream = stream.sequential("tcp_echo_server")
    TestStream = stream.concurrent("epoll_server")
    TestStream = stream.sequential("tcp_echo_server_ipv6", "--host", "::1")
    TestStream = stream.crowded("poll_server")

Each check starts a server of its own, by its real command line. The first line of
its docstring is its label in the published grid.
"""

import ast
import contextlib
import errno
import os
import random
import resource
import select
import signal
import socket
import ssl
import struct
import sys
import time
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import ClassVar, Self, TypeVar

import psutil
import pytest

from support.server import SNIPPETS, TCP, Ended, Server, Tcp, run

KIB = 1_024
MIB = 1_024 * KIB
SIZES = (1, 2, 255, 1_000, 65_535, 65_537, MIB + 1, 16 * MIB)
ALL_BYTES = bytes(range(256))
CHUNK = 256 * KIB  # bytes that the client sends or receives at a time
STALLED = 0.1  # seconds in which nothing could be sent, after which a push ends
WINDOW = 0.3  # seconds for which a server is watched to tell whether it is idle
BUSY_SHARE = 0.01  # of one core, above which it is not idle
BUSY_WAKE_UPS = 30.0  # a second: a poll each 1 ms makes 1,000, one each 0.5 s makes 2
WOULD_BLOCK = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)
UNCAUGHT = ("Traceback (most", "Exception ignored", "Fatal Python error", "Warning:")


class Client:
    """A connection to the server; a call that gets no answer in *patience* fails."""

    def __init__(self, server: Server, patience: float) -> None:
        self.transport = server.transport
        self.patience = patience
        self.has_ended = False
        try:
            self.conn = server.connect(patience)
        except OSError as error:
            raise AssertionError(f"a new client cannot connect: {error}") from error
        self.conn.setblocking(False)

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

    def reset(self) -> None:
        """Leave by RST instead of FIN."""
        linger_for_no_time = struct.pack("ii", 1, 0)
        self.conn.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger_for_no_time)
        self.conn.close()

    def echo(self, payload: bytes, *, already_sent: int = 0) -> None:
        """Send *payload*, get the same back, and stay.

        *already_sent* is how much of its beginning has been pushed before.
        """
        self._exchange(payload, already_sent, to_eof=False)

    def finish(self, payload: bytes = b"", *, already_sent: int = 0) -> None:
        """Send *payload*, say that this is all, get the same back and then EOF."""
        self._exchange(payload, already_sent, to_eof=True)

    def push(self, payload: bytes | memoryview) -> int:
        """Send without reading until no more can be sent; return the bytes sent."""
        view, sent = memoryview(payload), 0
        while sent < len(view):
            try:
                sent += self.conn.send(view[sent : sent + CHUNK])
            except WOULD_BLOCK as error:
                if not self.wait_for(event_for(error, select.POLLOUT), STALLED):
                    break
            except OSError as error:
                raise AssertionError(
                    f"{error} after {sent:,} bytes that the client did not read back"
                ) from error
        return sent

    def end_sending(self) -> None:
        """Say that no more will come."""
        self.transport.end_sending(self.conn)
        self.has_ended = True

    def is_readable(self) -> bool:
        """Return whether the server has sent something (or has left) by now."""
        return self.wait_for(select.POLLIN, 0)

    def wait_for(self, event: int, seconds: float) -> bool:
        """Return whether *event* came in time."""
        poller = select.poll()
        poller.register(self.conn, event)
        return bool(poller.poll(seconds * 1_000))

    def _exchange(self, payload: bytes, sent: int, *, to_eof: bool) -> None:
        """Send and receive at once; sending comes first while it is possible."""
        view, received = memoryview(payload), bytearray()
        try:
            while len(received) < len(view) or (to_eof and received == payload):
                events = 0
                if sent < len(view):
                    try:
                        sent += self.conn.send(view[sent : sent + CHUNK])
                        continue
                    except WOULD_BLOCK as error:
                        events = event_for(error, select.POLLOUT)
                elif to_eof and not self.has_ended:
                    self.end_sending()
                try:
                    chunk = self.conn.recv(CHUNK)
                except WOULD_BLOCK as error:
                    events |= event_for(error, select.POLLIN)
                    if not self.wait_for(events, self.patience):
                        raise AssertionError(
                            f"nothing came for {self.patience:g} s: "
                            f"{progress(payload, received)}"
                        ) from None
                    continue
                if not chunk:
                    break
                received += chunk
        except OSError as error:
            raise AssertionError(f"{error}: {progress(payload, received)}") from error
        if received != payload:
            raise AssertionError(progress(payload, received))


def event_for(error: OSError, otherwise: int) -> int:
    """Return what to wait for after *error*; TLS may need the other direction."""
    if isinstance(error, ssl.SSLWantReadError):
        return select.POLLIN
    if isinstance(error, ssl.SSLWantWriteError):
        return select.POLLOUT
    return otherwise


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


def read_docstring(snippet: str) -> str:
    """Return the module docstring of a snippet, its white space as single blanks."""
    source = (SNIPPETS / f"{snippet}.py").read_text(encoding="utf-8")
    return " ".join((ast.get_docstring(ast.parse(source)) or "").split())


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


class StreamContract:
    """The checks for every echo server over a stream."""

    contract: ClassVar[str]
    snippet: ClassVar[str]
    arguments: ClassVar[Sequence[str]] = ()
    transport: ClassVar[Tcp] = TCP
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
        return Client(server, self.patience)

    def check_serves(self, server: Server) -> None:
        """Fail unless a new client is served."""
        with self.client(server) as client:
            client.finish(pattern(1_000))

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

    def check_threads(self, server: Server, expected: int) -> None:
        """Fail unless the server comes to have *expected* threads."""
        deadline = time.monotonic() + self.patience
        while (actual := server.process.num_threads()) != expected:
            if time.monotonic() > deadline:
                raise AssertionError(f"{actual} threads run instead of {expected}")
            time.sleep(0.01)

    def check_ends_unread(self, signum: signal.Signals) -> None:
        """Fail unless *signum* ends a server that owes bytes to a stalled client."""
        with self.started() as server, self.client(server) as stalled:
            stalled.push(pattern(16 * MIB))
            self.check_ends(server, signum)

    def test_echo(self) -> None:
        """Every byte comes back, from 1 byte to 16 MiB."""
        with self.running() as server:
            for payload in (ALL_BYTES, *map(pattern, SIZES)):
                with self.client(server) as client:
                    client.finish(payload)
            with self.client(server) as client:
                client.finish(b"")

    def test_one_byte_at_a_time(self) -> None:
        """Each single byte is answered before the next one is sent."""
        with self.running() as server, self.client(server) as client:
            for value in ALL_BYTES:
                client.echo(bytes([value]))
            client.finish()

    def test_half_close(self) -> None:
        """A client that shuts its sending side still gets everything back."""
        payload = pattern(16 * MIB)
        with self.running() as server:
            with self.client(server) as client:
                client.finish(payload[:1_000])
            with self.client(server) as client:
                sent = client.push(payload)
                client.end_sending()  # and the server is still to send most of it
                self.check_becomes_idle(server)
                client.finish(payload[:sent], already_sent=sent)

    def test_reset(self) -> None:
        """A connection reset before, during or after data ends no other."""
        payload = pattern(MIB)
        with self.running() as server:
            for _ in range(5):
                self.client(server).reset()
                with self.client(server) as client:
                    client.push(b"x")
                    client.reset()
                with self.client(server) as client:
                    client.echo(payload)
                    client.reset()
                with self.client(server) as client:
                    client.push(b"x")
                    client.end_sending()
                    client.reset()
                self.check_serves(server)
            with self.client(server) as client:  # while the server is sending
                client.push(payload * 64)
                client.reset()
            with self.client(server) as client, self.client(server) as waiting:
                client.echo(b"x")
                waiting.push(b"x")  # while a sequential server serves somebody else
                waiting.reset()
                client.finish()
            self.check_serves(server)

    def test_idle(self) -> None:
        """It takes no CPU time while nobody is connected or a client is silent."""
        with self.running() as server:
            self.check_becomes_idle(server)
            with self.client(server) as client:
                client.echo(b"x")
                self.check_becomes_idle(server)

    def test_idle_after_clients_left(self) -> None:
        """It takes no CPU time after clients left."""
        with self.running() as server:
            with self.client(server) as client:
                client.echo(b"x")
            with self.client(server) as client:
                client.push(b"x")
                client.reset()
            self.check_becomes_idle(server)

    def test_descriptors(self) -> None:
        """1,000 clients leave no descriptor, no thread and no memory behind."""
        with self.running() as server:
            with self.client(server) as client:
                client.echo(b"x")
                expected = server.process.num_fds()
                threads = server.process.num_threads()
                before = server.process.memory_info().rss
            for number in range(1_000):
                with self.client(server) as client:
                    if number % 3:
                        client.finish(b"x")
                    else:
                        client.push(b"x")
                    if number % 2:
                        client.reset()
            with self.client(server) as client:
                client.echo(b"x")
                self.check_descriptors(server, expected)
                self.check_threads(server, threads)
                grown = server.process.memory_info().rss - before
                if grown >= self.memory_limit:
                    raise AssertionError(
                        f"{grown / MIB:.1f} MiB more memory after 1,000 clients"
                    )

    def test_never_reads(self) -> None:
        """A client that never reads grows it by less than 8 MiB and loses no byte."""
        payload = pattern(64 * MIB)
        with self.running() as server:
            with self.client(server) as client:  # what serving takes in any case
                client.finish(payload[:MIB])
            with self.client(server) as client:
                client.echo(b"x")
                before = server.process.memory_info().rss
                sent, view = 0, memoryview(payload)
                while pushed := client.push(view[sent:]):
                    sent += pushed
                    self.check_becomes_idle(server)
                grown = server.process.memory_info().rss - before
                if grown >= self.memory_limit:
                    raise AssertionError(
                        f"{grown / MIB:.1f} MiB more memory for a client that sent "
                        f"{sent / MIB:.1f} MiB and read nothing"
                    )
                client.echo(payload[:sent], already_sent=sent)
                client.finish(b"x")
            self.check_serves(server)

    def test_ctrl_c(self) -> None:
        """Ctrl-C ends it within a second, with a client silent or not reading."""
        with self.started() as server, self.client(server) as client:
            client.echo(b"x")
            self.check_ends(server, signal.SIGINT)
        self.check_ends_unread(signal.SIGINT)

    def test_sigterm(self) -> None:
        """SIGTERM ends it within a second, with a client silent or not reading."""
        with self.started() as server, self.client(server) as client:
            client.echo(b"x")
            self.check_ends(server, signal.SIGTERM)
        self.check_ends_unread(signal.SIGTERM)

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
            self.check_output(ended.stderr)
            self.check_status(ended, 1)
            lines = ended.stderr.splitlines()
            if len(lines) != 1 or os.strerror(errno.EADDRINUSE) not in lines[0]:
                raise AssertionError(f"not one line that says so:\n{ended.stderr}")
            self.check_serves(server)

    def test_wrong_usage(self) -> None:
        """Wrong usage: exit status 2 and no traceback."""
        for arguments in self.transport.wrong_usages:
            ended = run(*self.program(), *arguments)
            self.check_output(ended.stderr)
            self.check_status(ended, 2)


Contract = TypeVar("Contract", bound=StreamContract)


class SequentialContract(StreamContract):
    """The checks for a server of one client at a time."""

    contract = "stream (sequential)"

    def test_second_client_waits(self) -> None:
        """A second client waits and is then served."""
        with (
            self.running() as server,
            self.client(server) as first,
            self.client(server) as second,
        ):
            first.echo(b"x")
            second.push(b"yz")
            for _ in range(10):  # time enough to answer the second, if it wanted to
                first.echo(b"x")
            if second.is_readable():
                raise AssertionError("the second client did not have to wait")
            first.finish(b"x")
            second.finish(b"yz", already_sent=2)

    def test_docstring(self) -> None:
        """Its docstring says that it serves one client at a time."""
        if "one client at a time" not in read_docstring(self.snippet):
            raise AssertionError(f'no "one client at a time": {self.snippet}.py')


class ConcurrentContract(StreamContract):
    """The checks for a server of many clients at a time."""

    contract = "stream (concurrent)"
    clients: ClassVar[int] = 500

    def test_many_clients(self) -> None:
        """500 clients at once get each its own bytes."""
        with (
            enough_descriptors(1_000),
            self.running() as server,
            contextlib.ExitStack() as leaving,
        ):
            clients = [
                leaving.enter_context(self.client(server)) for _ in range(self.clients)
            ]
            payloads = [pattern(1_000 + number) for number in range(self.clients)]
            sent = [
                client.push(payload)
                for client, payload in zip(clients, payloads, strict=True)
            ]
            for number in random.Random(0).sample(range(self.clients), self.clients):  # noqa: S311
                clients[number].finish(payloads[number], already_sent=sent[number])

    def test_slow_clients(self) -> None:
        """A client that never reads or never finishes its line delays nobody."""
        with (
            self.running() as server,
            self.client(server) as silent,
            self.client(server) as unfinished,
            self.client(server) as never_reads,
        ):
            unfinished.push(b"no end of li")
            self.check_serves(server)
            never_reads.push(pattern(64 * MIB))
            for _ in range(20):
                self.check_serves(server)
            unfinished.finish(b"no end of line", already_sent=12)
            silent.finish(b"x")

    def test_stalled_clients(self) -> None:
        """Stalled clients get each its own bytes, whatever others do."""
        payloads = [pattern(16 * MIB), pattern(16 * MIB + 1)]
        with (
            self.running() as server,
            self.client(server) as first,
            self.client(server) as second,
        ):
            sent = [first.push(payloads[0]), second.push(payloads[1])]
            with self.client(server) as leaving:  # by RST, while it is owed bytes
                leaving.push(payloads[0])
                leaving.reset()
            self.check_serves(server)
            for client, payload, pushed in zip(
                (first, second), payloads, sent, strict=True
            ):
                client.finish(payload[:pushed], already_sent=pushed)

    def test_out_of_descriptors(self) -> None:
        """Out of descriptors it neither ends nor spins, and accepts again later."""
        limit = 32
        few = ("sh", "-c", f'ulimit -n {limit} && exec "$@"', "sh")
        with self.running(prefix=few) as server, contextlib.ExitStack() as leaving:
            first = leaving.enter_context(self.client(server))
            first.echo(b"x")
            with contextlib.ExitStack() as crowd:
                for _ in range(limit + 8):
                    crowd.enter_context(self.client(server))
                self.check_becomes_idle(server)
                first.echo(b"x")
            self.check_serves(server)
            first.finish()


class CrowdedContract(ConcurrentContract):
    """The checks for a server of many clients, of which most are idle."""

    idle_clients: ClassVar[int] = 5_000

    @pytest.mark.slow
    @pytest.mark.timeout(180)
    def test_idle_clients(self) -> None:
        """5,000 idle clients take no CPU time and delay nobody."""
        with enough_descriptors(self.idle_clients + 200), self.running() as server:
            with self.client(server) as client:
                client.echo(b"x")
                expected = server.process.num_fds()
            with contextlib.ExitStack() as crowd:
                clients = [
                    crowd.enter_context(self.client(server))
                    for _ in range(self.idle_clients)
                ]
                for client in clients:
                    client.push(b"x")
                for client in clients:  # so each is accepted; it says no more
                    client.echo(b"x", already_sent=1)
                self.check_becomes_idle(server)
                self.check_serves(server)
                for client in clients[:: self.idle_clients // 10]:
                    client.finish(pattern(1_000))
                self.check_becomes_idle(server)
            with self.client(server) as client:
                client.echo(b"x")
                self.check_descriptors(server, expected)


def sequential(
    snippet: str, *arguments: str, transport: Tcp = TCP
) -> type[SequentialContract]:
    """Return the checks for *snippet*, started with *arguments*."""
    return claim(SequentialContract, snippet, arguments, transport)


def concurrent(
    snippet: str, *arguments: str, transport: Tcp = TCP
) -> type[ConcurrentContract]:
    """Return the checks for *snippet*, started with *arguments*."""
    return claim(ConcurrentContract, snippet, arguments, transport)


def crowded(
    snippet: str,
    *arguments: str,
    transport: Tcp = TCP,
    runner: str | None = None,
    emulated: str | None = None,
) -> type[CrowdedContract]:
    """Return the checks for *snippet*, started with *arguments*, maybe by *runner*.

    *emulated* names what is emulated for it; the site shows that with its results.
    """
    claimed = claim(CrowdedContract, snippet, arguments, transport)
    claimed.runner, claimed.emulated = runner, emulated
    return claimed


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
