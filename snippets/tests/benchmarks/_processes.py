"""Servers and loads as processes of their own, each on its processor.

What a server costs is told by the kernel's own clock of its process, in nanoseconds,
with all its threads; the load runs on another processor, where there is one.
"""

import contextlib
import os
import platform
import selectors
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache, partial
from pathlib import Path

from benchmarks.frame import DEADLINE, ROOT, interleaved

SNIPPETS = ROOT / "snippets"
PROGRAMS = Path(__file__).resolve().parent / "programs"
STARTS_WITHIN = 10.0  # seconds until a server must say that it listens
ONE_PROCESSOR = "Server and load shared one processor."

Command = Sequence[str | Path]
Run = Callable[[], tuple[float, float]]


def lacks(name: str, *programs: str) -> bool:
    """Tell whether *name* cannot be measured here, and print why.

    *programs* are what it needs: a command, with its Debian package after a colon.
    """
    if platform.system() != "Linux":
        print(f"not measured: {name}, it needs Linux")
        return True
    for entry in programs:
        program, _, package = entry.partition(":")
        if not shutil.which(program):
            print(f"not measured: {name}, {program} is missing (Debian: {package})")
            return True
    return False


def compiled(source: str, folder: Path, *options: str) -> Path:
    """Compile the C program *source* of ``programs`` into *folder*.

    Raises subprocess.CalledProcessError where the compiler refuses it.
    """
    program = folder / "".join([Path(source).stem, *options])
    subprocess.run(
        ["cc", "-O2", "-Wall", "-o", program, PROGRAMS / source, *options],  # noqa: S607
        check=True,
        stderr=subprocess.DEVNULL if options else None,  # a library may be missing
        timeout=DEADLINE,
    )
    return program


@cache
def processors() -> tuple[int, int]:
    """Return a processor for the server, and one for the load: the same, if need be.

    Asked once, before anything is kept on one of them.
    """
    usable = sorted(os.sched_getaffinity(0))
    return usable[-1], usable[0]


def placement() -> str:
    """Return what a reader must know of the processors; mostly nothing."""
    server, load = processors()
    return ONE_PROCESSOR if server == load else ""


@contextlib.contextmanager
def kept_on(processor: int) -> Iterator[None]:
    """Keep this thread, and what it starts, on *processor* for a ``with`` block."""
    processors()  # which asks what this thread may use
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {processor})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


class Server:
    """A process that prints ``listening on ...``, on a processor of its own.

    *where* is what it said after that. It is killed and reaped at the end of the
    ``with`` block. *folder* is its current one.
    """

    def __init__(self, process: subprocess.Popen[str], where: str) -> None:
        self.process = process
        self.where = where

    @property
    def port(self) -> str:
        """Return the number after the last colon of where it listens."""
        return self.where.rpartition(":")[2]

    def cpu(self) -> float:
        """Return the seconds for which its threads have run until now.

        The number of the clock is made as ``clock_getcpuclockid`` makes it.
        """
        return time.clock_gettime((~self.process.pid << 3) | 2)


@contextlib.contextmanager
def serving(command: Command, folder: Path) -> Iterator[Server]:
    """Run a server for the time of a ``with`` block.

    Raises RuntimeError where it does not say in time that it listens.
    """
    log = folder / "log"
    with log.open("wb") as stderr, kept_on(processors()[0]):
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=stderr, cwd=folder, text=True
        )
    with process:
        try:
            assert process.stdout is not None
            with selectors.DefaultSelector() as selector:
                selector.register(process.stdout, selectors.EVENT_READ)
                ready = selector.select(STARTS_WITHIN)
            line = process.stdout.readline() if ready else ""
            if not line.startswith("listening on "):
                said = log.read_text(encoding="utf-8", errors="replace")
                raise RuntimeError(f"{command} does not listen: {line}{said}")
            yield Server(process, line.removeprefix("listening on ").strip())
        finally:
            process.kill()


def output(command: Command) -> str:
    """Return what a load, run to its end on its processor, prints."""
    with kept_on(processors()[1]):
        done = subprocess.run(
            command, stdout=subprocess.PIPE, check=True, text=True, timeout=DEADLINE
        )
    return done.stdout


def python(path: Path, *arguments: str) -> Command:
    """Return the command that runs the Python program at *path*."""
    return [sys.executable, path, *arguments]


def interleaved_pairs(
    runs: Mapping[str, Run], repeats: int
) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    """Do what ``interleaved`` does for *runs* that give two values each."""
    seconds: dict[str, list[float]] = {label: [] for label in runs}

    def first(label: str) -> float:
        value, other = runs[label]()
        seconds[label].append(other)
        return value

    firsts = interleaved({label: partial(first, label) for label in runs}, repeats)
    return firsts, {label: values[1:] for label, values in seconds.items()}


@contextlib.contextmanager
def workplace() -> Iterator[Path]:
    """Give a folder for programs and sockets, and take it away again.

    SIGTERM ends the block as Ctrl-C does, so that no process is left behind.
    """
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with tempfile.TemporaryDirectory(prefix="bench-") as folder:
            yield Path(folder)
    finally:
        signal.signal(signal.SIGTERM, before)
