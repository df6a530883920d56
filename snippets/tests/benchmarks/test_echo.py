"""The benchmark of the echo servers works; no time is asserted."""

import sys
from pathlib import Path

import pytest

from benchmarks import echo
from benchmarks._processes import compiled, serving
from benchmarks._serving import loaded
from benchmarks.frame import Figure

pytestmark = pytest.mark.linux

FEW = {"epoll_server.py", "select_server.py", "asyncio streams", "C epoll"}


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let there be a few servers only, and little load."""
    commands = echo.commands
    monkeypatch.setattr(
        echo,
        "commands",
        lambda folder: {k: v for k, v in commands(folder).items() if k in FEW},
    )
    monkeypatch.setattr(echo, "SELECT_MOST", 50)  # so that it is left out above


@pytest.mark.slow
def test_what_is_measured(few: None) -> None:  # noqa: ARG001
    """There is a point for each size and number of connections, and each server."""
    figures = {figure.name: figure for figure in echo.measure(quick=True)}
    names = {
        f"echo-{size}{kind}-at-{active}"
        for size in (64, 16_384)
        for kind in ("", "-rate")
        for active in (1, 10)
    }
    more = {"idle-at-0", "idle-at-100", "echo-fresh", "echo-memory"}
    assert names | more == set(figures)
    assert FEW == set(figures["echo-64-at-10"].series)
    assert {"epoll_server.py", "C epoll"} == set(figures["idle-at-100"].series)
    assert all(0 < value for figure in figures.values() for value in numbers(figure))
    assert figures["echo-64-at-10"].note.startswith("With 10 active the load was busy")


def numbers(figure: Figure) -> list[float]:
    """Return all values of *figure*."""
    return [value for values in figure.series.values() for value in values]


def test_the_load_counts_what_came_back(tmp_path: Path) -> None:
    """What the load calls messages is what a server has echoed, byte by byte."""
    code = (
        "import socket\n"
        "with socket.create_server(('127.0.0.1', 0)) as listener:\n"
        "    print('listening on', ':%d' % listener.getsockname()[1], flush=True)\n"
        "    conn, _ = listener.accept()\n"
        "    total = 0\n"
        "    while chunk := conn.recv(7):\n"
        "        conn.sendall(chunk)\n"
        "        total += len(chunk)\n"
        "    print(total, flush=True)\n"
    )
    program = compiled("load.c", tmp_path)
    with serving([sys.executable, "-c", code], tmp_path) as server:
        with loaded(server, program, active=1, size=100) as run:
            done = [run(0.01), run(0.01)]
        assert server.process.stdout is not None
        total = int(server.process.stdout.readline())
    assert 1 + 100 * sum(r.messages for r in done) == total
    assert all(0 < r.load_cpu and 0 < r.server_cpu for r in done)
