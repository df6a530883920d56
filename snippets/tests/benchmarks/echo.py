"""What the echo servers cost: processor time a message, rate, and memory a connection.

All servers run at once and wait; each repeat puts the load to one after the other.
"""

import contextlib
import itertools
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from subprocess import Popen

from benchmarks._serving import (
    PROGRAMS,
    SAME_CPU,
    SERVER_CPU,
    SNIPPETS,
    NotMeasured,
    Run,
    compiled,
    line,
    loaded,
    private_bytes,
    running,
)
from benchmarks.frame import DEADLINE, Figure, interleaved

SIZES = (64, 16_384)  # bytes of a message
ACTIVE = (1, 10, 100, 1000)  # connections, all of them active
IDLE = (0, 100, 1000, 5000)  # connections, beside TEN that are active
TEN = 10
SELECT_MOST = 1000  # connections: descriptors below 1,024
REPEATS = 5
SECONDS = 0.12  # of load in one repeat

Turn = Callable[[float], Run]

UVLOOP = "uvloop Protocol"
TLS = "tls_selectors_server.py"
IDLE_LABELS = (
    *("epoll_server.py", "selectors_server.py", "poll_server.py", "select_server.py"),
    *("asyncio Protocol", "C epoll"),
)
FRESH_LABELS = (
    *("epoll_server.py", UVLOOP, "asyncio Protocol", "asyncio streams"),
    "C epoll",
)


@dataclass(frozen=True)
class Server:
    """A server that waits, and what loads it."""

    label: str
    process: Popen[str]
    port: str
    load: Path


def commands(folder: Path) -> dict[str, tuple[Sequence[str | Path], Path]]:
    """Return for each label the command of the server, and its load.

    Raises NotMeasured where the load cannot be made. The first is what the others are
    compared with.
    """
    load = compiled("load", folder)
    found: dict[str, tuple[Sequence[str | Path], Path]] = {}

    def snippet(name: str, load: Path, *options: str) -> None:
        script = SNIPPETS / f"{name}.py"
        found[script.name] = [sys.executable, script, "--port", "0", *options], load

    def other(label: str, name: str) -> None:
        found[label] = [sys.executable, PROGRAMS / "echo_server.py", name], load

    snippet("epoll_server", load)
    if find_spec("uvloop"):
        other(UVLOOP, "uvloop-protocol")
    else:
        print(f"not measured: {UVLOOP}, there is no uvloop: pip install uvloop")
    other("asyncio Protocol", "asyncio-protocol")
    other("asyncio streams", "asyncio-streams")
    found["C epoll"] = [compiled("epoll_echo", folder)], load
    for name in ("selectors_server", "poll_server", "select_server", "thread_server"):
        snippet(name, load)
    other("socketserver.ThreadingTCPServer", "socketserver")
    try:
        load_tls = compiled("load", folder, "-DWITH_TLS", "-lssl", "-lcrypto")
        cert, key = certificate(folder)
    except NotMeasured as why:
        print(f"not measured: {TLS}, {why}")
    else:
        snippet("tls_selectors_server", load_tls, "--cert", cert, "--key", key)
    return found


def certificate(folder: Path) -> tuple[str, str]:
    """Make a key and its certificate in *folder*; return their paths."""
    if not shutil.which("openssl"):
        raise NotMeasured("openssl is missing: install Debian's openssl")
    cert, key = str(folder / "cert.pem"), str(folder / "key.pem")
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-noenc", "-days", "2"),
            *("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"),
            *("-subj", "/CN=localhost", "-keyout", key, "-out", cert),
        ],
        check=True,
        capture_output=True,
        timeout=DEADLINE,
    )
    return cert, key


@contextlib.contextmanager
def started(folder: Path, labels: Collection[str] = ()) -> Iterator[list[Server]]:
    """Run all servers, or those of *labels*, until the ``with`` block is left."""
    with contextlib.ExitStack() as stack:
        servers = []
        for label, (command, load) in commands(folder).items():
            if not labels or label in labels:
                process = stack.enter_context(running(command, SERVER_CPU))
                port = line(process).rpartition(":")[2]
                servers.append(Server(label, process, port, load))
        yield servers


def runs(
    servers: list[Server], active: int, idle: int, size: int, repeats: int
) -> dict[str, list[Run]]:
    """Return for each label what its runs gave, taken in turn.

    A server that cannot have so many connections is left out.
    """
    kept: dict[str, list[Run]] = {server.label: [] for server in servers}
    with contextlib.ExitStack() as stack:
        turns: dict[str, Callable[[], float]] = {}
        for server in servers:
            if server.label == "select_server.py" and active + idle > SELECT_MOST:
                continue
            run = stack.enter_context(
                loaded(
                    *(server.process, server.load, server.port),
                    active=active,
                    idle=idle,
                    size=size,
                )
            )

            def turn(label: str = server.label, run: Turn = run) -> float:
                kept[label].append(run(SECONDS))
                return kept[label][-1].efficiency

            turns[server.label] = turn
        interleaved(turns, repeats)
    return {label: found[1:] for label, found in kept.items() if found}


