"""Find the highest rate of packets at which a sniffer misses none.

Runs in a network of its own, to which it adds the interfaces FROM and TO, joined to
each other. Prints packets a second, and 1 if it was the sender that could not do more.

A sniffer of the kind "count" ends by itself when it has shown the number of packets
that it is told. One of the kind "drops" says at Ctrl-C how many the kernel had no
room for, as tcpdump does.
"""

import argparse
import math
import os
import re
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

FROM, TO = "left", "right"
ATTACHED_WITHIN = 10.0  # seconds until a sniffer must have its socket
ENDS_WITHIN = 0.3  # seconds after the last packet: what is waiting is shown in 0.02
DEADLINE = 20.0  # seconds for anything else
EVERY_PROTOCOL = "0003"  # ETH_P_ALL, as /proc/net/packet writes it
COUNTED = re.compile(r"(\d+) packets? (received by filter|dropped by kernel)")
LEAST = 100  # packets a second: lower rates are not tried
KEPT_UP = 0.95  # of the rate that was asked for


class Trials:
    """What is the same in each trial."""

    def __init__(self, args: argparse.Namespace) -> None:
        self.kind: str = args.kind
        self.sniffer: Sequence[str] = args.sniffer
        self.seconds: float = args.seconds
        self.factor: float = args.factor
        self.steps: int = args.steps
        self.sender: Sequence[str] = [args.sender, FROM]
        self.packets: Sequence[str] = args.packets.split(",")
        self.cores: tuple[int, int] = (args.cores[0], args.cores[1])

    def rate_without_loss(self, rate: float) -> float:
        """Return the rate that was sent, or 0 where packets were lost.

        A trial that fails is made once more: this machine may have been busy.
        """
        sent = self.trial(rate)
        return sent if sent >= KEPT_UP * rate else max(sent, self.trial(rate))

    def trial(self, rate: float) -> float:
        """Return the rate that was sent, or 0 where packets were lost."""
        count = max(1, round(rate * self.seconds))
        command = [word.replace("COUNT", str(count)) for word in self.sniffer]
        os.sched_setaffinity(0, {self.cores[0]})
        with subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        ) as sniffer:
            try:
                os.sched_setaffinity(0, {self.cores[1]})
                wait_until_attached(sniffer)
                sent = subprocess.run(
                    [*self.sender, str(rate), str(count), *self.packets],
                    stdout=subprocess.PIPE,
                    check=True,
                    text=True,
                    timeout=DEADLINE,
                )
                seen = self.all_seen(sniffer, count)
            finally:
                sniffer.kill()
        return count / float(sent.stdout) if seen else 0.0

    def all_seen(self, sniffer: subprocess.Popen[str], count: int) -> bool:
        """Return whether *sniffer* missed none of *count* packets."""
        if self.kind == "count":
            try:
                return sniffer.wait(ENDS_WITHIN) == 0
            except subprocess.TimeoutExpired:
                return False
        sniffer.send_signal(signal.SIGINT)
        said = sniffer.communicate(timeout=DEADLINE)[1]
        found = {what: int(number) for number, what in COUNTED.findall(said)}
        if len(found) != 2:
            raise RuntimeError(f"{sniffer.args!r} said: {said}")
        received, dropped = found["received by filter"], found["dropped by kernel"]
        return received >= count and dropped == 0

    def highest(self, start: float) -> tuple[float, bool]:
        """Return the highest rate without loss, and whether the sender set it.

        Raises RuntimeError where packets are lost at any rate.
        """
        rate = start
        while not (best := self.rate_without_loss(rate)):
            rate /= self.factor
            if rate < LEAST:
                raise RuntimeError(f"packets are lost at {LEAST} a second")
        while best >= KEPT_UP * rate:
            rate *= self.factor
            if not (sent := self.rate_without_loss(rate)):
                break
            best = max(best, sent)
        else:
            return best, True
        low, high = rate / self.factor, rate
        for _ in range(self.steps):
            middle = math.sqrt(low * high)
            if sent := self.rate_without_loss(middle):
                low, best = middle, max(best, sent)
            else:
                high = middle
        return best, False


def wait_until_attached(sniffer: subprocess.Popen[str]) -> None:
    """Wait until a socket gets every packet, or raise RuntimeError."""
    deadline = time.monotonic() + ATTACHED_WITHIN
    while True:
        rows = Path("/proc/net/packet").read_text(encoding="utf-8").splitlines()[1:]
        if any(row.split()[3] == EVERY_PROTOCOL for row in rows):
            return
        if sniffer.poll() is not None or time.monotonic() > deadline:
            sniffer.kill()
            said = sniffer.communicate()[1]
            raise RuntimeError(f"{sniffer.args!r} does not sniff: {said}")
        time.sleep(0.001)


def main() -> None:
    """Read the command line, search and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kind", choices=("count", "drops"), required=True)
    parser.add_argument("--sender", required=True, help="the compiled segments.c")
    parser.add_argument("--packets", required=True, help="hexadecimal, with commas")
    parser.add_argument("--start", type=float, required=True, help="packets a second")
    parser.add_argument("--seconds", type=float, required=True, help="of each trial")
    parser.add_argument("--factor", type=float, required=True, help="of a step up")
    parser.add_argument("--steps", type=int, required=True, help="halvings of the gap")
    parser.add_argument("--cores", type=int, nargs=2, required=True)
    parser.add_argument("sniffer", nargs="+", help="COUNT in it is a number of packets")
    args = parser.parse_args()
    for command in (
        f"ip link add {FROM} type veth peer name {TO}",
        f"ip link set {FROM} up",
        f"ip link set {TO} up",
    ):
        subprocess.run(command.split(), check=True, timeout=DEADLINE)
    rate, is_senders = Trials(args).highest(args.start)
    print(rate, int(is_senders))


if __name__ == "__main__":
    main()
