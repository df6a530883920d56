"""What the echo servers cost: processor time a message, rate, and memory a connection.

All servers run at once and wait; each repeat puts the load to one after the other.
"""

import contextlib
import itertools
import resource
import statistics
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from benchmarks._processes import (
    PROGRAMS,
    SNIPPETS,
    Command,
    Server,
    compiled,
    lacks,
    placement,
    python,
    serving,
    workplace,
)
from benchmarks._serving import Run, loaded
from benchmarks.frame import Figure, interleaved
from benchmarks.tls import make_certificate

SIZES = (64, 16_384)  # bytes of a message
ACTIVE = (1, 10, 100, 1000)  # connections, all of them active
IDLE = (0, 100, 1000, 5000)  # connections, beside TEN that are active
TEN = 10
SELECT_MOST = 1010  # connections: descriptors below 1,024

ALL_THE_TIME = 0.95  # busy for that share of the time, the load is what limits

Turn = Callable[[float], Run]

UVLOOP = "uvloop Protocol"
BARE = "bare epoll loop"  # which no client can be let near
TLS = "tls_selectors_server.py"
SELECT = "select_server.py"
SNIPPETS_TOO = ("selectors_server.py", "poll_server.py", SELECT, "thread_server.py")
IDLE_LABELS = (
    *("epoll_server.py", "selectors_server.py", "poll_server.py", SELECT),
    *("asyncio Protocol", "C epoll"),
)
FRESH_LABELS = (
    *("epoll_server.py", BARE, UVLOOP, "asyncio Protocol", "asyncio streams"),
    "C epoll",
)


@dataclass(frozen=True)
class Pace:
    """How often each server is loaded, and for how many seconds each time."""

    repeats: int
    seconds: float


@dataclass(frozen=True)
class Measured:
    """A server that waits, and what loads it."""

    label: str
    server: Server
    load: Path

    def loaded(
        self, active: int, idle: int = 0, size: int = 64
    ) -> AbstractContextManager[Turn]:
        """Open connections to it, as ``_serving.loaded`` does."""
        return loaded(self.server, self.load, active=active, idle=idle, size=size)

    def private_bytes(self) -> int:
        """Return the memory that is this process's alone (``man 5 proc_pid_smaps``)."""
        path = Path(f"/proc/{self.server.process.pid}/smaps_rollup")
        rows = path.read_text(encoding="utf-8").splitlines()[1:]
        fields = dict(row.split(":", 1) for row in rows)
        names = ("Private_Clean", "Private_Dirty")
        return sum(int(fields[name].split()[0]) * 1024 for name in names)


def commands(folder: Path) -> dict[str, tuple[Command, Path]]:
    """Return for each label the command of the server, and its load.

    The first is what the others are compared with.
    """
    load = compiled("load.c", folder)
    others = {
        BARE: "bare-epoll",
        UVLOOP: "uvloop-protocol",
        "asyncio Protocol": "asyncio-protocol",
        "asyncio streams": "asyncio-streams",
        "socketserver.ThreadingTCPServer": "socketserver",
    }
    if not find_spec("uvloop"):
        del others[UVLOOP]
        print(f"not measured: {UVLOOP}, there is no uvloop: pip install uvloop")
    found: dict[str, tuple[Command, Path]] = {
        "epoll_server.py": (snippet("epoll_server.py"), load)
    }
    for label, name in others.items():
        found[label] = python(PROGRAMS / "echo_server.py", name), load
    found["C epoll"] = [compiled("epoll_echo.c", folder)], load
    for label in SNIPPETS_TOO:
        found[label] = snippet(label), load
    try:
        load_tls = compiled("load.c", folder, "-DWITH_TLS", "-lssl", "-lcrypto")
    except subprocess.CalledProcessError:
        print(f"not measured: {TLS}, its load needs Debian's libssl-dev")
    else:
        make_certificate(folder)
        found[TLS] = snippet(TLS), load_tls
    return found


def snippet(name: str) -> Command:
    """Return the command of a server among the snippets."""
    return python(SNIPPETS / name, "--port=0")


@contextlib.contextmanager
def started(
    folder: Path, servers: Mapping[str, tuple[Command, Path]]
) -> Iterator[list[Measured]]:
    """Run *servers*, as ``commands`` has them, until the ``with`` block is left."""
    with contextlib.ExitStack() as stack:
        yield [
            Measured(label, stack.enter_context(serving(command, folder)), load)
            for label, (command, load) in servers.items()
        ]


@dataclass(frozen=True)
class Load:
    """A server, and the connections that load it."""

    measured: Measured
    active: int
    idle: int
    size: int  # bytes


def runs(loads: Sequence[Load], pace: Pace) -> list[list[Run]]:
    """Return for each of *loads* what its runs gave, taken in turn."""
    kept: list[list[Run]] = [[] for _ in loads]
    turns: dict[str, Callable[[], float]] = {}
    with contextlib.ExitStack() as stack:
        for number, load in enumerate(loads):
            run = stack.enter_context(
                load.measured.loaded(load.active, load.idle, load.size)
            )

            def turn(number: int = number, run: Turn = run) -> float:
                kept[number].append(run(pace.seconds))
                return kept[number][-1].efficiency

            turns[str(number)] = turn
        interleaved(turns, pace.repeats)
    return [found[1:] for found in kept]  # the first warms up


