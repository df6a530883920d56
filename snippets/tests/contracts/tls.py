"""What every TLS server must survive, and what it must refuse.

A test module claims it in one line, and pytest collects every check::

    TestTls = tls.sequential("tls_echo_server")
    TestTls = tls.concurrent("tls_selectors_server")

Each check starts a server of its own, by its real command line, with a certificate
made by the lines on the page. The first line of its docstring is its label in the
published grid. What TLS servers have in common with others is claimed by
``stream.sequential("tls_echo_server", transport=TLS)``.
"""

import contextlib
import itertools
import os
import random
import select
import signal
import socket
import ssl
import struct
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import ClassVar

from contracts import stream
from contracts.program import pattern
from support.server import Server, run
from support.tls import (
    RECORD,
    TLS,
    Connection,
    Tls,
    client_context,
    client_hello,
    folder_of,
    wait_for_end,
)

RESET_AT_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER: on, for 0 seconds
HTTP = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
OLD_VERSIONS = {"TLS 1.1": 0x0302, "TLS 1.0": 0x0301, "SSL 3.0": 0x0300}
OLD_SUITES = (0xC00A, 0xC009, 0xC014, 0xC013, 0x0035, 0x002F)  # all of them CBC
HELLO = client_hello(0x0303, (0xC02B,))  # of TLS 1.2, and nothing wrong with it
ALERT, FATAL = 0x15, 2  # RFC 5246, sections 6.2.1 and 7.2
# By the kind of the server's certificate: not AEAD, or without forward secrecy.
WEAK_SUITES = {
    "page": ("ECDHE-ECDSA-AES128-SHA256", "ECDHE-ECDSA-AES256-SHA"),
    "rsa": ("AES128-GCM-SHA256", "AES128-SHA", "ECDHE-RSA-AES128-SHA256"),
}
NAMES = ("localhost", "127.0.0.1", "::1")
TRICKLE = 0.2  # seconds between the bytes of a client that takes its time

# Runs a server with another TIMEOUT: argv is that, then the server's command line.
SOONER = """
import sys
from pathlib import Path
seconds, file = float(sys.argv[1]), Path(sys.argv[5])
sys.argv[:] = sys.argv[5:]
sys.path.insert(0, str(file.parent))
server = __import__(file.stem)
server.TIMEOUT = seconds
server.main()
"""


