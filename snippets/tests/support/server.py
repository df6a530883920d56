"""Run a snippet as a reader does: a process of its own, its real command line.

>>> with Server("tcp_echo_server") as server, server.connect() as conn:
...     conn.sendall(b"Hello")
...     conn.recv(5)
b'Hello'

What the snippet prints goes to files, so that a reader who is slow never blocks
it. However a ``with`` block ends, the process is gone and reaped after it.
"""

import atexit
import contextlib
import dataclasses
import itertools
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

SNIPPETS = Path(__file__).resolve().parents[2]
STARTS_WITHIN = 10.0  # seconds until the line "listening on ..." must be there
ENDS_WITHIN = 10.0  # seconds for a command that is meant to end by itself
LAST_WORDS = 0.1  # seconds after a failure for a server that is about to end
SHOWN = 4_000  # characters of output that a failure shows, from the end
LISTENING = re.compile(r"^listening on (?P<where>.+)\n", re.MULTILINE)
HOST_AND_PORT = re.compile(r"(?:\[(?P<ipv6>.+)\]|(?P<host>[^:]+)):(?P<port>\d+)")

Address = tuple[str, int]  # host and port; of a UNIX socket its path, and 0


class Tcp:
    """How a server is told where to listen, and how a client gets there.

    All that another transport does differently is here: derive from this class and
    override what differs. *host* is where clients connect, where that is not what
    the server prints (IPv4 to a dual-stack server).
    """

    wrong_usages: Sequence[Sequence[str]] = (("--port", "70000"), ("--port", "x"))
    # Addresses for documentation, which no machine has (RFC 5737, RFC 3849): one is
    # of the other family. And a name with an empty label, for which IDNA has no use,
    # so that no name server is asked.
    unusable_places: Sequence[Sequence[str]] = (
        ("--host", "192.0.2.1"),
        ("--host", "2001:db8::1"),
        ("--host", "\N{LATIN SMALL LETTER A WITH DIAERESIS}..b"),
    )

    def __init__(self, host: str | None = None) -> None:
        self.host = host

    def anywhere(self) -> list[str]:
        """Return the arguments that make a server listen where nobody else does."""
        return ["--port", "0"]

    def known_place(self) -> list[str]:
        """Return the arguments for a place that two servers, in turn, can share."""
        return ["--port", str(free_port())]

    def find(self, where: str, folder: Path) -> Address:  # noqa: ARG002
        """Return the address in *where*, the end of the line ``listening on ...``.

        *folder* is the server's current one, for addresses that are relative to it.
        Raises ValueError where it is not ``HOST:PORT`` or ``[HOST]:PORT``.
        """
        match = HOST_AND_PORT.fullmatch(where)
        if match is None:
            raise ValueError(f"not HOST:PORT or [HOST]:PORT: {where!r}")
        return self.host or match["ipv6"] or match["host"], int(match["port"])

    def connect(self, address: Address, timeout: float) -> socket.socket:
        """Return a connection to *address*, ready to send and receive."""
        return socket.create_connection(address, timeout)

    def end_sending(self, conn: socket.socket) -> None:
        """Tell the server that no more will come, and go on receiving."""
        conn.shutdown(socket.SHUT_WR)


class Udp(Tcp):
    """The same for datagrams: a client's socket is connected to the server's."""

    def known_place(self) -> list[str]:
        """Return the arguments for a place that two servers, in turn, can share."""
        return ["--port", str(free_port(socket.SOCK_DGRAM))]

    def connect(self, address: Address, timeout: float) -> socket.socket:
        """Return a socket that sends to *address* and receives from there alone."""
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.settimeout(timeout)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65_535)  # 9,216 on macOS
        sock.connect(address)
        return sock


