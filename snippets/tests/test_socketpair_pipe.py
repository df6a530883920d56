"""socketpair_pipe: rounds, EOF and how it ends; see also test_socketpair_duplex."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator

import psutil
import pytest

from support.server import command, environment, interruptible_children, run

DEADLINE = 10.0  # seconds for any one call
ENDLESS = str(10**9)


@contextlib.contextmanager
def started() -> Iterator[subprocess.Popen[str]]:
    """Start endless rounds in a process group of its own; wait for the first."""
    with (
        interruptible_children(),
        subprocess.Popen(
            command("socketpair_pipe", "--rounds", ENDLESS),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(),
            start_new_session=True,
            text=True,
        ) as process,
    ):
        try:
            assert process.stdout is not None
            assert "Hi! Child!\n" == process.stdout.readline()
            yield process
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def wait_until_gone(process: psutil.Process) -> bool:
    """Return whether *process* has ended, and was reaped, within ``DEADLINE``."""
    deadline = time.monotonic() + DEADLINE
    while process.is_running():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


@pytest.mark.parametrize("rounds", [0, 1, 3, 500])
def test_rounds_go_both_ways(rounds: int) -> None:
    """Each round is a line there and a line back; both sides see EOF; all is reaped."""
    ended = run("socketpair_pipe", "--rounds", str(rounds))
    expected = ["Hi! Child!", "Hi! Parent!"] * rounds
    expected += ["child: EOF", "parent: EOF", "child ended: exit status 0"]
    assert expected == ended.stdout.splitlines()
    assert (0, "") == (ended.status, ended.stderr)


def test_there_are_three_rounds_by_default() -> None:
    """Without --rounds the lines come three times."""
    assert 3 == run("socketpair_pipe").stdout.count("Hi! Parent!\n")


def test_ctrl_c_ends_both_quietly() -> None:
    """Ctrl-C, which goes to both processes, ends both, without a word."""
    for _ in range(5):  # it may come at any point of a round
        with started() as process:
            (child,) = psutil.Process(process.pid).children()
            os.killpg(process.pid, signal.SIGINT)
            _, errors = process.communicate(timeout=DEADLINE)
            assert wait_until_gone(child)
        assert ("", 0) == (errors, process.returncode)


def test_sigterm_of_the_parent_ends_both_quietly() -> None:
    """A signal for the parent alone ends the child, too: it sees EOF."""
    with started() as process:
        (child,) = psutil.Process(process.pid).children()
        process.terminate()
        _, errors = process.communicate(timeout=DEADLINE)
        assert wait_until_gone(child)
    assert ("", 0) == (errors, process.returncode)


def test_a_child_that_is_killed_is_told() -> None:
    """A child that is killed between two rounds is one line, and exit status 1."""
    with started() as process:
        (child,) = psutil.Process(process.pid).children()
        child.kill()
        _, errors = process.communicate(timeout=DEADLINE)
    assert (1, 1) == (process.returncode, errors.count("\n"))
    assert errors.startswith("the child ended early, signal 9: ")


def test_a_parent_that_is_killed_ends_the_child() -> None:
    """A child whose parent is killed sees EOF and ends."""
    with started() as process:
        (child,) = psutil.Process(process.pid).children()
        process.kill()
        process.communicate(timeout=DEADLINE)
        assert wait_until_gone(child)


@pytest.mark.parametrize("rounds", ["-1", "x", ""])
def test_wrong_usage(rounds: str) -> None:
    """What is no number of rounds is exit status 2, and named."""
    ended = run("socketpair_pipe", f"--rounds={rounds}")
    assert (2, "") == (ended.status, ended.stdout)
    assert "--rounds" in ended.stderr.splitlines()[-1]
