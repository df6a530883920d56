"""What every sniffer must survive.

A test module claims it in one line, and pytest collects every check::

    TestSniffer = sniffer.contract("ip_sniffer", sniffer.PING)

The parser is called in this process; all else is a process of its own on a host of
the sandbox, where nobody needs to be root. The first line of a check's docstring is
its label in the published grid.
"""

import contextlib
import importlib.util
import os
import re
import shutil
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import psutil
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.configuration import set_hypothesis_home_dir

from support.requirements import PATH, missing
from support.sandbox import DEADLINE, Sandbox, SandboxError
from support.server import SNIPPETS, Address, Server, Tcp, command, environment

ETHERNET = 14  # bytes of its header
TO_ALICE = bytes.fromhex("020000000001020000000002")
TAG = bytes.fromhex("81000005")  # VLAN 5
CONTROL = b"\x1b[2J\r\x07\x9b"  # clears a terminal, or worse
# Sends the frames that are its arguments, in hexadecimal.
SEND = """
import socket, sys
with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as sock:
    sock.bind(("eth0", 0))
    for frame in sys.argv[1:]:
        sock.send(bytes.fromhex(frame))
"""
# Serves HTTP to one curl.
REQUEST = """
import functools, http.server, subprocess, sys, threading
class Handler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass
with http.server.HTTPServer(("127.0.0.1", 8000), Handler) as server:
    thread = threading.Thread(target=server.handle_request)
    thread.start()
    url = "http://127.0.0.1:8000/"
    status = subprocess.call(["curl", "-s", "-o", "page.html", url])
    thread.join()
sys.exit(status)
"""

# Hypothesis would leave a folder of what it found in the sources; so it finds no place.
set_hypothesis_home_dir(os.devnull)


@dataclass(frozen=True)
class Traffic:
    """What a kind of sniffer is about.

    *frame* is a recorded one for alice, shown as *line* on her side. *starts* is the
    byte of it at which the parser begins. *variants* are bytes for the parser, and
    what it must find in them. *made_by* is a client, and *commands*, on the hosts that
    they name, make real traffic, of which lines that match *shown* come so many times.
    """

    frame: bytes
    line: str
    starts: int
    variants: Sequence[tuple[bytes, Mapping[str, object]]]
    made_by: str
    commands: Sequence[tuple[str, Sequence[str]]]
    shown: Mapping[str, int]

    @property
    def packet(self) -> bytes:
        """What the parser gets of the frame."""
        return self.frame[self.starts :]


