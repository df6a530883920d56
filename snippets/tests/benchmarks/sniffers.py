"""How many packets a second tcp_sniffer.py parses, and how many it shows without loss.

The second is of the whole program, on one end of a pair of interfaces in a network
that is made for it, against tcpdump, which only writes what it gets.
"""

import itertools
import math
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import tcp_sniffer
from benchmarks._processes import (
    PROGRAMS,
    SNIPPETS,
    compiled,
    lacks,
    placement,
    processors,
    workplace,
)
from benchmarks.frame import Figure, interleaved
from support.sandbox import Sandbox, SandboxError

HOST = "alice"
TO = "right"  # the interface that programs/sniffing.py makes to sniff on
# A network for each search, with all rights in it, but not as root: tcpdump gives up
# root's rights at its start, which nobody may do who has no more than a namespace.
OF_ITS_OWN = [
    *("unshare", "--user", "--map-user=1", "--map-group=1", "--keep-caps", "--net"),
    "--",
]
FIRST = 16_000  # packets a second, in the first trial
ROUGHLY, CLOSER = 4, 1.25  # times from one trial to the next, at first and later
REPEATS = 5
# What passed the interface while curl got a page from http.server, in this order.
CONNECTION = [
    bytes.fromhex(packet)
    for packet in (
        "4500003c549b40004006621dc0000201c0000202c93e1f40de9cd82000000000"
        "a002faf084320000020405b40402080aa695b649000000000103030a",
        "4500003c000040004006b6b8c0000202c00002011f40c93ea2668083de9cd821"
        "a012fe8884320000020405b40402080a2f520e21a695b6490103030a",
        "45000034549c400040066224c0000201c0000202c93e1f40de9cd821a2668084"
        "8010003f842a00000101080aa695b6492f520e21",
        "4500007c549d4000400661dbc0000201c0000202c93e1f40de9cd821a2668084"
        "8018003f847200000101080aa695b6492f520e21" + b"GET /".ljust(72).hex(),
        "45000034aead4000400608 13c0000202c0000201 1f40c93ea2668084de9cd869"
        "80100040842a00000101080a2f520e21a695b649",
        "450000cfaeae400040060777c0000202c0000201 1f40c93ea2668084de9cd869"
        "8018004084c500000101080a2f520e22a695b649" + bytes(155).hex(),
    )
]
MIX = ",".join(packet.hex() for packet in CONNECTION)


def measure(quick: bool) -> list[Figure]:
    """Return the packets a second that are parsed, and that are seen without loss."""
    count = 6_000 if quick else 100_000
    packets = list(itertools.islice(itertools.cycle(CONNECTION), count))
    parsed = interleaved({"in memory": lambda: rate(packets)}, REPEATS)
    figures = [Figure("tcp-sniffer-parse", "packets/s", parsed)]
    if lacks("tcp-sniffer-live", "cc:gcc", "tcpdump:tcpdump"):
        return figures
    try:
        with workplace() as folder, Sandbox([HOST]) as sandbox:
            figures.append(live(sandbox, compiled("segments.c", folder), quick))
    except SandboxError as error:
        print(f"not measured: tcp-sniffer-live, {error}")
    return figures


def rate(packets: list[bytes]) -> float:
    """Return how many of *packets* are parsed a second."""
    parse = tcp_sniffer.parse
    begin = time.perf_counter()
    for packet in packets:
        parse(packet)
    return len(packets) / (time.perf_counter() - begin)


def live(sandbox: Sandbox, sender: Path, quick: bool) -> Figure:
    """Return the highest rate at which each sniffer misses no packet.

    The first search of each goes by large steps, and is not kept; the others begin
    where the one before them ended.
    """
    snippet = [sys.executable, str(SNIPPETS / "tcp_sniffer.py"), "--interface", TO]
    tcpdump = ["tcpdump", "-n", "-i", TO, "-w", "/dev/null"]
    sniffers = {
        "tcp_sniffer.py": ["--kind=count", "--", *snippet, "--count", "COUNT"],
        "tcpdump -w /dev/null": ["--kind=drops", "--", *tcpdump],
    }
    seconds, steps = (0.02, 0) if quick else (0.15, 1)
    search = [
        *OF_ITS_OWN,
        sys.executable,
        str(PROGRAMS / "sniffing.py"),
        f"--sender={sender}",
    ]
    search += [f"--packets={MIX}", f"--seconds={seconds}", f"--steps={steps}"]
    search += ["--cores", *map(str, processors())]
    starts: dict[str, float] = {}
    limited = dict.fromkeys(sniffers, 0)  # searches that ended so

    def highest(label: str) -> float:
        how = [f"--start={starts.get(label, FIRST)}"]
        how.append(f"--factor={CLOSER if label in starts else ROUGHLY}")
        found, is_senders = run(sandbox, [*search, *how, *sniffers[label]]).split()
        starts[label] = 0.9 * float(found)
        limited[label] += int(is_senders)
        return float(found)

    runs = {label: partial(highest, label) for label in sniffers}
    repeats = 1 if quick else REPEATS
    series = interleaved(runs, repeats)
    notes = [
        f"The {len(CONNECTION)} packets of a short connection, again and again, for"
        f" {seconds} s a trial; a rate counts if one of two trials is without loss,"
        f" and the next rate that was tried is {math.sqrt(CLOSER) - 1:.0%} higher."
    ]
    notes += [
        f"{label} missed none at the most that the sender could send, in {times} of"
        f" {repeats + 1} searches: it may do more."
        for label, times in limited.items()
        if times
    ]
    note = " ".join([*notes, placement()]).strip()
    return Figure("tcp-sniffer-live", "packets/s", series, note=note)


def run(sandbox: Sandbox, command: list[str]) -> str:
    """Return what *command* prints in the sandbox; raise where it fails."""
    done = sandbox.run(HOST, *command)
    if done.returncode:
        sys.stderr.write(done.stderr)
        raise subprocess.CalledProcessError(done.returncode, command)
    return done.stdout
