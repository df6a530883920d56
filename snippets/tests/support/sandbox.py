"""Hosts in network namespaces, for as long as a ``with`` block lasts.

A sandbox has one host, ``alice``, with a loopback interface and nothing else, or
several that one switch joins: host number N has 192.0.2.N/24 and 2001:db8::N/64 on
``eth0``, whose MAC is 02:00:00:00:00:0N. Names are resolved from a file of these
hosts alone, so what a program prints depends on no name server.

Root makes the namespaces as root; an ordinary user makes them in a user namespace,
where they appear to be root. ``sandbox.sh`` is the first process inside.

Sources: ``man 7 namespaces``, ``man 1 unshare``, ``man 8 ip-netns``.
"""

import os
import selectors
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import IO

HERE = Path(__file__).resolve().parent
SNIPPETS = HERE.parent.parent
HOSTS = ("alice", "bob", "carol")
DEADLINE = 30.0  # seconds in which a sandbox must be up, and in which it must be gone

# nsenter and "ip netns exec" lead to the host, in its root folder and without a
# name; this does the rest. Arguments: folder, host name, command.
ON_ARRIVAL = 'cd "$0" && hostname "$1" && shift && exec "$@"'
SUDO = (
    '#!/bin/sh\n# In here, everybody has the rights that sudo would give.\nexec "$@"\n'
)


class SandboxError(Exception):
    """No sandbox can be made here; the message says why and what to do."""


class Sandbox:
    """Namespaces, a scratch folder with a link to the snippets, and their end.

    *hosts* are the first names of ``HOSTS``. ``scratch`` is the folder in which
    commands start; ``environment`` is what they see of the environment.
    """

    def __init__(self, hosts: Sequence[str] = HOSTS[:1]) -> None:
        self.hosts = tuple(hosts)
        if not self.hosts or self.hosts != HOSTS[: len(self.hosts)]:
            message = f"hosts are {HOSTS}, in this order, not {self.hosts}"
            raise ValueError(message)

    def __enter__(self) -> "Sandbox":
        """Make the hosts. Raises SandboxError where the machine does not allow it."""
        self._folder = tempfile.TemporaryDirectory(prefix="sandbox-")
        try:
            self._furnish(Path(self._folder.name))
            self._start()
        except BaseException:
            self._folder.cleanup()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End all that runs inside, wait for it, and remove the scratch folder."""
        self._stop()
        self._folder.cleanup()

    def command(self, host: str, argv: Sequence[str]) -> list[str]:
        """Return *argv* in the form that, run outside, runs on *host* inside."""
        enter = ["nsenter", f"--target={self.pid}", "--mount", "--pid", "--net"]
        if not am_root():
            enter += ["--user", "--preserve-credentials"]
        enter += ["--", "ip", "netns", "exec", host, "unshare", "--uts"]
        return [*enter, "sh", "-c", ON_ARRIVAL, str(self.scratch), host, *argv]

    def run(self, host: str, *argv: str) -> subprocess.CompletedProcess[str]:
        """Run *argv* on *host* to its end; a deadline applies."""
        return subprocess.run(
            self.command(host, argv),
            cwd=self.scratch,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=DEADLINE,
            check=False,
        )

    def _furnish(self, folder: Path) -> None:
        """Lay out the folders that the inside sees."""
        folder.chmod(0o755)
        self.scratch = folder / "scratch"
        etc, bin_ = folder / "etc", folder / "bin"
        for path in (self.scratch, etc, bin_):
            path.mkdir()
        (self.scratch / "snippets").symlink_to(SNIPPETS)
        addresses = [f"192.0.2.{number} {host}" for number, host in enumerate(HOSTS, 1)]
        hosts = ["127.0.0.1 localhost", "::1 localhost", *addresses]
        (etc / "hosts").write_text("\n".join(hosts) + "\n")
        databases = ["hosts", "passwd", "group", "protocols", "services"]
        (etc / "nsswitch.conf").write_text("".join(f"{d}: files\n" for d in databases))
        sudo = bin_ / "sudo"
        sudo.write_text(SUDO)
        sudo.chmod(0o755)
        self._etc = etc
        first = [str(bin_), str(Path(sys.executable).parent)]
        self.environment = {
            "HOME": str(self.scratch),
            "LC_ALL": "C.UTF-8",
            "PATH": os.pathsep.join(
                [*first, *os.get_exec_path(), "/usr/sbin", "/sbin"]
            ),
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONWARNINGS": "error",
            "TERM": "dumb",
        }

    def _start(self) -> None:
        """Start ``sandbox.sh`` in new namespaces and wait until it is ready."""
        for program in ("unshare", "nsenter", "ip"):
            if not shutil.which(program, path=self.environment["PATH"]):
                message = (
                    f"no sandbox: the program {program} is missing, try nox -s deps"
                )
                raise SandboxError(message)
        unshare = ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child"]
        if not am_root():
            unshare += ["--user", "--map-root-user"]
        init = ["sh", str(HERE / "sandbox.sh"), str(self._etc), *self.hosts]
        # Its own session: a Ctrl-C in the terminal is for the tests, which then
        # leave their "with" block.
        self._process = subprocess.Popen(
            [*unshare, "--", *init],
            env=self.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        try:
            answer = self._answer()
            if not answer.startswith("ready "):
                self._process.kill()
                why = self._process.communicate()[1].decode(errors="replace").strip()
                raise SandboxError(explain(why or "no answer in time"))
            self.pid = int(answer.split()[1])
        except BaseException:
            self._stop()
            raise

    def _answer(self) -> str:
        """Return the line that ``sandbox.sh`` says first, or what came of it."""
        stdout: IO[bytes] | None = self._process.stdout
        assert stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(stdout, selectors.EVENT_READ)
            return stdout.readline().decode() if selector.select(DEADLINE) else ""

    def _stop(self) -> None:
        """Close the standard input for which ``sandbox.sh`` lives, and wait."""
        try:
            self._process.communicate(timeout=DEADLINE)
        except (subprocess.TimeoutExpired, ValueError):
            pass  # late, or told already
        finally:
            self._process.kill()
            self._process.wait()


def am_root() -> bool:
    """Tell whether the namespaces are made as root."""
    return os.geteuid() == 0


def explain(why: str) -> str:
    """Return one line: that there is no sandbox, *why*, and what to do."""
    remedy = "allow unprivileged user namespaces or run the tests as root"
    if Path("/proc/sys/kernel/apparmor_restrict_unprivileged_userns").exists():
        remedy += (
            " (Ubuntu: sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0)"
        )
    return f"no sandbox: {'; '.join(why.splitlines())}; {remedy}"
