"""A load of connections that stay open, for servers that are measured in turn.

The program in C opens them once; then each run is one line to it, and one from it.
"""

import contextlib
import selectors
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks._processes import Server, kept_on, processors
from benchmarks.frame import DEADLINE


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


def answer(load: subprocess.Popen[str]) -> str:
    """Return the next line of *load*. Raises RuntimeError where none comes in time."""
    assert load.stdout is not None
    with selectors.DefaultSelector() as selector:
        selector.register(load.stdout, selectors.EVENT_READ)
        said = load.stdout.readline() if selector.select(DEADLINE) else ""
    if not said:
        raise RuntimeError(f"{load.args!r} has ended, or hangs")
    return said.strip()


@contextlib.contextmanager
def loaded(
    server: Server, program: Path, *, active: int, idle: int = 0, size: int = 64
) -> Iterator[Callable[[float], Run]]:
    """Open the connections; what is yielded runs the load for so many seconds.

    *size* is that of a message, in bytes.
    """
    command = [str(program), server.port, str(active), str(idle), str(size)]
    with kept_on(processors()[1]):
        load = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def run(seconds: float) -> Run:
        assert load.stdin is not None
        before = server.cpu()
        load.stdin.write(f"{seconds * 1000:.0f}\n")
        load.stdin.flush()
        messages, passed, load_cpu = answer(load).split()
        used = server.cpu() - before
        return Run(int(messages), float(passed), used, float(load_cpu))

    with load:
        try:
            if answer(load) != "ready":
                raise RuntimeError(f"{command} is not ready")
            yield run
        finally:
            load.kill()
