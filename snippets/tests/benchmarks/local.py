"""The echo over a UNIX domain socket against the one over TCP on loopback.

Both servers do the same, one client at a time: receive, and send it all. One program
in C asks both, over one connection for each run.
"""

import contextlib
from functools import partial
from pathlib import Path

from benchmarks._processes import (
    SNIPPETS,
    Server,
    compiled,
    interleaved_pairs,
    lacks,
    output,
    placement,
    python,
    serving,
    workplace,
)
from benchmarks.frame import Figure

PING_PONG = 64  # bytes: the next is sent when this one is back
STREAM = 65_536  # bytes: one behind the other, as the connection lets them


def measure(quick: bool) -> list[Figure]:
    """Return messages a second, and a second of the server's CPU time."""
    if lacks("local", "cc:gcc"):
        return []
    seconds, repeats = (0.05, 2) if quick else (0.4, 11)  # of each run; rounds
    with workplace() as folder, contextlib.ExitStack() as stack:
        load = compiled("stream_load.c", folder)
        commands = {
            "unix_echo_server.py": python(SNIPPETS / "unix_echo_server.py"),
            "tcp_echo_server.py": python(SNIPPETS / "tcp_echo_server.py", "--port=0"),
        }
        servers = {
            label: stack.enter_context(serving(command, folder))
            for label, command in commands.items()
        }
        places = {
            "unix_echo_server.py": str(folder / "domain.sock"),
            "tcp_echo_server.py": servers["tcp_echo_server.py"].port,
        }
        figures = []
        for kind, size in (("pingpong", PING_PONG), ("stream", STREAM)):
            runs = {
                label: partial(run, load, places[label], server, kind, size, seconds)
                for label, server in servers.items()
            }
            rates, costs = interleaved_pairs(runs, repeats)
            figures += [
                Figure(f"local-{kind}", "messages/s", rates, note=note(kind, size)),
                Figure(
                    f"local-{kind}-cpu", "messages/CPU s", costs, note=note(kind, size)
                ),
            ]
    return figures


def note(kind: str, size: int) -> str:
    """Return what a reader must know of the messages."""
    how = {
        "pingpong": "each sent when the one before it is back",
        "stream": "sent one behind the other",
    }
    return f"Messages of {size:,} bytes, {how[kind]}. {placement()}".strip()


def run(
    load: Path, where: str, server: Server, kind: str, size: int, seconds: float
) -> tuple[float, float]:
    """Return messages a second, and a second of the server's CPU time."""
    before = server.cpu()
    echoed, passed = output([load, where, str(size), str(seconds), kind]).split()
    messages = int(echoed) / size
    return messages / float(passed), messages / (server.cpu() - before)
