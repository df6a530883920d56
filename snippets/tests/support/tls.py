"""How a test reaches a TLS server: its certificate, and a client's side of TLS.

The certificate is made by the very lines that the page TLS shows. ``Connection`` is a
non-blocking socket that does TLS by ``ssl.MemoryBIO``, for two things that
``ssl.SSLSocket`` has no call for: to say by close_notify that no more will come and
go on receiving, and to connect without waiting for a server that is busy.
"""

import atexit
import contextlib
import os
import re
import select
import socket
import ssl
import subprocess
import tempfile
import time
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from support.pages import CONTINUED, PROMPT, parse
from support.requirements import ROOT, missing
from support.server import Address, Tcp

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

PAGE = ROOT / "docs" / "cheatsheet" / "tls.rst"
DEADLINE = 30.0  # seconds for a command that makes a key
UNANSWERED = 0.25  # seconds after which a handshake is put off: the server is busy
ACCEPTED = 65_536  # bytes that can be sent before the handshake is through
RECORD = 16_384  # bytes: the most that one TLS record holds
READ = 65_536  # bytes asked of the kernel at a time


def certificate_commands(section: int = 0) -> list[str]:
    """Return the openssl lines by which a section of the page makes cert.pem."""
    lines = "\n".join(
        line for block in parse(PAGE)[section].blocks for line in block.lines
    )
    joined = lines.replace(f"\\\n{CONTINUED}", "")
    commands = [line.removeprefix(PROMPT) for line in joined.split("\n")]
    return [c for c in commands if re.match(r"openssl (ecparam|req) ", c)]


@cache
def folder_of(kind: str) -> Path:
    """Return a folder with cert.pem and key.pem, made once in each test process."""
    lack = missing({"openssl"})
    if lack:
        pytest.skip(lack)
    folder = tempfile.TemporaryDirectory(prefix="tls-")
    atexit.register(folder.cleanup)
    make_certificate(kind, Path(folder.name))
    return Path(folder.name)


def make_certificate(kind: str, folder: Path) -> None:
    """Make cert.pem and key.pem in *folder*.

    *kind* is "page" for the lines on the page, "rsa" for the same with an RSA key,
    "no name" for the same without subjectAltName.
    """
    make_key, make_cert = certificate_commands()
    if kind == "rsa":
        make_key = "openssl genrsa -out key.pem 2048"
    if kind == "no name":
        make_cert = re.sub(r"-addext +subjectAltName=\S+", "", make_cert)
    for command in (make_key, make_cert):
        run_command(command, folder)


def run_command(command: str, folder: Path) -> str:
    """Return what a shell *command* that asks nothing printed, errors included."""
    done = subprocess.run(
        ["sh", "-c", command],  # noqa: S607
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=DEADLINE,
        check=False,
    )
    if done.returncode:
        raise AssertionError(f"{command}: {done.stdout}")
    return done.stdout


def options(folder: Path) -> list[str]:
    """Return the arguments that let a server use the certificate in *folder*."""
    return ["--cert", str(folder / "cert.pem"), "--key", str(folder / "key.pem")]


def client_context(folder: Path | None = None) -> ssl.SSLContext:
    """Return a context that trusts the certificate in *folder* and no other.

    A connection that ends without close_notify is an error with it.
    """
    cafile = (folder or folder_of("page")) / "cert.pem"
    context = ssl.create_default_context(cafile=str(cafile))
    context.options &= ~getattr(ssl, "OP_IGNORE_UNEXPECTED_EOF", 0)
    return context