def busiest(found: dict[str, list[Run]]) -> str:
    """Return a note on how busy the load was: it is not to be what limits."""
    shares = {
        label: statistics.median(run.load_cpu / run.seconds for run in taken)
        for label, taken in found.items()
    }
    label = max(shares, key=lambda label: shares[label])
    servers = {
        label: statistics.median(run.server_cpu / run.seconds for run in taken)
        for label, taken in found.items()
    }
    idlest = min(servers, key=lambda label: servers[label])
    return (
        f"{SAME_CPU}the load was busy for at most {shares[label]:.0%} of the time"
        f" ({label}), the server for at least {servers[idlest]:.0%} ({idlest})"
    )


def measure(quick: bool) -> list[Figure]:
    """Return messages per processor second and per second, and memory a connection."""
    if sys.platform != "linux":
        print(
            "not measured: echo servers, their processor time is read as Linux has it"
        )
        return []
    repeats = 1 if quick else REPEATS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        with tempfile.TemporaryDirectory(prefix="echo-") as name:
            with started(Path(name)) as servers:
                visit(servers)
                figures = echoes(servers, repeats, ACTIVE[:2] if quick else ACTIVE)
            with started(Path(name), IDLE_LABELS) as servers:
                visit(servers)
                figures += among_idle(servers, repeats, IDLE[:2] if quick else IDLE)
            with started(Path(name), FRESH_LABELS) as servers:
                figures.append(fresh(servers, repeats, 10 if quick else 1000))
            return [*figures, memory(Path(name), 100 if quick else 1000)]
    except NotMeasured as why:
        print(f"not measured: echo servers, {why}")
        return []
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def visit(servers: list[Server]) -> None:
    """Connect to each of *servers*, and leave.

    CPython's asyncio asks ``recv`` for 256 KiB. glibc maps memory for each call, and
    unmaps it, until so large a piece has been freed whole, as when a client leaves.
    """
    for server in servers:
        with loaded(server.process, server.load, server.port, active=0, idle=1):
            pass


def echoes(servers: list[Server], repeats: int, active: Sequence[int]) -> list[Figure]:
    """Return the figures of connections that are all active."""
    figures = []
    for size, count in itertools.product(SIZES, active):
        found = runs(servers, count, 0, size, repeats)
        note = busiest(found)
        for kind, unit in (
            ("efficiency", "messages per CPU second"),
            ("rate", "messages/s"),
        ):
            plot = f"echo-{size}" if kind == "efficiency" else f"echo-{size}-rate"
            series = {
                label: [getattr(run, kind) for run in taken]
                for label, taken in found.items()
            }
            at = f"{plot}-at-{count}"
            figures.append(Figure(at, unit, series, plot=plot, x=count, note=note))
    return figures


def fresh(servers: list[Server], repeats: int, active: int) -> Figure:
    """Return the figure of servers that no client has left before: see ``visit``."""
    found = runs(servers, active, 0, SIZES[0], repeats)
    series = {
        label: [run.efficiency for run in taken] for label, taken in found.items()
    }
    note = f"{active} active connections, 64 bytes, and no client has left before"
    return Figure("echo-fresh", "messages per CPU second", series, note=note)


def among_idle(
    servers: list[Server], repeats: int, idle: Sequence[int]
) -> list[Figure]:
    """Return the figures of ten active connections among many that are idle."""
    figures = []
    for count in idle:
        found = runs(servers, TEN, count, SIZES[0], repeats)
        series = {
            label: [1e6 / run.efficiency for run in taken]
            for label, taken in found.items()
        }
        unit, at = "CPU µs per message", f"idle-at-{count}"
        note = busiest(found)
        figures.append(Figure(at, unit, series, plot="idle", x=count, note=note))
    return figures


def memory(folder: Path, connections: int) -> Figure:
    """Return the memory that a connection costs a server that has just started.

    Each has echoed one byte. What the kernel keeps for a socket is not in it.
    """
    series = {}
    with started(folder) as servers:
        for server in servers:
            place = server.process, server.load, server.port
            with loaded(*place, active=0, idle=1):
                before = private_bytes(server.process)  # what is made once is made
            with loaded(*place, active=0, idle=connections):
                cost = private_bytes(server.process) - before
            if cost > 0:  # the kernel counts pages: with few connections, none
                series[server.label] = [cost / connections / 1024]
    note = f"{connections} connections, to a server that has had one before"
    return Figure("echo-memory", "KiB a connection", series, note=note)