class TlsContract:
    """The checks for every TLS server."""

    contract: ClassVar[str] = "tls"
    snippet: ClassVar[str]
    arguments: ClassVar[Sequence[str]] = ()
    means: ClassVar[stream.StreamContract]  # of the checks: it starts servers
    patience: ClassVar[float] = 10.0  # seconds until what should come counts as lost
    drops_within: ClassVar[float] = 10.0  # seconds for who stalls in the handshake

    @contextlib.contextmanager
    def running(
        self, transport: Tls = TLS, prefix: Sequence[str] = ()
    ) -> Iterator[Server]:
        """Start a server; after the check it is alive, with nothing uncaught."""
        place = transport.anywhere()
        with self.means.running(place, prefix) as server:
            server.transport = transport
            yield server

    def client(self, server: Server) -> stream.Client:
        """Return a new client of *server*."""
        return stream.Client(server, self.patience)

    def check_serves(self, server: Server) -> None:
        """Fail unless a new client is served."""
        with self.client(server) as client:
            client.finish(pattern(1_000))

    def raw_client(self, server: Server) -> socket.socket:
        """Return a TCP connection to *server* on which no TLS is spoken yet."""
        try:
            return socket.create_connection(server.address, self.patience)
        except OSError as error:
            raise AssertionError(f"a new client cannot connect: {error}") from error

    def shake_hands(
        self, server: Server, context: ssl.SSLContext, name: str = "localhost"
    ) -> ssl.SSLObject:
        """Shake hands and leave; return what was agreed on. Raises ssl.SSLError."""
        sock = self.raw_client(server)
        with Connection(sock, context, name, self.patience) as conn:
            if not conn.shake_hands(self.patience):
                raise AssertionError("no answer to the handshake")
            return conn.tls

    def test_no_tls(self) -> None:
        """Plain HTTP, random bytes and an empty connection end nothing."""
        with self.running() as server:
            noise = [random.Random(seed).randbytes(1_000) for seed in range(4)]  # noqa: S311
            for payload in (HTTP, *noise, b""):
                with self.raw_client(server) as client:
                    client.sendall(payload)
                    with contextlib.suppress(OSError):  # the server may have left
                        client.shutdown(socket.SHUT_WR)
                    wait_for_end(client, self.patience)
                self.check_serves(server)

    def test_interrupted_handshake(self) -> None:
        """A handshake that is broken off, by FIN or RST, ends nothing."""
        payloads = (HELLO, HELLO[: len(HELLO) // 2], HELLO[:1])
        with self.running() as server:
            for payload, resets in itertools.product(payloads, (False, True)):
                with self.raw_client(server) as client:
                    client.sendall(payload)
                    if payload == HELLO:  # the answer begins with a handshake record
                        answer = client.recv(1)
                        if answer != HELLO[:1]:
                            raise AssertionError(f"the handshake ends at {answer!r}")
                    if resets:
                        client.setsockopt(
                            socket.SOL_SOCKET, socket.SO_LINGER, RESET_AT_CLOSE
                        )
                    else:
                        client.shutdown(socket.SHUT_WR)
                        wait_for_end(client, self.patience)
                self.check_serves(server)

    def test_old_versions(self) -> None:
        """TLS 1.1 and what is older is refused by an alert."""
        with self.running() as server:
            for name, version in OLD_VERSIONS.items():
                with self.raw_client(server) as client:
                    client.sendall(client_hello(version, OLD_SUITES))
                    answer = client.recv(7, socket.MSG_WAITALL)
                    if len(answer) < 7 or (answer[0], answer[5]) != (ALERT, FATAL):
                        raise AssertionError(f"{name} is not refused: {answer.hex()}")
            self.check_serves(server)

    def test_versions(self) -> None:
        """TLS 1.3 is spoken, TLS 1.2 with who knows no better, without compression."""
        newest = (None, ssl.TLSVersion.TLSv1_3, ssl.TLSVersion.TLSv1_2)
        with self.running() as server:
            for version in newest:
                server.transport = Tls(newest=version)
                expected = "TLSv1.2" if version == newest[-1] else "TLSv1.3"
                with self.client(server) as client:
                    client.finish(pattern(100_000))
                    assert isinstance(client.conn, Connection)
                    tls = client.conn.tls
                    agreed = (tls.version(), tls.compression())
                    if agreed != (expected, None):
                        raise AssertionError(f"{agreed} instead of {expected}")

    def test_weak_suites(self) -> None:
        """Suites without forward secrecy or AEAD are refused, RSA key or not."""
        for kind, suites in WEAK_SUITES.items():
            with self.running(Tls(kind)) as server:
                for suite in suites:
                    context = client_context(folder_of(kind))
                    context.maximum_version = ssl.TLSVersion.TLSv1_2
                    context.set_ciphers(suite)
                    try:
                        self.shake_hands(server, context)
                    except ssl.SSLError as error:
                        if "HANDSHAKE_FAILURE" not in str(error).upper():
                            raise AssertionError(f"{suite}: {error}") from error
                    else:
                        raise AssertionError(f"{suite} is not refused")
                self.shake_hands(server, client_context(folder_of(kind)))

    def test_renegotiation(self) -> None:
        """A client that wants to renegotiate is refused."""
        with self.running() as server:
            folder_of("page")  # skips where there is no openssl
            host, port = server.address
            with subprocess.Popen(
                ["openssl", "s_client", "-tls1_2", "-connect", f"{host}:{port}"],  # noqa: S607
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
            ) as process:
                try:
                    assert process.stdin is not None
                    for said, wanted in (
                        (b"", b"Verify return code"),
                        (b"R\n", b"RENEGOTIATING"),
                        (b"still here\n", b"still here"),
                    ):
                        with contextlib.suppress(BrokenPipeError):
                            process.stdin.write(said)
                            process.stdin.flush()
                        is_said = wait_for_output(process, wanted, self.patience)
                        if is_said == (wanted == b"still here"):
                            raise AssertionError(
                                "the client could renegotiate"
                                if is_said
                                else f"s_client does not say {wanted.decode()!r}"
                            )
                finally:
                    process.kill()
                    with contextlib.suppress(BrokenPipeError):
                        process.communicate()
            self.check_serves(server)

    def test_record(self) -> None:
        """A record of 16 KiB comes back whole, before another one is sent."""
        with self.running() as server, self.client(server) as client:
            for size in (RECORD, RECORD - 1, 1, RECORD):
                client.echo(pattern(size))
            client.finish()

    def test_close_notify(self) -> None:
        """close_notify is answered by close_notify, behind all that is owed."""
        with self.running() as server:
            for version in (ssl.TLSVersion.TLSv1_3, ssl.TLSVersion.TLSv1_2):
                server.transport = Tls(newest=version)
                for payload in (b"", b"x", pattern(1_000_000)):
                    with self.client(server) as client:
                        client.finish(payload)

    def test_cut_short(self) -> None:
        """A connection that ends without close_notify ends no other."""
        with self.running() as server:
            for payload in (b"", b"x", pattern(100_000)):
                with self.client(server) as client:
                    client.echo(payload)
                    client.conn.shutdown(socket.SHUT_WR)
                    deadline = time.monotonic() + self.patience
                    while not has_ended(client.conn):
                        if time.monotonic() > deadline:
                            raise AssertionError("the server keeps who has left")
                        client.wait_for(select.POLLIN, TRICKLE)
                self.check_serves(server)

    def test_verified(self) -> None:
        """A client that has the page's certificate verifies it by each name in it."""
        with self.running() as server:
            for name in NAMES:
                try:
                    self.shake_hands(server, client_context(), name)
                except ssl.SSLCertVerificationError as error:
                    raise AssertionError(f"{name} is not verified: {error}") from error

    def test_not_verified(self) -> None:
        """One that trusts others, or wants another name, leaves; the next is served."""
        other = client_context(folder_of("rsa"))
        with self.running() as server:
            for context, name in ((other, "localhost"), (client_context(), "example")):
                try:
                    self.shake_hands(server, context, name)
                except ssl.SSLCertVerificationError:
                    pass
                else:
                    raise AssertionError(f"{name} is verified, and should not be")
                self.check_serves(server)

    def test_ctrl_c_in_handshake(self) -> None:
        """Ctrl-C while a client shakes hands ends it within a second, quietly."""
        with self.means.started() as server:
            self.means.check_becomes_idle(server)  # and has all that it opens
            before = server.process.num_fds()
            with self.raw_client(server) as client:
                client.sendall(HELLO[:20])
                self.means.check_descriptors(server, before + 1)  # it is accepted
                self.means.check_becomes_idle(server)  # and the handshake waits
                self.means.check_ends(server, signal.SIGINT)

    def test_unusable_certificate(self) -> None:
        """Certificate or key unusable: exit status 1, one line that says what to do."""
        page, other = folder_of("page"), folder_of("rsa")
        with TemporaryDirectory() as folder:
            garbage = Path(folder) / "garbage.pem"
            garbage.write_text("garbage\n")
            missing = Path(folder) / "missing.pem"
            cert, key = page / "cert.pem", page / "key.pem"
            for cert_, key_, named in (
                (missing, key, missing),
                (cert, missing, missing),
                (garbage, key, garbage),
                (cert, garbage, garbage),
                (Path(folder), key, folder),
                (cert, other / "key.pem", other / "key.pem"),
                (key, cert, key),
            ):
                place = ("--port", "0", "--cert", str(cert_), "--key", str(key_))
                ended = run(self.snippet, *self.arguments, *place)
                self.means.check_gives_up(ended, "openssl")
                self.means.check_gives_up(ended, str(named))


class SequentialContract(TlsContract):
    """The checks for a TLS server of one client at a time."""

    timeout: ClassVar[float | None] = None  # seconds, in the place of its TIMEOUT

    def running_stalled(self) -> contextlib.AbstractContextManager[Server]:
        """Start a server that is to drop a client, maybe sooner than it says."""
        if self.timeout is None:
            return self.running()
        command = [sys.executable, "-W", "error", "-c", SOONER, str(self.timeout)]
        return self.running(prefix=command)

    def test_stalled_handshake(self) -> None:
        """Who stalls in the handshake is dropped, and the next client is served."""
        with self.running_stalled() as server, self.raw_client(server) as stalled:
            stalled.sendall(HELLO[:20])
            with self.client(server) as waiting:
                trickle(stalled, HELLO[20:], self.drops_within)
                waiting.finish(b"x")


class ConcurrentContract(TlsContract):
    """The checks for a TLS server of many clients at a time."""

    serves_within: ClassVar[float] = 1.0  # seconds, whoever else is stalled

    def test_stalled_handshakes(self) -> None:
        """64 clients stalled in the handshake delay nobody and leave nothing behind."""
        with self.running() as server, self.client(server) as silent:
            silent.echo(b"x")  # so that its handshake is through
            expected = server.process.num_fds()
            with contextlib.ExitStack() as leaving:
                for number in range(64):
                    stalled = leaving.enter_context(self.raw_client(server))
                    stalled.sendall(HELLO[: number % 3 * 10])
                for _ in range(5):
                    begin = time.monotonic()
                    self.check_serves(server)
                    seconds = time.monotonic() - begin
                    if seconds > self.serves_within:
                        raise AssertionError(
                            f"a new client was served in {seconds:.1f} s"
                        )
            self.means.check_descriptors(server, expected)
            silent.finish(b"x")


def trickle(conn: socket.socket, payload: bytes, seconds: float) -> None:
    """Send *payload* a byte at a time, until the server leaves.

    Raises AssertionError where it does not within *seconds*.
    """
    deadline = time.monotonic() + seconds
    poller = select.poll()
    poller.register(conn, select.POLLIN)
    for value in payload:
        if poller.poll(TRICKLE * 1_000):
            wait_for_end(conn, seconds)
            return
        if time.monotonic() > deadline:
            break
        with contextlib.suppress(OSError):
            conn.send(bytes([value]))
    raise AssertionError(f"the client is not dropped within {seconds:g} s")


def has_ended(conn: socket.socket) -> bool:
    """Return whether the server has left, cleanly or not."""
    try:
        return not conn.recv(stream.CHUNK)
    except stream.WOULD_BLOCK:
        return False
    except OSError:
        return True


def wait_for_output(
    process: "subprocess.Popen[bytes]", wanted: bytes, seconds: float
) -> bool:
    """Return whether *process* prints *wanted*, and does before it ends."""
    assert process.stdout is not None
    output, deadline = b"", time.monotonic() + seconds
    while wanted not in output:
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([process.stdout], [], [], left)[0]:
            return False
        chunk = os.read(process.stdout.fileno(), stream.CHUNK)
        if not chunk:
            return False
        output += chunk
    return True


def sequential(
    snippet: str, *arguments: str, timeout: float | None = None
) -> type[SequentialContract]:
    """Return the checks for *snippet*, started with *arguments*.

    *timeout* is what its TIMEOUT is replaced by in the check that waits for it; give
    it only where another server, which has the same lines, is checked as it is.
    """
    means = stream.sequential(snippet, *arguments, transport=TLS)()
    return type(
        "Sequential",
        (SequentialContract,),
        {
            "snippet": snippet,
            "arguments": arguments,
            "means": means,
            "timeout": timeout,
        },
    )


def concurrent(snippet: str, *arguments: str) -> type[ConcurrentContract]:
    """Return the checks for *snippet*, started with *arguments*."""
    means = stream.concurrent(snippet, *arguments, transport=TLS)()
    return type(
        "Concurrent",
        (ConcurrentContract,),
        {"snippet": snippet, "arguments": arguments, "means": means},
    )
