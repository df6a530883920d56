"""What every echo server over datagrams must survive.

A test module claims it in one line, and pytest collects every check::

    TestDatagram = datagram.contract("udp_echo_server")

Each check starts a server of its own, by its real command line. The first line of
its docstring is its label in the published grid.

UDP may lose what its buffers have no room for, on loopback, too. So at most
``IN_FLIGHT`` short datagrams are on their way at a time, or a single long one, and
none is ever sent again: what is lost then was lost by the server.
"""

import contextlib
import random
import select
import signal
import sys
import time
from collections.abc import Iterator
from functools import partial
from typing import ClassVar

import psutil
import pytest

from contracts import program
from contracts.program import (
    ALL_BYTES,
    claim,
    each_of,
    enough_descriptors,
    pattern,
    progress,
)
from support.sandbox import Sandbox, SandboxError
from support.server import UDP, Server

LONGEST = 65_507  # bytes: 65,535 less the headers of IPv4 and UDP
SIZES = (0, 1, 2, 255, 1_024, 1_472, 1_473, 8_192, 8_193, LONGEST - 1, LONGEST)
LONGER_THAN_A_BUFFER = (513, 1_025, 1_501, 2_049, 4_097, 8_193, 9_217, 16_385, LONGEST)
IN_FLIGHT = (
    16  # datagrams of at most SHORT bytes that every receive buffer has room for
)
SHORT = 1_000  # bytes
# Sends a datagram that says it comes from port 0, then asks for an echo.
FROM_PORT_0 = """
import socket, struct, sys
server = ("127.0.0.1", int(sys.argv[1]))
source, checksum = 0, 0
header = struct.pack("!HHHH", source, server[1], 8 + 5, checksum)
with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_UDP) as sock:
    sock.sendto(header + b"Hello", (server[0], 0))
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
    sock.settimeout(float(sys.argv[2]))
    sock.connect(server)
    try:
        sock.send(b"World")
        print(sock.recv(6))
    except OSError as error:
        print(f"no answer: {error}")
"""


class Client(program.Client):
    """A socket connected to the server's; what gets no answer in *patience* fails."""

    def send(self, payload: bytes) -> None:
        """Send *payload* as one datagram."""
        try:
            self.conn.send(payload)
        except OSError as error:
            raise AssertionError(
                f"{error}: cannot send {len(payload):,} bytes"
            ) from error

    def receive(self, expected: bytes) -> None:
        """Receive one datagram, which must be *expected*."""
        if not self.wait_for(select.POLLIN, self.patience):
            raise AssertionError(
                f"nothing came for {self.patience:g} s after {len(expected):,} bytes"
            )
        reply = self.take()
        if reply != expected:
            raise AssertionError(progress(expected, reply))

    def take(self) -> bytes:
        """Return the datagram that is there."""
        try:
            return self.conn.recv(65_535)
        except OSError as error:  # the server's port is closed
            raise AssertionError(f"{error}: the server has ended") from error

    def echo(self, payload: bytes) -> None:
        """Send *payload* and get the same back."""
        self.send(payload)
        self.receive(payload)


