"""How many packets a second tcp_sniffer.py parses from memory, on one core."""

import itertools
import time

import tcp_sniffer
from benchmarks.frame import Figure

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


def rate(packets: list[bytes]) -> float:
    """Return how many of *packets* are parsed a second."""
    parse = tcp_sniffer.parse
    begin = time.perf_counter()
    for packet in packets:
        parse(packet)
    return len(packets) / (time.perf_counter() - begin)


def measure(quick: bool) -> list[Figure]:
    """Return the packets parsed a second, over connections as a browser makes them."""
    count = 6_000 if quick else 300_000
    packets = list(itertools.islice(itertools.cycle(CONNECTION), count))
    rates = [rate(packets) for _ in range(REPEATS)]
    return [Figure("tcp_sniffer.parse", "packets/s", {"in memory": rates})]