def of_each(
    servers: list[Measured], active: int, size: int, pace: Pace
) -> dict[str, list[Run]]:
    """Return for each label what its runs gave, with *active* connections each."""
    loads = [Load(server, active, 0, size) for server in servers]
    return dict(zip((s.label for s in servers), runs(loads, pace), strict=True))


def how_busy(found: dict[str, list[Run]], which: str) -> str:
    """Return a note on how busy the load was: where it is the limit, which servers.

    *which* are the connections that this is about.
    """

    def share(label: str, kind: str) -> float:
        shares = [float(getattr(run, kind)) / run.seconds for run in found[label]]
        return statistics.median(shares)

    busiest = max(found, key=lambda label: share(label, "load_cpu"))
    limited = [label for label in found if share(label, "load_cpu") >= ALL_THE_TIME]
    note = (
        f"With {which} the load was busy for at most"
        f" {share(busiest, 'load_cpu'):.0%} of the time ({busiest})."
    )
    if limited:
        note += f" It was the limit of {', '.join(limited)}, which can do more."
    return f"{note} {placement()}".strip()


def measure(quick: bool) -> list[Figure]:
    """Return messages per processor second and per second, and memory a connection."""
    if lacks("echo servers", "cc:gcc", "openssl:openssl"):
        return []
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit[1], limit[1]))
    try:
        with workplace() as folder:
            return figures(folder, quick)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limit)


def figures(folder: Path, quick: bool) -> list[Figure]:
    """Return all figures; the servers of each kind of figure are started anew."""
    pace = Pace(1, 0.02) if quick else Pace(11, 0.15)
    servers = commands(folder)
    few = {label: servers[label] for label in IDLE_LABELS if label in servers}
    others = {label: servers[label] for label in FRESH_LABELS if label in servers}
    servers.pop(BARE, None)
    with started(folder, servers) as measured:
        visit(measured)
        found = echoes(measured, pace, ACTIVE[:2] if quick else ACTIVE)
    found += among_idle(folder, few, pace, IDLE[:2] if quick else IDLE)
    with started(folder, others) as measured:
        found.append(fresh(measured, pace, 10 if quick else 1000))
    connections = 100 if quick else 1000
    costs = [memory(folder, servers, connections) for _ in range(1 if quick else 3)]
    series = {
        label: [cost[label] for cost in costs]
        for label in servers
        if all(label in cost for cost in costs)
    }
    note = f"{connections:,} connections, to a server that has had one before."
    found.append(Figure("echo-memory", "KiB a connection", series, note=note))
    return found


def visit(servers: list[Measured]) -> None:
    """Connect to each of *servers*, and leave.

    CPython's asyncio asks ``recv`` for 256 KiB. glibc maps memory for each call, and
    unmaps it, until so large a piece has been freed whole, as when a client leaves.
    """
    for server in servers:
        with server.loaded(active=0, idle=1):
            pass


def echoes(servers: list[Measured], pace: Pace, active: Sequence[int]) -> list[Figure]:
    """Return the figures of connections that are all active."""
    figures = []
    for size, count in itertools.product(SIZES, active):
        found = of_each(servers, count, size, pace)
        note = how_busy(found, f"{count:,} active")
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


def fresh(servers: list[Measured], pace: Pace, active: int) -> Figure:
    """Return the figure of servers that no client has left before: see ``visit``."""
    found = of_each(servers, active, SIZES[0], pace)
    series = {
        label: [run.efficiency for run in taken] for label, taken in found.items()
    }
    note = f"{active} active connections, 64 bytes, and no client has left before"
    return Figure("echo-fresh", "messages per CPU second", series, note=note)


def among_idle(
    folder: Path,
    servers: Mapping[str, tuple[Command, Path]],
    pace: Pace,
    idle: Sequence[int],
) -> list[Figure]:
    """Return the figures of ten active connections among many that are idle.

    There is a server for each number of idle ones, and all are measured in turn, so
    that these numbers can be compared, too.
    """
    with contextlib.ExitStack() as stack:
        loads = []
        for count in idle:
            measured = stack.enter_context(started(folder, servers))
            visit(measured)
            loads += [
                Load(server, TEN, count, SIZES[0])
                for server in measured
                if server.label != SELECT or TEN + count <= SELECT_MOST
            ]
        taken = runs(loads, pace)
    figures = []
    for count in idle:
        found = {
            load.measured.label: of_load
            for load, of_load in zip(loads, taken, strict=True)
            if load.idle == count
        }
        series = {
            label: [1e6 / run.efficiency for run in of_load]
            for label, of_load in found.items()
        }
        unit, at = "CPU µs per message", f"idle-at-{count}"
        note = how_busy(found, f"{count:,} idle")
        figures.append(Figure(at, unit, series, plot="idle", x=count, note=note))
    return figures


def memory(
    folder: Path, servers: Mapping[str, tuple[Command, Path]], connections: int
) -> dict[str, float]:
    """Return the KiB that a connection costs each server, newly started.

    Each has echoed one byte. What the kernel keeps for a socket, or a thread, is not
    in it. The kernel counts pages: with few connections it may count none, and the
    server is left out.
    """
    costs = {}
    with started(folder, servers) as measured:
        for server in measured:
            with server.loaded(active=0, idle=1):
                before = server.private_bytes()  # what is made once is made
            with server.loaded(active=0, idle=connections):
                cost = server.private_bytes() - before
            if cost > 0:
                costs[server.label] = cost / connections / 1024
    return costs