class DatagramContract(program.ProgramContract):
    """The checks for every echo server over datagrams."""

    contract = "datagram"
    transport = UDP
    clients: ClassVar[int] = 500

    def client(self, server: Server) -> Client:
        """Return a new client of *server*."""
        return Client(server, self.patience)

    def check_serves(self, server: Server) -> None:
        """Fail unless a new client is served."""
        with self.client(server) as client:
            client.echo(pattern(SHORT))

    @contextlib.contextmanager
    def halted(self, server: Server) -> Iterator[None]:
        """Keep *server* from running, so that what is sent to it has to wait."""
        deadline = time.monotonic() + self.patience
        server.process.suspend()
        try:
            while server.process.status() != psutil.STATUS_STOPPED:
                if time.monotonic() > deadline:
                    raise AssertionError("the server cannot be halted")
                time.sleep(0.001)
            yield
        finally:
            server.process.resume()

    def leave_before_the_reply(self, server: Server) -> None:
        """Let a client send and be gone before *server* receives it.

        The reply meets a closed port, and the kernel answers it by ICMP.
        """
        with self.halted(server), self.client(server) as client:
            client.send(b"x")

    def test_echo(self) -> None:
        """Every datagram comes back whole, from 0 to 65,507 bytes."""
        with self.running() as server, self.client(server) as client:
            for payload in (ALL_BYTES, b"", *map(pattern, SIZES[1:])):
                client.echo(payload)

    def test_boundaries(self) -> None:
        """Datagrams are neither joined nor split: as many come back as were sent."""
        payloads = [pattern(1 + size * 60) for size in range(IN_FLIGHT)]
        with self.running() as server, self.client(server) as client:
            with self.halted(server):
                for payload in payloads:
                    client.send(payload)
            for payload in payloads:
                client.receive(payload)

    def test_truncation(self) -> None:
        """A datagram longer than the buffer is not cut in silence."""
        with self.running() as server, self.client(server) as client:
            for payload in map(pattern, LONGER_THAN_A_BUFFER):
                said, reply = server.stderr, None
                deadline = time.monotonic() + self.patience
                client.send(payload)
                while reply != payload and said == server.stderr:
                    if client.is_readable():
                        reply = client.take()
                    elif time.monotonic() > deadline:
                        raise AssertionError(
                            f"{progress(payload, reply or b'')}, "
                            "and nothing on stderr says so"
                        )
                    else:
                        time.sleep(0.001)

    def test_many_clients(self) -> None:
        """500 clients get each its own datagrams."""
        with (
            enough_descriptors(1_000),
            self.running() as server,
            each_of(self.clients, partial(self.client, server)) as clients,
        ):
            payloads = [pattern(SHORT - number) for number in range(self.clients)]
            numbers = random.Random(0).sample(range(self.clients), self.clients)  # noqa: S311
            for first in range(0, self.clients, IN_FLIGHT):
                group = numbers[first : first + IN_FLIGHT]
                for number in group:
                    clients[number].send(payloads[number])
                for number in reversed(group):
                    clients[number].receive(payloads[number])

    def test_port_unreachable(self) -> None:
        """A client that is gone before its reply (port unreachable) ends nothing."""
        with self.running() as server:
            for _ in range(3):
                self.leave_before_the_reply(server)
                self.check_serves(server)

    @pytest.mark.linux
    def test_reply_that_cannot_be_sent(self) -> None:
        """A datagram that nobody can answer, since it is from port 0, ends nothing."""
        try:
            with Sandbox() as sandbox:  # in it everybody may send what root may
                prefix = sandbox.command("alice", [])
                with self.running(prefix=prefix) as server:
                    arguments = [str(server.address[1]), str(self.patience)]
                    program = [sys.executable, "-c", FROM_PORT_0, *arguments]
                    done = sandbox.run("alice", *program)
                    if done.stdout != "b'World'\n":
                        raise AssertionError(
                            f"a later client: {done.stdout}{done.stderr}"
                        )
        except SandboxError as error:
            pytest.skip(str(error))

    def test_idle_after_clients_left(self) -> None:
        """It takes no CPU time after clients left, one of them before its reply."""
        with self.running() as server:
            self.check_serves(server)
            self.leave_before_the_reply(server)
            self.check_serves(server)
            self.check_becomes_idle(server)

    def test_descriptors(self) -> None:
        """1,000 clients leave no descriptor and no memory behind."""
        payload = pattern(60_000)
        with self.running() as server:
            self.check_serves(server)
            with self.client(server) as client:
                client.echo(payload)
            expected = server.process.num_fds()
            before = server.process.memory_info().rss
            for _ in range(1_000):
                with self.client(server) as client:
                    client.echo(payload)
            self.check_descriptors(server, expected)
            self.check_memory(server, before)

    def test_ctrl_c(self) -> None:
        """Ctrl-C ends it within a second."""
        with self.started() as server:
            self.check_serves(server)
            self.check_ends(server, signal.SIGINT)

    def test_sigterm(self) -> None:
        """SIGTERM ends it within a second."""
        with self.started() as server:
            self.check_serves(server)
            self.check_ends(server, signal.SIGTERM)


def contract(snippet: str, *arguments: str) -> type[DatagramContract]:
    """Return the checks for *snippet*, started with *arguments*."""
    return claim(DatagramContract, snippet, arguments, UDP)
