"""The sandbox isolates, connects its hosts and leaves nothing behind."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest

from support.sandbox import Sandbox, SandboxError

pytestmark = [pytest.mark.linux, pytest.mark.usefixtures("needs_sandbox")]
DEADLINE = 20  # seconds

OWNER = """
import subprocess, sys
sys.path.insert(0, {tests!r})
from support.sandbox import Sandbox
with Sandbox() as sandbox:
    marker = sandbox.command("alice", ["bash", "-c", "exec -a {marker} sleep 1000"])
    child = subprocess.Popen(marker)
    print(sandbox.scratch, flush=True)
    child.wait()
"""


def named(marker: str) -> list[psutil.Process]:
    """Return the processes that call themselves *marker*."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        if (process.info["cmdline"] or [""])[0] == marker:
            found.append(process)
    return found


@pytest.fixture
def marker(request: pytest.FixtureRequest) -> Iterator[str]:
    """Yield a name for processes of this test alone; none may be left of them."""
    name = f"marker-{os.getpid()}-{request.node.name}"
    yield name
    _, alive = psutil.wait_procs(named(name), timeout=DEADLINE)
    for process in alive:
        process.kill()
    assert not alive, "processes of the sandbox are left"


def test_one_host_has_a_loopback_and_no_more() -> None:
    """A single host sees its loopback addresses, its name and the hosts file."""
    with Sandbox() as sandbox:
        addresses = sandbox.run("alice", "ip", "-brief", "address").stdout.split()
        name = sandbox.run("alice", "hostname").stdout
        bob = sandbox.run("alice", "getent", "hosts", "bob").stdout.split()[0]
    assert addresses == ["lo", "UNKNOWN", "127.0.0.1/8", "::1/128"]
    assert name == "alice\n"
    assert bob == "192.0.2.2"


def test_nothing_reaches_beyond() -> None:
    """From one host there is no route to any other address, nor a name server."""
    program = (
        "import socket\n"
        "for family, address in (2, '192.0.2.9'), (10, '2001:db8::9'):\n"
        "    try:\n"
        "        socket.socket(family).connect((address, 80))\n"
        "    except OSError as error:\n"
        "        print(error.strerror)\n"
        "try:\n"
        "    socket.getaddrinfo('example.com', 80)\n"
        "except OSError as error:\n"
        "    print(error.strerror)\n"
    )
    with Sandbox() as sandbox:
        said = sandbox.run("alice", "python", "-c", program).stdout.splitlines()
    assert said == ["Network is unreachable"] * 2 + ["Name or service not known"]


@pytest.mark.parametrize("count", [2, 3])
@pytest.mark.parametrize(
    "address", ["192.0.2.1", "2001:db8::1", "fe80::ff:fe00:1%eth0"]
)
def test_hosts_reach_one_another(count: int, address: str) -> None:
    """Each further host connects to the first, over IPv4, IPv6 and link-local IPv6."""
    listen = ["nc", "-klv", "-6" if ":" in address else "-4", "5566"]
    with ExitStack() as stack:
        sandbox = Sandbox(("alice", "bob", "carol")[:count])
        with sandbox:
            server = subprocess.Popen(
                sandbox.command("alice", listen),
                cwd=sandbox.scratch,
                env=sandbox.environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
            )
            stack.enter_context(server)  # it is waited for after the sandbox
            assert server.stdout is not None
            assert server.stdout.readline().startswith(b"Listening on")
            for host in sandbox.hosts[1:]:
                client = sandbox.run(host, "nc", "-zv", "-w", "10", address, "5566")
                assert "succeeded" in client.stderr, client


def test_scratch_folder_shows_the_snippets_and_goes() -> None:
    """Commands start in the scratch folder, see snippets/, and it is removed."""
    with Sandbox() as sandbox:
        assert sandbox.run("alice", "ls").stdout == "snippets\n"
        assert sandbox.run("alice", "ls", "snippets/epoll_server.py").returncode == 0
        assert sandbox.run("alice", "sh", "-c", "sudo touch made").returncode == 0
        scratch = sandbox.scratch
        assert (scratch / "made").exists()
    assert not scratch.parent.exists()


def test_a_failure_leaves_nothing(marker: str) -> None:
    """An exception in the block ends a daemon inside and removes the folder."""
    command = f"(exec -a {marker} setsid sleep 1000 >/dev/null 2>&1) &"
    with pytest.raises(ZeroDivisionError), Sandbox() as sandbox:  # noqa: PT012
        daemon = subprocess.Popen(
            sandbox.command("alice", ["bash", "-c", f"exec -a {marker} sleep 1000"])
        )
        sandbox.run("alice", "bash", "-c", command)
        scratch = sandbox.scratch
        1 / 0  # noqa: B018
    daemon.wait(DEADLINE)
    assert named(marker) == []
    assert not scratch.exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_the_end_of_the_tests_ends_the_sandbox(
    marker: str, number: signal.Signals
) -> None:
    """Ctrl-C, and even a killed test process, leave no process inside."""
    tests = str(Path(__file__).resolve().parents[1])
    program = OWNER.format(tests=tests, marker=marker)
    with subprocess.Popen(
        [sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as owner:
        assert owner.stdout is not None
        scratch = Path(owner.stdout.readline().decode().strip())
        owner.send_signal(number)
        owner.wait(DEADLINE)
    _, alive = psutil.wait_procs(named(marker), timeout=DEADLINE)
    assert alive == []
    if number == signal.SIGINT:
        assert not scratch.exists()
    else:  # nobody is left to remove it
        shutil.rmtree(scratch.parent)


def test_no_namespaces_is_one_clear_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where unshare is refused, the error says so and what to do, in one line."""
    fake = tmp_path / "unshare"
    fake.write_text(
        "#!/bin/sh\necho 'unshare failed: Operation not permitted' >&2\nexit 1\n"
    )
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    with pytest.raises(SandboxError) as caught, Sandbox():
        pass
    message = str(caught.value)
    assert message.startswith("no sandbox: unshare failed: Operation not permitted")
    assert "user namespaces" in message
    assert "\n" not in message


def test_a_missing_program_is_one_clear_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where a program is not installed, the error names it and the remedy."""
    monkeypatch.setattr("shutil.which", lambda _, **__: None)
    with pytest.raises(SandboxError, match="unshare is missing, try nox -s deps"):
        Sandbox().__enter__()


def test_hosts_are_taken_in_order() -> None:
    """A host that does not exist, or is out of order, is refused."""
    with pytest.raises(ValueError, match="alice"):
        Sandbox(("bob",))