class Unix(Tcp):
    """The same for a path; by default it is in the server's current folder."""

    wrong_usages = (("--path",), ("--path", ""), ("--port", "5566"))
    unusable_places = (("--path", "no/such/folder.sock"), ("--path", "x" * 200))

    def anywhere(self) -> list[str]:
        """Return nothing: each server has a folder of its own."""
        return []

    def known_place(self) -> list[str]:
        """Return the arguments for a path that two servers, in turn, can share."""
        folder = tempfile.TemporaryDirectory()
        atexit.register(folder.cleanup)
        return ["--path", f"{folder.name}/known.sock"]

    def find(self, where: str, folder: Path) -> Address:
        """Return the address of the path *where*, which may be relative to *folder*."""
        return str(folder / where), 0

    def connect(self, address: Address, timeout: float) -> socket.socket:
        """Return a connection to *address*, ready to send and receive."""
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.settimeout(timeout)
        try:
            sock.connect(address[0])
        except OSError:
            sock.close()
            raise
        return sock


TCP = Tcp()
UDP = Udp()
UNIX = Unix()


@dataclasses.dataclass(frozen=True)
class Ended:
    """What is left of a process: its exit status and all that it printed."""

    status: int
    stdout: str
    stderr: str


class NotListeningError(AssertionError):
    """The server did not come up; the message shows what it printed."""


class Server:
    """A snippet that listens, for the time of a ``with`` block.

    *snippet* is its name without ``.py``; *arguments* come first on its command
    line, then *place*: where it listens (nothing: anywhere free). *prefix* is a
    command that runs it. *folder* is its current folder (nothing: an empty one).
    """

    def __init__(
        self,
        snippet: str,
        *arguments: str,
        transport: Tcp = TCP,
        place: Sequence[str] | None = None,
        prefix: Sequence[str] = (),
        folder: Path | None = None,
    ) -> None:
        self.transport = transport
        if place is None:
            place = transport.anywhere()
        self.command = [*prefix, *command(snippet, *arguments, *place)]
        self._folder = folder

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as cleanup:
            new_folder = tempfile.TemporaryDirectory
            self.folder = self._folder or Path(cleanup.enter_context(new_folder()))
            output = Path(cleanup.enter_context(new_folder()))
            self._stdout, self._stderr = output / "stdout", output / "stderr"
            with (
                self._stdout.open("wb") as stdout,
                self._stderr.open("wb") as stderr,
                interruptible_children(),
            ):
                self._popen = subprocess.Popen(
                    self.command,
                    stdin=subprocess.DEVNULL,
                    stdout=stdout,
                    stderr=stderr,
                    cwd=self.folder,
                    env=environment(),
                )
            cleanup.callback(self._end)
            self.process = psutil.Process(self._popen.pid)
            self.address = self._wait_until_it_listens()
            self._cleanup = cleanup.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._popen.wait(LAST_WORDS)
            error.add_note(self.report())
        self._cleanup.close()

    @property
    def pid(self) -> int:
        """Return the number of its process."""
        return self._popen.pid

    @property
    def stdout(self) -> str:
        """Return what it printed until now."""
        return self._stdout.read_text(errors="backslashreplace")

    @property
    def stderr(self) -> str:
        """Return what it printed to standard error until now."""
        return self._stderr.read_text(errors="backslashreplace")

    def is_alive(self) -> bool:
        """Return whether it still runs."""
        return self._popen.poll() is None

    def connect(self, timeout: float = STARTS_WITHIN) -> socket.socket:
        """Return a new connection to it, with *timeout* seconds for each call."""
        return self.transport.connect(self.address, timeout)

    def stop(self, signum: signal.Signals, within: float = ENDS_WITHIN) -> Ended:
        """Send *signum* and return what is left of it.

        Raises AssertionError where it runs on for more than *within* seconds. One that
        wants to run, and is only kept from it by a busy machine, gets ``ENDS_WITHIN``.
        """
        self._popen.send_signal(signum)
        try:
            try:
                status = self._popen.wait(within)
            except subprocess.TimeoutExpired:
                if self.process.status() != psutil.STATUS_RUNNING:
                    raise
                status = self._popen.wait(ENDS_WITHIN)
        except subprocess.TimeoutExpired:
            raise AssertionError(
                f"it still runs {within:g} s after {signum.name}"
            ) from None
        return Ended(status, self.stdout, self.stderr)

    def report(self) -> str:
        """Return, for a failure's message, how it is and what it printed."""
        status = self._popen.poll()
        state = "runs" if status is None else f"ended with exit status {status}"
        return (
            f"The server {state}: {' '.join(self.command)}\n"
            f"Its stdout:\n{self.stdout[-SHOWN:]}\n"
            f"Its stderr:\n{self.stderr[-SHOWN:]}"
        )

    def _wait_until_it_listens(self) -> Address:
        deadline = time.monotonic() + STARTS_WITHIN
        while True:
            alive = self.is_alive()  # asked first: then its last words are read too
            if line := LISTENING.search(self.stdout):
                return self.transport.find(line["where"], self.folder)
            if not alive or time.monotonic() > deadline:
                raise NotListeningError(
                    f'it did not print "listening on ..."\n{self.report()}'
                )
            time.sleep(0.002)

    def _end(self) -> None:
        self._popen.kill()
        self._popen.wait()