class Connection(socket.socket):
    """The client's side of TLS over *sock*, never blocking for long.

    The handshake is part of whatever is called first. Where the server does not
    answer it, what is sent waits here, as it would in the kernel without TLS.
    ``recv`` waits, for *patience* seconds at most, while something is still to be
    sent, since what it waits for may be the answer to that.
    """

    def __init__(
        self,
        sock: socket.socket,
        context: ssl.SSLContext,
        server_hostname: str,
        patience: float,
    ) -> None:
        super().__init__(fileno=sock.detach())
        self.setblocking(False)
        self.patience = patience
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(
            self._incoming, self._outgoing, server_hostname=server_hostname
        )
        self._unsent = memoryview(b"")  # encrypted
        self._early = b""  # accepted before the handshake was through
        self._received = b""  # decrypted
        self._is_shaken = False
        self._ends: str | None = None  # "wanted", then "said"

    def shake_hands(self, seconds: float = UNANSWERED) -> bool:
        """Return whether the handshake is through, after *seconds* of silence."""
        while not self._is_shaken:
            try:
                self.tls.do_handshake()
                self._is_shaken = True
            except ssl.SSLWantReadError:
                self._flush()
                if not self._fill():
                    if not self.wait(select.POLLIN, seconds):
                        return False
                    self._fill()
            finally:
                self._flush()
        return True

    def send(self, data: "ReadableBuffer", flags: int = 0, /) -> int:  # noqa: ARG002
        """Encrypt the beginning of *data*, and return how much of it."""
        payload = bytes(memoryview(data)[:RECORD])
        if not self.shake_hands():
            if len(self._early) + len(payload) > ACCEPTED:
                raise ssl.SSLWantReadError("the handshake is not through")
            self._early += payload
            return len(payload)
        self._catch_up()
        if not self._flush():
            raise ssl.SSLWantWriteError("what was sent before is still to go")
        sent = self.tls.write(payload)
        self._flush()
        return sent

    def recv(self, bufsize: int, flags: int = 0, /) -> bytes:  # noqa: ARG002
        """Return what came, decrypted; ``b""`` after the server's close_notify."""
        while not self._received:
            if self.shake_hands(0):
                self._catch_up()
                try:
                    self._received = self.tls.read(bufsize)
                    if not self._received:
                        return b""
                    break
                except ssl.SSLZeroReturnError:  # if our own close_notify was sent
                    return b""
                except ssl.SSLWantReadError:
                    pass
            if self._fill():
                continue
            if self._flush() or not self.wait(
                select.POLLIN | select.POLLOUT, self.patience
            ):
                raise ssl.SSLWantReadError("nothing has come")
        chunk, self._received = self._received[:bufsize], self._received[bufsize:]
        return chunk

    def end_sending(self) -> None:
        """Say by close_notify that no more will come, and go on receiving."""
        self._ends = self._ends or "wanted"
        if self.shake_hands(0):
            self._catch_up()

    def _catch_up(self) -> None:
        """After the handshake, do what was wanted before."""
        if self._early:
            self.tls.write(self._early)
            self._early = b""
        if self._ends == "wanted":
            # unwrap() is close_notify both ways. It says ours and then reads; what is
            # there to be read is therefore taken first, and it finds nothing.
            with contextlib.suppress(ssl.SSLWantReadError):
                while chunk := self.tls.read(READ):
                    self._received += chunk
            with contextlib.suppress(ssl.SSLWantReadError):
                self.tls.unwrap()
            self._ends = "said"
        self._flush()

    def _flush(self) -> bool:
        """Send what is encrypted; return whether that was all."""
        while True:
            self._unsent = self._unsent or memoryview(self._outgoing.read())
            if not self._unsent:
                return True
            try:
                self._unsent = self._unsent[super().send(self._unsent) :]
            except BlockingIOError:
                return False

    def _fill(self) -> bool:
        """Take what the socket has; return whether it had anything, or an end."""
        try:
            chunk = super().recv(READ)
        except BlockingIOError:
            return False
        if chunk:
            self._incoming.write(chunk)
        else:
            self._incoming.write_eof()
        return True

    def wait(self, events: int, seconds: float) -> bool:
        """Return whether one of *events* came to the socket in time."""
        poller = select.poll()
        poller.register(self, events)
        return bool(poller.poll(seconds * 1_000))


class Tls(Tcp):
    """TLS over TCP, with the page's certificate."""

    wrong_usages = (*Tcp.wrong_usages, ("--cert",), ("--key",))

    def __init__(
        self, kind: str = "page", newest: ssl.TLSVersion | None = None
    ) -> None:
        super().__init__()
        self.kind = kind
        self.newest = newest  # version that the client speaks, where it is held back

    def anywhere(self) -> list[str]:
        """Return the arguments that make a server listen where nobody else does."""
        return [*super().anywhere(), *options(folder_of(self.kind))]

    def known_place(self) -> list[str]:
        """Return the arguments for a place that two servers, in turn, can share."""
        return [*super().known_place(), *options(folder_of(self.kind))]

    def connect(self, address: Address, timeout: float) -> socket.socket:
        """Return a connection to *address*; its handshake may be still to come."""
        sock = super().connect(address, timeout)
        context = client_context(folder_of(self.kind))
        if self.newest is not None:
            context.maximum_version = self.newest
        conn = Connection(sock, context, "localhost", timeout)
        try:
            conn.shake_hands()
        except OSError:
            conn.close()
            raise
        return conn

    def end_sending(self, conn: socket.socket) -> None:
        """Tell the server by close_notify that no more will come."""
        assert isinstance(conn, Connection)
        conn.end_sending()


TLS = Tls()


def wait_for_end(conn: socket.socket, seconds: float) -> bytes:
    """Return what *conn* still receives, in the clear, until the server leaves.

    Raises AssertionError where it has not left within *seconds*.
    """
    received, deadline = b"", time.monotonic() + seconds
    conn.setblocking(True)
    while (left := deadline - time.monotonic()) > 0:
        conn.settimeout(left)
        try:
            chunk = conn.recv(READ)
        except TimeoutError:
            break
        except OSError:  # a reset is an end, too
            return received
        if not chunk:
            return received
        received += chunk
    raise AssertionError(f"the client is not dropped within {seconds:g} s")


def client_hello(version: int, suites: tuple[int, ...]) -> bytes:
    """Return the first record of a client that offers *version* and nothing newer.

    Made by hand, since OpenSSL itself no longer says this without being forced to.
    Sources: RFC 4346 (TLS 1.1), RFC 5246 (TLS 1.2), RFC 8422 (elliptic curves).
    """
    offered = b"".join(suite.to_bytes(2, "big") for suite in suites)
    groups = bytes.fromhex("000a 0006 0004 0017 001d")  # P-256, X25519
    formats = bytes.fromhex("000b 0002 01 00")  # points are not compressed
    signatures = bytes.fromhex("000d 0006 0004 0403 0804")  # SHA-256; from TLS 1.2 on
    extensions = groups + formats + (signatures if version >= 0x0303 else b"")
    body = b"".join(
        [
            version.to_bytes(2, "big"),
            os.urandom(32),
            b"\0",  # no session to resume
            len(offered).to_bytes(2, "big") + offered,
            b"\x01\0",  # no compression
            len(extensions).to_bytes(2, "big") + extensions,
        ]
    )
    message = b"\x01" + len(body).to_bytes(3, "big") + body
    return b"\x16\x03\x01" + len(message).to_bytes(2, "big") + message
