"""Runs a command in a guest: User Mode Linux, a Linux kernel that is a program.

The guest has this machine's files and this user's rights to them, no network but its
own loopback interface, and modules that this machine's kernel may lack. Inside, the
command is uid 0 without being root of anything outside. Booting takes some two
seconds, and starting a program takes several times as long as outside.

The Debian package is ``user-mode-linux``. ``guest.sh`` is the first process inside.

Source: https://docs.kernel.org/virt/uml/user_mode_linux_howto_v2.html
"""

import contextlib
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from support import requirements

HERE = Path(__file__).resolve().parent
PROGRAM = "linux.uml"
MODULES = Path("/usr/lib/uml/modules")
# What AF_ALG is made of, as far as these tests use it.
NAMES = (
    *("algif_hash", "algif_skcipher", "algif_aead"),
    *("sha256_generic", "ecb", "cbc", "ctr", "ghash-generic", "gcm"),
)
MEMORY = 512  # MiB that the guest has, taken from a file in a temporary folder
NAMEABLE = re.compile(r"[!-~]+")  # what the kernel's command line takes as one word
SHOWN = 40  # lines of the console that are shown of a guest that came to grief


class GuestError(Exception):
    """The guest cannot be had, or came to no end; the message says why."""


@dataclass(frozen=True)
class Ended:
    """How a command in the guest ended, and what it printed."""

    status: int
    output: str


def run(
    argv: Sequence[str], *, cwd: Path, environment: Mapping[str, str], deadline: float
) -> Ended:
    """Run *argv* in a guest of its own, for *deadline* seconds at the most.

    Raises GuestError with the end of the console where the guest does not come to
    its own end: it hangs, panics, or cannot be started.
    """
    program = shutil.which(PROGRAM, path=requirements.PATH)
    if program is None:
        raise GuestError(str(missing()))
    with tempfile.TemporaryDirectory(prefix="guest-") as folder:
        job = Path(folder)
        if not NAMEABLE.fullmatch(folder):
            raise GuestError(f"the guest cannot be told of {folder!r}: set TMPDIR")
        furnish(job, argv, cwd, environment, deadline)
        console = boot(program, job, deadline)
        status, output = job / "status", job / "output"
        if not (status.exists() and status.read_text().strip().isdecimal()):
            said = output.read_text(errors="replace") if output.exists() else ""
            lines = (console + said).splitlines()[-SHOWN:]
            why = "\n".join(["the guest came to no end of its own:", *lines])
            raise GuestError(why)
        return Ended(int(status.read_text()), output.read_text(errors="replace"))


def missing() -> str | None:
    """Return a line that says how to get the guest, where it cannot be had."""
    return requirements.missing([PROGRAM])


def is_here() -> bool:
    """Tell whether this very program runs in a guest."""
    cpus = Path("/proc/cpuinfo")
    return cpus.exists() and "User Mode Linux" in cpus.read_text()


def furnish(
    job: Path,
    argv: Sequence[str],
    cwd: Path,
    environment: Mapping[str, str],
    deadline: float,
) -> None:
    """Write what ``guest.sh`` reads into the folder *job*."""
    settings = {
        "python": sys.executable,
        "loader": str(HERE / "guest_modules.py"),
        "modules": str(MODULES),
        "names": " ".join(NAMES),
        "deadline": f"{deadline + 5:g}",
    }
    lines = [f"{name}={shlex.quote(text)}" for name, text in settings.items()]
    (job / "settings").write_text("\n".join(lines) + "\n")
    inside = {**environment, "TMPDIR": "/dev/shm", "TERM": "dumb"}  # noqa: S108
    exports = [
        f"export {name}={shlex.quote(text)}"
        for name, text in inside.items()
        if name.isidentifier()
    ]
    command = [*exports, f"cd {shlex.quote(str(cwd))}", shlex.join(argv)]
    # What is no UTF-8 in them is kept as it is.
    (job / "command").write_bytes(os.fsencode("\n".join(command) + "\n"))
    shutil.copy(HERE / "guest.sh", job / "init")
    (job / "init").chmod(0o755)


def boot(program: str, job: Path, deadline: float) -> str:
    """Boot the guest, wait until it is off, and return what its console showed."""
    argv = [
        *(program, f"mem={MEMORY}M", f"uml_dir={job}", "rootfstype=hostfs"),
        *("rootflags=/", "rw", "quiet", f"init={job / 'init'}", f"job={job}"),
        *("con=null", "con0=null,fd:1", "ssl=null", "panic=-1"),
    ]
    process = None
    with contextlib.ExitStack() as stack:
        try:
            with held_back(signal.SIGINT, signal.SIGTERM):
                process = stack.enter_context(
                    subprocess.Popen(
                        argv,
                        env={
                            "HOME": str(job),
                            "TMPDIR": memory_folder(),
                            "PATH": os.defpath,
                        },
                        stdin=subprocess.DEVNULL,
                        stdout=subprocess.PIPE,
                        stderr=subprocess.STDOUT,
                        start_new_session=True,
                    )
                )
            console = process.communicate(timeout=deadline)[0]
        except subprocess.TimeoutExpired:
            assert process is not None
            end(process)
            console = process.communicate()[0]
            console += f"\nended from outside after {deadline:g} s\n".encode()
        except BaseException:
            if process is not None:
                end(process)
            raise
    return console.decode(errors="replace")


@contextlib.contextmanager
def held_back(*numbers: signal.Signals) -> Iterator[None]:
    """Let these signals wait: Popen forgets what it started where one interrupts it."""
    came: list[int] = []
    before = {
        n: signal.signal(n, lambda number, _: came.append(number)) for n in numbers
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for late in came:
            signal.raise_signal(late)


def end(process: "subprocess.Popen[bytes]") -> None:
    """End the guest and all of its processes, which are of its session.

    It has ended when this returns: Popen does not wait where a KeyboardInterrupt ends
    its ``with`` block.
    """
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def memory_folder() -> str:
    """Return a folder with room for the guest's memory: in memory, or on a disk."""
    shared = Path("/dev/shm")  # noqa: S108
    needed = (MEMORY + 64) * 1024 * 1024
    if shared.is_dir():
        here = os.statvfs(shared)
        has_room = here.f_bavail * here.f_frsize > needed
        if has_room and not here.f_flag & os.ST_NOEXEC:
            return str(shared)
    return tempfile.gettempdir()