def run(snippet: str, *arguments: str, folder: Path | None = None) -> Ended:
    """Run a snippet that is meant to end by itself and return what is left of it.

    Raises AssertionError where it still runs after ``ENDS_WITHIN`` seconds.
    """
    with (
        tempfile.TemporaryDirectory() as empty_folder,
        interruptible_children(),
    ):
        line = command(snippet, *arguments)
        try:
            done = subprocess.run(
                line,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                check=False,
                cwd=folder or empty_folder,
                env=environment(),
                errors="backslashreplace",
                text=True,
                timeout=ENDS_WITHIN,
            )
        except subprocess.TimeoutExpired:
            raise AssertionError(
                f"it still runs after {ENDS_WITHIN:g} s: {' '.join(line)}"
            ) from None
    return Ended(done.returncode, done.stdout, done.stderr)


def cut_off(snippet: str, *arguments: str) -> tuple[int, str]:
    """Run a snippet of whose output nobody reads a byte, as in ``... | true``.

    Returns its exit status, negative if a signal ended it, and its standard error.
    """
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = subprocess.run(
            command(snippet, *arguments),
            stdin=subprocess.DEVNULL,
            stdout=writer,
            stderr=subprocess.PIPE,
            check=False,
            env=environment(),
            text=True,
            timeout=ENDS_WITHIN,
        )
    finally:
        os.close(writer)
    return done.returncode, done.stderr


def command(snippet: str, *arguments: str) -> list[str]:
    """Return the command line of a snippet; a warning is an error in it."""
    return [sys.executable, "-W", "error", str(SNIPPETS / f"{snippet}.py"), *arguments]


def environment() -> dict[str, str]:
    """Return the environment without what would hide a missing flush."""
    return {
        name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"
    }


@contextlib.contextmanager
def interruptible_children() -> Iterator[None]:
    """Let processes that are started here be ended by SIGINT.

    In what a shell starts with ``&``, SIGINT is ignored, and children inherit that.
    """
    ignored = signal.getsignal(signal.SIGINT) == signal.SIG_IGN
    if ignored:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        if ignored:
            signal.signal(signal.SIGINT, signal.SIG_IGN)


_candidates = itertools.count()


def free_port(kind: int = socket.SOCK_STREAM) -> int:
    """Return a port that nobody uses and that no other test process gets.

    *kind* is the kind of socket that it is for. It lies below the ports that the
    kernel hands out itself (32,768 and up on Linux, 49,152 and up on macOS), and each
    process has 20 of its own to begin with.
    Raises OSError where not one can be bound.
    """
    first, last = 10_000, 30_000
    start = os.getpid() * 20
    for candidate in itertools.islice(_candidates, last - first):
        port = first + (start + candidate) % (last - first)
        with contextlib.suppress(OSError), bound_to_any_address(port, kind):
            return port
    raise OSError(f"no free port between {first} and {last}: end other servers")


def bound_to_any_address(port: int, kind: int = socket.SOCK_STREAM) -> socket.socket:
    """Return a socket bound to *port* of every address, IPv6 included if there is any.

    Without SO_REUSEADDR: an old connection in TIME_WAIT makes the port count as used.
    """
    dual_stack = socket.has_dualstack_ipv6()
    family = socket.AF_INET6 if dual_stack else socket.AF_INET
    sock = socket.socket(family, kind)
    try:
        if dual_stack:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        sock.bind(("", port))
    except OSError:
        sock.close()
        raise
    return sock
