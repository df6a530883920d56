"""Runs a server and its load, each on a processor of its own, and measures both.

The programs in C are compiled at the time of the benchmark.
"""

import contextlib
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.frame import DEADLINE, ROOT

PROGRAMS = Path(__file__).parent / "programs"
SNIPPETS = ROOT / "snippets"
CPUS = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else [0]
SERVER_CPU, LOAD_CPU = CPUS[0], CPUS[-1]
SAME_CPU = "the server and its load shared one processor; " if len(CPUS) < 2 else ""


class NotMeasured(Exception):
    """Something is missing here; says what, and what to do."""


def compiled(name: str, folder: Path, *options: str) -> Path:
    """Compile programs/*name*.c into *folder*. Raises NotMeasured where it cannot."""
    compiler = shutil.which("cc")
    if not compiler:
        raise NotMeasured("there is no C compiler: install Debian's gcc and libc6-dev")
    program = folder / "-".join([name, *(o.strip("-") for o in options)])
    source = PROGRAMS / f"{name}.c"
    done = subprocess.run(
        [compiler, "-O2", "-Wall", "-o", str(program), str(source), *options],
        capture_output=True,
        check=False,
        text=True,
        timeout=DEADLINE,
    )
    if done.returncode:
        why = next((x for x in done.stderr.splitlines() if "error" in x), "it fails")
        raise NotMeasured(f"{source.name} cannot be compiled here: {why}")
    return program


@contextlib.contextmanager
def running(command: Sequence[str | Path], cpu: int) -> Iterator[subprocess.Popen[str]]:
    """Run *command* on processor *cpu* until the ``with`` block is left."""
    pin = ["taskset", "--cpu-list", str(cpu)] if shutil.which("taskset") else []
    with subprocess.Popen(
        [*pin, *command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        alarm = threading.Timer(DEADLINE * 5, process.kill)  # ends what hangs
        alarm.start()
        try:
            yield process
        finally:
            alarm.cancel()
            process.kill()


def line(process: subprocess.Popen[str]) -> str:
    """Return the next line that *process* prints. Raises EOFError if it has ended."""
    assert process.stdout is not None
    if said := process.stdout.readline():
        return said.strip()
    raise EOFError(f"{process.args!r} has ended")


def cpu_seconds(process: subprocess.Popen[str]) -> float:
    """Return the seconds of processor time of *process*, all threads together.

    The clock of another process, as ``man 3 clock_getcpuclockid`` makes it on Linux.
    """
    return time.clock_gettime(~process.pid << 3 | 2)


def private_bytes(process: subprocess.Popen[str]) -> int:
    """Return the memory that is *process*'s alone (``man 5 proc_pid_smaps``)."""
    rollup = Path(f"/proc/{process.pid}/smaps_rollup").read_text(encoding="utf-8")
    fields = dict(row.split(":", 1) for row in rollup.splitlines()[1:])
    return sum(
        int(fields[name].split()[0]) * 1024
        for name in ("Private_Clean", "Private_Dirty")
    )


@dataclass(frozen=True)
class Run:
    """What one run of a load gave."""

    messages: int
    seconds: float
    server_cpu: float  # seconds
    load_cpu: float  # seconds

    @property
    def rate(self) -> float:
        """Messages a second."""
        return self.messages / self.seconds

    @property
    def efficiency(self) -> float:
        """Messages for each second of the server's processor time."""
        return self.messages / self.server_cpu


@contextlib.contextmanager
def loaded(
    server: subprocess.Popen[str],
    load: Path,
    port: str,
    *,
    active: int,
    idle: int = 0,
    size: int = 64,
) -> Iterator[Callable[[float], Run]]:
    """Open the connections; what is yielded runs the load for so many seconds."""
    command = [str(load), port, str(active), str(idle), str(size)]
    with running(command, LOAD_CPU) as process:
        assert process.stdin is not None
        if line(process) != "ready":
            raise EOFError("the load is not ready")

        def run(seconds: float) -> Run:
            assert process.stdin is not None
            before = cpu_seconds(server)
            process.stdin.write(f"{seconds * 1000:.0f}\n")
            process.stdin.flush()
            messages, passed, load_cpu = line(process).split()
            used = cpu_seconds(server) - before
            return Run(int(messages), float(passed), used, float(load_cpu))

        yield run