def ipv4(protocol: int, rest: bytes, options: bytes = b"", fragment: int = 0) -> bytes:
    """Return an IPv4 packet from bob to alice; *fragment* are flags and offset."""
    header = bytes([0x45 + len(options) // 4, 0x10])
    header += (20 + len(options) + len(rest)).to_bytes(2)
    header += (4_660).to_bytes(2) + fragment.to_bytes(2) + bytes([64, protocol])
    ends = bytes([192, 0, 2, 2, 192, 0, 2, 1]) + options
    # Some switches drop what has a wrong checksum.
    words = struct.unpack(f"!{(len(header) + len(ends)) // 2}H", header + ends)
    checksum: int = 0xFFFF - (sum(words) % 0xFFFF)
    return header + checksum.to_bytes(2) + ends + rest


def tcp(payload: bytes, options: bytes = b"") -> bytes:
    """Return a TCP segment."""
    header = bytes.fromhex("1f40c93e 00000001 00000002")
    header += bytes([0x50 + len(options) // 4 * 16, 0x18]) + bytes.fromhex(
        "0100 0000 0000"
    )
    return header + options + payload


NOPS = bytes([1, 1, 1, 0])
ARP = bytes.fromhex("0001080006040002020000000002c0000202020000000001c0000201")
GET = tcp(b"GET /" + CONTROL, NOPS)

PING = Traffic(
    frame=TO_ALICE + b"\x08\x00" + ipv4(253, b"Hi" + CONTROL),
    line="eth0 192.0.2.2 -> 192.0.2.1 protocol 253, 29 bytes, tos 0x10, ttl 64, "
    "id 4660, flags none, offset 0",
    starts=ETHERNET,
    variants=[
        (ipv4(17, b"Hi", NOPS), {"options": NOPS, "payload": b"Hi"}),
        (ipv4(17, b"Hi") + bytes(24), {"options": b"", "payload": b"Hi"}),
        (ipv4(6, b"Hi", NOPS * 10) + b"\0", {"options": NOPS * 10, "payload": b"Hi"}),
        (ipv4(1, b"", fragment=0x2003), {"offset": 24, "flags": 1, "payload": b""}),
    ],
    made_by="ping",
    commands=[("alice", ["ping", "-c", "2", "-i", "0.2", "127.0.0.1"])],
    shown={r"lo 127\.0\.0\.1 -> 127\.0\.0\.1 icmp, 84 bytes, .*": 4},
)
HTTP = Traffic(
    frame=TO_ALICE + b"\x08\x00" + ipv4(6, GET),
    line="eth0 192.0.2.2:8000 -> 192.0.2.1:51518 PSH+ACK, seq 1, ack 2, window 256, "
    "12 bytes, options [nop, nop, nop, end]",
    starts=ETHERNET,
    variants=[
        (ipv4(6, tcp(b"Hi"), NOPS), {"payload": b"Hi", "options": ()}),
        (
            ipv4(6, tcp(b"Hi", b"\2\4\5\264")),
            {"payload": b"Hi", "options": ((2, b"\5\264"),)},
        ),
        (ipv4(6, tcp(b"")) + bytes(6), {"payload": b"", "options": ()}),
    ],
    made_by="curl",
    commands=[("alice", [sys.executable, "-c", REQUEST])],
    shown={
        r"lo 127\.0\.0\.1:\d+ -> 127\.0\.0\.1:8000 SYN, .*": 1,
        r"lo 127\.0\.0\.1:8000 -> 127\.0\.0\.1:\d+ SYN\+ACK, .*": 1,
        r" +b'GET / HTTP/1\.1.*": 1,
        r" +b'HTTP/1\.0 200 OK.*": 1,
    },
)
ASK = Traffic(
    # An operation that no client asks for, to be told from real traffic.
    frame=TO_ALICE + b"\x08\x06" + ARP[:7] + b"\x08" + ARP[8:],
    line="eth0 02:00:00:00:00:02 -> 02:00:00:00:00:01 "
    "operation 8: 192.0.2.2 is at 02:00:00:00:00:02",
    starts=0,
    variants=[
        (TO_ALICE + b"\x08\x06" + ARP + bytes(18), {"vlans": (), "operation": 2}),
        (TO_ALICE + TAG + b"\x08\x06" + ARP, {"vlans": (5,), "operation": 2}),
        (TO_ALICE + b"\x88\xa8\0\7" + TAG + b"\x08\x06" + ARP, {"vlans": (7, 5)}),
    ],
    made_by="arping",
    commands=[
        ("alice", ["arping", "-c", "1", "-I", "eth0", "bob"]),
        ("bob", ["arping", "-c", "1", "-I", "eth0", "alice"]),
    ],
    shown={
        # Her own request and her own reply go to no socket for ETH_P_ARP.
        r".* reply: 192\.0\.2\.2 is at 02:00:00:00:00:02": 1,
        r".* request: who has 192\.0\.2\.1\? tell 192\.0\.2\.2 at 02:00:00:00:00:02": 1,
    },
)
# What nobody should send. Some of it is IPv4 and ARP, some is whole and short of TCP.
ODD_PACKETS = [
    b"",
    b"\x45",
    ipv4(6, b"")[:19],
    ipv4(6, b""),
    ipv4(6, tcp(b"")[:19]),
    ipv4(6, tcp(b"", b"\2\0\0\0")),
    ipv4(6, tcp(b"", b"\2\377\0\0")),
    ipv4(6, tcp(b"", b"\2\4\0")),
    ipv4(6, b"\xff" * 20),
    ipv4(6, CONTROL * 3, fragment=0x2001),
    ipv4(255, CONTROL),
    ipv4(17, b"")[:8] + bytes(4),
    b"\x40" + ipv4(17, b"Hi")[1:],
    b"\x4f" + ipv4(17, b"Hi")[1:],
    ipv4(17, b"Hi")[:2] + b"\xff\xff" + ipv4(17, b"Hi")[4:],
    bytes.fromhex("6000000000003b40") + bytes(32),
    ARP[:27],
    b"\0\6" + ARP[2:],
    b"\xff" * 60,
]
ODD_FRAMES = [
    TO_ALICE + kind + packet
    for packet in ODD_PACKETS
    for kind in (b"\x08\x00", b"\x08\x06", b"\x86\xdd", TAG + b"\x08\x00", TAG + TAG)
]


class Anywhere(Tcp):
    """A sniffer is told no place, and says only on which interface it listens."""

    def anywhere(self) -> list[str]:
        """Return nothing."""
        return []

    def find(self, where: str, folder: Path) -> Address:  # noqa: ARG002
        """Return the interface in place of a host."""
        return where, 0


class SnifferContract:
    """The checks for every sniffer."""

    contract = "sniffer"
    snippet = ""
    traffic: Traffic
    patience = 10.0  # seconds for what must happen
    ends_within = 1.0  # seconds

    # Each run tries the same.
    any_bytes = settings(
        max_examples=200,
        deadline=None,
        derandomize=True,
        database=None,
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )

    def parse(self, data: bytes) -> Any:
        """Return what the parser makes of *data*."""
        return load(self.snippet).parse(data)

    def attempt(self, data: bytes) -> None:
        """Fail unless *data* gives a result or ValueError."""
        try:
            self.parse(data)
        except ValueError as error:
            if not str(error).isprintable():
                raise AssertionError(f"not printable: {str(error)!r}") from error
        except Exception as error:
            raise AssertionError(f"{error!r} for {data.hex()}") from error

    @contextlib.contextmanager
    def sandbox(self) -> Iterator[Sandbox]:
        """Provide alice and bob, or skip and say what is missing."""
        lack = missing({self.traffic.made_by, "setpriv"})
        if lack:
            pytest.skip(lack)
        with contextlib.ExitStack() as stack:
            try:
                sandbox = stack.enter_context(Sandbox(("alice", "bob")))
            except SandboxError as error:
                pytest.skip(str(error))
            yield sandbox

    @contextlib.contextmanager
    def sniffing(self, *arguments: str) -> Iterator[tuple[Sandbox, Server]]:
        """Run the sniffer on alice."""
        with self.sandbox() as sandbox:
            prefix = sandbox.command("alice", [])
            server = Server(
                self.snippet, *arguments, transport=Anywhere(), prefix=prefix
            )
            with server:
                yield sandbox, server

    def send(self, sandbox: Sandbox, *frames: bytes) -> None:
        """Send *frames* from bob."""
        told = [frame.hex() for frame in frames]
        done = sandbox.run("bob", sys.executable, "-c", SEND, *told)
        if done.returncode:
            raise AssertionError(f"nothing is sent: {done.stderr}")

    def lines_until_marker(self, sandbox: Sandbox, server: Server) -> list[str]:
        """Send the recorded frame; return all lines until it is shown, and that one."""
        self.send(sandbox, self.traffic.frame)
        return self.lines_until_shown(server)

    def lines_until_shown(self, server: Server) -> list[str]:
        """Return all lines until the recorded frame is shown, and that one."""
        deadline = time.monotonic() + self.patience
        while True:
            alive = server.is_alive()
            # The kernel's newline only: a terminal takes other characters for one.
            shown = server.stdout.split("\n")[1:-1]
            if self.traffic.line in shown:
                return shown
            if not alive:
                raise AssertionError("the sniffer has ended")
            if time.monotonic() > deadline:
                raise AssertionError(f"not shown: {self.traffic.line}")
            time.sleep(0.005)

    def make_traffic(self, sandbox: Sandbox) -> None:
        """Make what a real client makes."""
        for host, argv in self.traffic.commands:
            done = sandbox.run(host, *argv)
            if done.returncode:
                raise AssertionError(f"{argv}: {done.stdout}{done.stderr}")

    def ended(
        self, *arguments: str, prefix: Sequence[str] = ()
    ) -> subprocess.CompletedProcess[str]:
        """Run the sniffer on alice to its end."""
        line = [*prefix, *command(self.snippet, *arguments)]
        with self.sandbox() as sandbox:
            return subprocess.run(
                sandbox.command("alice", ["timeout", f"{self.patience:g}", *line]),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                env=environment(),
                text=True,
                timeout=self.patience + DEADLINE,
                check=False,
            )

    def refused(self, *arguments: str, prefix: Sequence[str] = ()) -> str:
        """Return the one line with which the sniffer refuses to start, status 1."""
        done = self.ended(*arguments, prefix=prefix)
        found = (done.returncode, done.stdout, done.stderr.count("\n"))
        if found != (1, "", 1):
            raise AssertionError(f"not one line and status 1: {found} {done.stderr}")
        return done.stderr

    def check_ends(self, signum: signal.Signals) -> None:
        """Fail unless *signum* ends it quietly."""
        with self.sniffing() as (sandbox, server):
            self.lines_until_marker(sandbox, server)
            leaf = psutil.Process(server.pid).children(recursive=True)[-1]
            leaf.send_signal(signum)
            _, alive = psutil.wait_procs([leaf], self.ends_within)
            if alive:
                raise AssertionError(
                    f"it still runs {self.ends_within:g} s after {signum.name}"
                )
            ended = server.stop(signal.SIGCONT)
            if (ended.status, ended.stderr) != (0, ""):
                raise AssertionError(f"exit status {ended.status}: {ended.stderr}")

    def test_any_bytes(self) -> None:
        """Any bytes at all give a result or ValueError."""
        packet = self.traffic.packet

        @self.any_bytes
        @given(st.binary(max_size=100))
        def anything(data: bytes) -> None:
            self.attempt(data)

        @self.any_bytes
        @given(st.integers(0, len(packet) - 1), st.binary(min_size=1, max_size=8))
        def almost_right(at: int, patch: bytes) -> None:
            self.attempt(packet[:at] + patch + packet[at + len(patch) :])

        anything()
        almost_right()

    def test_cut_short(self) -> None:
        """A packet that is cut anywhere is refused, and the lengths are told."""
        packet = self.traffic.packet
        self.parse(packet)
        for size in range(len(packet)):
            try:
                result = self.parse(packet[:size])
            except ValueError as error:
                if not re.search(r"\d", str(error)):
                    raise AssertionError(f"no length is told: {error}") from error
            else:
                raise AssertionError(f"{size} of {len(packet)} bytes gave {result}")

    def test_lengths(self) -> None:
        """Lengths in headers are honoured: options, padding, tags."""
        for data, expected in self.traffic.variants:
            result = self.parse(data)
            found = {name: getattr(result, name) for name in expected}
            if expected != found:
                raise AssertionError(f"{found} instead of {expected}")

    def test_real_traffic(self) -> None:
        """Traffic of a real client is shown, each packet once."""
        with self.sniffing() as (sandbox, server):
            self.make_traffic(sandbox)
            lines = self.lines_until_marker(sandbox, server)
            lines = lines[: lines.index(self.traffic.line)]
            for pattern, times in self.traffic.shown.items():
                found = [line for line in lines if re.fullmatch(pattern, line)]
                if len(found) != times:
                    all_lines = "\n".join(lines)
                    raise AssertionError(
                        f"{len(found)} lines, not {times}, are {pattern}\n{all_lines}"
                    )

    def test_tagged(self) -> None:
        """A packet in a VLAN-tagged frame, padded, is shown as any other."""
        frame = self.traffic.frame
        tagged = (frame[:12] + TAG + frame[12:]).ljust(60, b"\0")
        with self.sniffing() as (sandbox, server):
            self.send(sandbox, tagged)
            self.lines_until_shown(server)

    def wait(self, server: Server) -> str:
        """Return what it printed until it ended by itself, quietly."""
        deadline = time.monotonic() + self.patience
        while server.is_alive():
            if time.monotonic() > deadline:
                raise AssertionError(f"it still runs after {self.patience:g} s")
            time.sleep(0.005)
        ended = server.stop(signal.SIGCONT)
        if (ended.status, ended.stderr) != (0, ""):
            raise AssertionError(f"exit status {ended.status}: {ended.stderr}")
        return ended.stdout

    def test_count(self) -> None:
        """--count N ends it after N packets."""
        with self.sniffing("--count", "2") as (sandbox, server):
            self.send(sandbox, *[self.traffic.frame] * 5)
            shown = self.wait(server).split("\n")
            count = sum(line.startswith("eth0 ") for line in shown)
            if count != 2:
                raise AssertionError(f"{count} packets instead of 2")

    def test_interface(self) -> None:
        """--interface leaves out what passes another one."""
        with self.sniffing("--interface", "eth0") as (sandbox, server):
            self.make_traffic(sandbox)
            lines = self.lines_until_marker(sandbox, server)
            others = [line for line in lines if line.startswith("lo ")]
            if others:
                raise AssertionError(f"of another interface: {others[0]}")

    def test_odd_frames(self) -> None:
        """Short, long, tagged, IPv6 and senseless frames end nothing."""
        with self.sniffing() as (sandbox, server):
            self.send(sandbox, *ODD_FRAMES)
            self.lines_until_marker(sandbox, server)
            if server.stderr:
                raise AssertionError(f"on stderr: {server.stderr}")

    def test_printable(self) -> None:
        """No control character from the network reaches the terminal."""
        with self.sniffing() as (sandbox, server):
            self.send(sandbox, *ODD_FRAMES)
            lines = self.lines_until_marker(sandbox, server)
            raw = [line for line in lines if not line.isprintable()]
            if raw:
                raise AssertionError(f"not printable: {raw[0]!r}")

    def test_idle(self) -> None:
        """Without traffic it takes no CPU time."""
        with self.sniffing() as (sandbox, server):
            self.lines_until_marker(sandbox, server)
            leaf = psutil.Process(server.pid).children(recursive=True)[-1]
            before = leaf.cpu_times()
            deadline = time.monotonic() + 0.5
            while time.monotonic() < deadline:  # what is measured is that time itself
                after = leaf.cpu_times()
                spent = after.user + after.system - before.user - before.system
                if spent >= 0.05:
                    raise AssertionError(f"not idle: {spent:.2f} s of CPU time")
                time.sleep(0.05)

    def test_no_capability(self) -> None:
        """Without CAP_NET_RAW: one line that names it and says how to get it."""
        told = self.refused(prefix=["setpriv", "--bounding-set=-net_raw"])
        for word in ("CAP_NET_RAW", "sudo", "setcap cap_net_raw+ep"):
            if word not in told:
                raise AssertionError(f"{word} is not in: {told}")

    def test_no_such_interface(self) -> None:
        """An interface that does not exist is one line and exit status 1."""
        told = self.refused("--interface", "none")
        if "No such device" not in told or "--interface" not in told:
            raise AssertionError(f"not said: {told}")

    def test_wrong_usage(self) -> None:
        """Wrong usage is exit status 2 and one line that names the option."""
        for arguments in (["--count", "0"], ["--count", "x"], ["--interface"]):
            done = self.ended(*arguments)
            last = (done.stderr.splitlines() or [""])[-1]
            if (done.returncode, done.stdout) != (2, "") or arguments[0] not in last:
                raise AssertionError(f"{arguments}: {done.returncode}, {done.stderr}")

    def test_ctrl_c(self) -> None:
        """Ctrl-C ends it quietly within a second."""
        self.check_ends(signal.SIGINT)

    def test_sigterm(self) -> None:
        """SIGTERM ends it quietly within a second."""
        self.check_ends(signal.SIGTERM)


def tcpdump(frames: Sequence[bytes], *options: str) -> list[str]:
    """Return what tcpdump says about recorded Ethernet *frames*, a text for each."""
    lack = missing({"tcpdump"})
    if lack:
        pytest.skip(lack)
    recording = struct.pack("=IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65_535, 1)
    for frame in frames:
        recording += struct.pack("=IIII", 0, 0, len(frame), len(frame)) + frame
    done = subprocess.run(
        [
            str(shutil.which("tcpdump", path=PATH)),
            "-n",
            "-t",
            "-v",
            *options,
            "-r",
            "-",
        ],
        input=recording,
        capture_output=True,
        timeout=DEADLINE,
        check=True,
    )
    texts = re.split(r"\n(?!\s)", done.stdout.decode().rstrip("\n"))
    assert len(frames) == len(texts), done.stdout
    return texts


@cache
def load(snippet: str) -> ModuleType:
    """Return the module of *snippet*, which is a path below ``snippets/``."""
    path = SNIPPETS / f"{snippet}.py"
    spec = importlib.util.spec_from_file_location(f"sniffer_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # a dataclass looks itself up there
    spec.loader.exec_module(module)
    return module


def contract(snippet: str, traffic: Traffic) -> type[SnifferContract]:
    """Return the checks for *snippet*, which is about *traffic*."""
    members = {
        "snippet": snippet,
        "traffic": traffic,
        "pytestmark": [pytest.mark.linux],
    }
    return type("Sniffer", (SnifferContract,), members)
