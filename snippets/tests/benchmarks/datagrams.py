"""How many datagrams a second of its processor's time an echo server sends back.

A program in C keeps a few of them on their way, so that a server is not asked for
more than it does. Every server runs all the time, and is idle while it is not asked.
"""

import contextlib
from functools import partial
from pathlib import Path

from benchmarks._processes import (
    PROGRAMS,
    SNIPPETS,
    Command,
    Server,
    compiled,
    lacks,
    output,
    placement,
    python,
    serving,
    workplace,
)
from benchmarks.frame import Figure, interleaved

SIZES = (64, 1_400)  # bytes
WINDOW = 8  # datagrams on their way


def measure(quick: bool) -> list[Figure]:
    """Return the datagrams echoed a second of CPU time, for two sizes."""
    if lacks("datagrams", "cc:gcc"):
        return []
    seconds, repeats = (0.05, 2) if quick else (0.4, 9)  # of each run; rounds
    with workplace() as folder, contextlib.ExitStack() as stack:
        load = compiled("udp_load.c", folder)
        commands: dict[str, Command] = {
            "udp_echo_server.py": python(SNIPPETS / "udp_echo_server.py", "--port=0"),
            "asyncio DatagramProtocol": python(PROGRAMS / "udp_asyncio.py"),
            "socketserver.ThreadingUDPServer": python(PROGRAMS / "udp_threading.py"),
            "recvfrom and sendto in C": [compiled("udp_echo.c", folder)],
        }
        servers = {
            label: stack.enter_context(serving(command, folder))
            for label, command in commands.items()
        }
        return [figure(load, servers, size, seconds, repeats) for size in SIZES]


def figure(
    load: Path, servers: dict[str, Server], size: int, seconds: float, repeats: int
) -> Figure:
    """Return the datagrams of *size* bytes a second of CPU time of each server."""
    losses = dict.fromkeys(servers, 0)

    def rate(label: str) -> float:
        server = servers[label]
        before = server.cpu()
        words = output([load, server.port, str(size), str(WINDOW), str(seconds)])
        echoed, lost, _ = words.split()
        losses[label] += int(lost)
        return int(echoed) / (server.cpu() - before)

    series = interleaved({label: partial(rate, label) for label in servers}, repeats)
    lost = ", ".join(f"{label} {count}" for label, count in losses.items() if count)
    note = f"{WINDOW} datagrams were kept on their way; lost: {lost or 'none'}."
    return Figure(
        name=f"datagrams-{size}",
        unit="datagrams/CPU s",
        series=series,
        plot="datagrams",
        x=size,
        note=f"{note} {placement()}".strip(),
    )
