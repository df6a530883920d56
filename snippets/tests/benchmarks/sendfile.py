"""The two sendfile snippets against what else copies, each as a whole process.

The source is in the page cache, for it has just been written and read. A target is
removed after each run, outside the time that counts.
"""

import subprocess
import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from benchmarks._processes import PROGRAMS, SNIPPETS, compiled, lacks, workplace
from benchmarks.frame import Figure, interleaved, wait

MIB = 1024 * 1024
COPY = str(SNIPPETS / "sendfile_copy.py")
TCP = str(SNIPPETS / "sendfile_tcp.py")
SHUTIL = "import shutil, sys; shutil.copyfile(*sys.argv[1:])"
READ_AND_WRITE = str(PROGRAMS / "read_and_write.py")


def measure(quick: bool) -> list[Figure]:
    """Return the time of a copy, and the throughput over loopback; 1 GiB each."""
    size, repeats = (16, 2) if quick else (1024, 7)  # MiB, rounds
    if lacks("sendfile", "cc:gcc", "cp:coreutils"):
        return []
    with workplace() as folder:
        write_source(folder / "source", size)
        program = compiled("sendfile.c", folder)
        copied = copies(folder, program, repeats)
        transferred = transfers(folder, program, size, repeats)
    note = f"{size:,} MiB in the page cache; the time of whole processes."
    return [
        Figure("sendfile-copy", "s", copied, note=note),
        Figure("sendfile-tcp", "MiB/s", transferred, note=note),
    ]


def write_source(path: Path, size: int) -> None:
    """Write *size* MiB, no two of them alike, and read them."""
    with path.open("wb") as file:
        for number in range(size):
            file.write(number.to_bytes(4096, "big") * (MIB // 4096))
    with path.open("rb") as file:
        while file.read(MIB):
            pass


def copies(folder: Path, program: Path, repeats: int) -> dict[str, list[float]]:
    """Return the seconds that each way to copy takes.

    No target is there before: what is truncated and written anew, ext4 starts to write
    to the disk at once, which would be another figure.
    """
    commands = {
        "sendfile_copy.py": [sys.executable, COPY],
        "cp --reflink=never": ["cp", "--reflink=never"],
        "shutil.copyfile": [sys.executable, "-c", SHUTIL],
        "read and write in Python": [sys.executable, READ_AND_WRITE],
        "sendfile loop in C": [str(program), "copy"],
    }
    source, target = folder / "source", folder / "target"

    def seconds(command: Sequence[str]) -> float:
        begin = time.perf_counter()
        wait(subprocess.Popen([*command, str(source), str(target)]))
        passed = time.perf_counter() - begin
        assert source.stat().st_size == target.stat().st_size
        target.unlink()
        return passed

    runs = {label: partial(seconds, command) for label, command in commands.items()}
    return interleaved(runs, repeats)


def transfers(
    folder: Path, program: Path, size: int, repeats: int
) -> dict[str, list[float]]:
    """Return the MiB a second of each pair of a sender and a receiver.

    The time is from the start of the sender's process to the end of both.
    """
    source, target = str(folder / "source"), folder / "target"
    snippet = [sys.executable, TCP]

    def speed(receive: Sequence[str], send: Sequence[str]) -> float:
        with subprocess.Popen(
            [*receive, str(target)], stdout=subprocess.PIPE, text=True
        ) as receiver:
            assert receiver.stdout is not None
            port = receiver.stdout.readline().rpartition(":")[2].strip()
            begin = time.perf_counter()
            wait(subprocess.Popen([*send, port], stdout=subprocess.DEVNULL))
            wait(receiver)
            passed = time.perf_counter() - begin
        assert target.stat().st_size == size * MIB
        target.unlink()
        return size / passed

    return interleaved(
        {
            "sendfile_tcp.py": lambda: speed(
                [*snippet, "--port", "0", "--receive"],
                [*snippet, "--send", source, "--port"],
            ),
            "sendfile loop in C": lambda: speed(
                [str(program), "receive"], [str(program), "send", source]
            ),
        },
        repeats,
    )
