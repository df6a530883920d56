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
import random
import select
import signal
import socket
import ssl
import struct
import time
from functools import partial
from typing import ClassVar

import pytest

from contracts import program
from contracts.program import (
    ALL_BYTES,
    MIB,
    claim,
    each_of,
    enough_descriptors,
    pattern,
    progress,
)
from support.server import SNIPPETS, TCP, Server, Tcp

KIB = 1_024
SIZES = (1, 2, 255, 1_000, 65_535, 65_537, MIB + 1, 16 * MIB)
CHUNK = 256 * KIB  # bytes that the client sends or receives at a time
STALLED = 0.1  # seconds in which nothing could be sent, after which a push ends
WOULD_BLOCK = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class Client(program.Client):
    """A connection to the server; a call that gets no answer in *patience* fails."""

    def __init__(self, server: Server, patience: float) -> None:
        super().__init__(server, patience)
        self.has_ended = False
        self.conn.setblocking(False)

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


def with_limits(command: str, log: str = "/dev/full") -> tuple[str, ...]:
    """Return what runs a program after the shell's *command*, its stderr to *log*."""
    return ("sh", "-c", f'{command} && exec "$@" 2>{log}', "sh")


def read_docstring(snippet: str) -> str:
    """Return the module docstring of a snippet, its white space as single blanks."""
    source = (SNIPPETS / f"{snippet}.py").read_text(encoding="utf-8")
    return " ".join((ast.get_docstring(ast.parse(source)) or "").split())


class StreamContract(program.ProgramContract):
    """The checks for every echo server over a stream."""

    def client(self, server: Server) -> Client:
        """Return a new client of *server*."""
        return Client(server, self.patience)

    def check_serves(self, server: Server) -> None:
        """Fail unless a new client is served."""
        with self.client(server) as client:
            client.finish(pattern(1_000))

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
                self.check_memory(server, before)

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

    @pytest.mark.linux
    def test_unwritable_log(self) -> None:
        """A log that cannot be written ends neither the server nor a connection."""
        with self.running(prefix=with_limits("true")) as server:
            for _ in range(3):
                with self.client(server) as client:
                    client.push(pattern(MIB))
                    client.reset()  # which a server may have to say something about
            self.check_serves(server)

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
            each_of(self.clients, partial(self.client, server)) as clients,
        ):
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
        few = with_limits(f"ulimit -n {limit}", log="/dev/stderr")
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

    @pytest.mark.linux
    def test_unwritable_log(self) -> None:
        """A log that cannot be written ends neither the server nor a connection."""
        limit = 32
        few = with_limits(f"ulimit -n {limit}")
        with self.running(prefix=few) as server, contextlib.ExitStack() as leaving:
            first = leaving.enter_context(self.client(server))
            first.echo(b"x")
            with contextlib.ExitStack() as crowd:
                for _ in range(limit + 8):  # which it has to say something about
                    crowd.enter_context(self.client(server))
                self.check_becomes_idle(server)
            first.finish(b"x")
            self.check_serves(server)


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
