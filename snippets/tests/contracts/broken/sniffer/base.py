"""What the broken sniffers do right."""

import argparse
import signal
import socket
import struct
import sys
from collections.abc import Callable
from dataclasses import dataclass

ETH_P_ALL, ETH_P_IP, ARPHRD_LOOPBACK = 0x0003, 0x0800, 772
NAMES = {1: "icmp", 2: "igmp", 6: "tcp", 17: "udp"}


@dataclass
class Packet:
    """What is shown of an IPv4 packet."""

    source: str
    destination: str
    protocol: int
    tos: int
    ttl: int
    id: int
    flags: int
    offset: int
    options: bytes
    payload: bytes

    def __str__(self) -> str:
        """Return it as ip_sniffer shows it."""
        name = NAMES.get(self.protocol, f"protocol {self.protocol}")
        total = 20 + len(self.options) + len(self.payload)
        flags = {0: "none", 2: "DF"}.get(self.flags, "others")
        return (
            f"{self.source} -> {self.destination} {name}, {total} bytes, "
            f"tos {self.tos:#x}, ttl {self.ttl}, id {self.id}, flags {flags}, "
            f"offset {self.offset}"
        )


def check(data: bytes) -> tuple[int, int]:
    """Return the lengths of the header and of the packet. Raises ValueError."""
    if len(data) < 20:
        raise ValueError(f"{len(data)} of 20 bytes")
    start, end = (data[0] & 15) * 4, int.from_bytes(data[2:4])
    if data[0] >> 4 != 4 or not 20 <= start <= end <= len(data):
        raise ValueError(f"header {start}, total {end}, here {len(data)} bytes")
    return start, end


def packet_of(data: bytes, start: int, end: int) -> Packet:
    """Return the packet, given where its payload starts and ends."""
    _, tos, _, ident, bits, ttl, protocol, source, destination = struct.unpack_from(
        "!BBHHHBBxx4s4s", data
    )
    return Packet(
        socket.inet_ntoa(source),
        socket.inet_ntoa(destination),
        protocol,
        tos,
        ttl,
        ident,
        bits >> 13,
        (bits & 0x1FFF) * 8,
        data[20:start],
        data[start:end],
    )


def parse(data: bytes) -> Packet:
    """Return the packet. Raises ValueError."""
    return packet_of(data, *check(data))


def report(data: bytes, parse: Callable[[bytes], Packet] = parse) -> str:
    """Return a line about the packet."""
    try:
        return str(parse(data))
    except ValueError as error:
        return f"malformed: {error}"


def is_ours(address: tuple[str, int, int, int, bytes]) -> bool:
    """Tell whether what comes from *address* is to be shown."""
    _, protocol, direction, link, _ = address
    twice = link == ARPHRD_LOOPBACK and direction == socket.PACKET_OUTGOING
    return protocol == ETH_P_IP and not twice


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--interface")
    parser.add_argument("--count", type=int, default=0)
    args = parser.parse_args()
    if "--count" in sys.argv and args.count < 1:
        parser.error("--count must be at least 1")
    return args


def sniff(
    args: argparse.Namespace,
    report: Callable[[bytes], str] = report,
    is_ours: Callable[[tuple[str, int, int, int, bytes]], bool] = is_ours,
) -> None:
    """Print what comes."""
    protocol = 0 if args.interface else socket.htons(ETH_P_ALL)
    with socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, protocol) as sock:
        if args.interface:
            sock.bind((args.interface, ETH_P_ALL))
        print(f"listening on {args.interface or 'all interfaces'}", flush=True)
        while True:
            data, address = sock.recvfrom(65_535)
            if is_ours(address):
                print(address[0], report(data), flush=True)
                args.count -= 1
                if not args.count:
                    break


def main(
    sniff: Callable[[argparse.Namespace], None] = sniff,
    advice: str = "CAP_NET_RAW is missing: use sudo or setcap cap_net_raw+ep",
) -> None:
    """Let *sniff* work until Ctrl-C or SIGTERM."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        sniff(arguments())
    except KeyboardInterrupt:
        pass
    except PermissionError:
        sys.exit(advice)
    except OSError as error:
        sys.exit(f"check --interface: {error}")
