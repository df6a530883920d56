"""Show the IPv4 header of each packet that this host receives or sends.

A packet socket (AF_PACKET) gets a copy of what passes the network interfaces, and the
kernel goes on as if it were not there. With SOCK_DGRAM the copy begins at the IP
header, whatever kind of link it came by. ``struct`` takes the header apart:

>>> request = bytes.fromhex(
...     "4500001e027b40004001b42fc0000201c00002020800ab10001d00014869"
... )
>>> packet = parse(request)
>>> packet.source, packet.destination, packet.ttl, packet.payload[-2:]
('192.0.2.1', '192.0.2.2', 64, b'Hi')
>>> print(describe(packet, {1: "icmp"}))
192.0.2.1 -> 192.0.2.2 icmp, 30 bytes, tos 0x0, ttl 64, id 635, flags DF, offset 0
>>> parse(request[:29])
Traceback (most recent call last):
ValueError: IPv4: header 20, total 30, here 29

Linux only, and only with the capability CAP_NET_RAW. IPv6 is passed over, checksums
are not verified, and fragments are not put together.

Sources: RFC 791 (section 3.1), ``man 7 packet``, ``man 7 capabilities``,
``man 5 protocols``
"""

import argparse
import itertools
import signal
import socket
import struct
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

IPV4 = struct.Struct("!BBHHHBBxx4s4s")  # 20 bytes, without the checksum
FLAGS = {4: "reserved", 2: "DF", 1: "MF"}
# From <linux/if_ether.h> and <linux/if_arp.h>; Python has ETH_P_ALL since 3.12.
ETH_P_ALL, ETH_P_IP, ARPHRD_LOOPBACK = 0x0003, 0x0800, 772
# Every program that such a copy runs may sniff.
DENIED = "CAP_NET_RAW is missing: use sudo, or setcap cap_net_raw+ep COPY-OF-PYTHON"


@dataclass(frozen=True, slots=True)
class Packet:
    """An IPv4 packet; *offset*, where in the whole a fragment belongs, is in bytes."""

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


def parse(data: bytes) -> Packet:
    """Return the packet at the beginning of *data*; padding may follow it.

    Raises ValueError where it is not IPv4, or shorter than its header says.
    """
    if len(data) < 20:
        raise ValueError(f"IPv4 header is short: {len(data)} of 20 bytes")
    first, tos, end, ident, bits, ttl, protocol, *ends = IPV4.unpack_from(data)
    version, start = first >> 4, (first & 0x0F) * 4  # IHL counts words of 4 bytes
    if version != 4 or not 20 <= start <= end <= len(data):
        raise ValueError(f"IPv{version}: header {start}, total {end}, here {len(data)}")
    source, destination = map(socket.inet_ntoa, ends)
    flags, offset = bits >> 13, (bits & 0x1FFF) * 8
    options, payload = data[20:start], data[start:end]
    return Packet(
        source, destination, protocol, tos, ttl, ident, flags, offset, options, payload
    )


def protocol_names(path: str = "/etc/protocols") -> dict[int, str]:
    """Return the names in the system's list of protocols; none where there is no list.

    ``socket.getprotobyname`` looks there, too, but Python has no way back.
    """
    try:
        text = Path(path).read_text("utf-8", errors="replace")
    except OSError:
        return {}
    rows = [line.partition("#")[0].split() for line in text.splitlines()]
    return {int(row[1]): row[0] for row in rows if row[1:] and row[1].isdecimal()}


def describe(packet: Packet, names: Mapping[int, str]) -> str:
    """Return the header as a line; a protocol without a name appears as its number."""
    name = names.get(packet.protocol, f"protocol {packet.protocol}")
    total = 20 + len(packet.options) + len(packet.payload)
    flags = "+".join(n for bit, n in FLAGS.items() if packet.flags & bit) or "none"
    options = f", options {packet.options.hex()}" if packet.options else ""
    return (
        f"{packet.source} -> {packet.destination} {name}, {total} bytes, tos "
        f"{packet.tos:#x}, ttl {packet.ttl}, id {packet.id}, flags {flags}, "
        f"offset {packet.offset}{options}"
    )


def lines(sock: socket.socket, names: Mapping[int, str]) -> Iterator[str]:
    """Yield a line for each IPv4 packet, until interrupted."""
    while True:
        data, (interface, protocol, direction, link, *_) = sock.recvfrom(65_535)
        # On loopback each packet passes twice: on its way out, and as it comes in.
        twice = link == ARPHRD_LOOPBACK and direction == socket.PACKET_OUTGOING
        if protocol == ETH_P_IP and not twice:
            try:
                yield f"{interface} {describe(parse(data), names)}"
            except ValueError as error:
                yield f"{interface} malformed: {error}"


def main() -> None:
    """Read the command line and show packets until Ctrl-C or SIGTERM."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--interface", help="such as eth0, default: all of them")
    parser.add_argument("--count", type=int, help="packets, default: until Ctrl-C")
    args = parser.parse_args()
    if args.count is not None and not 1 <= args.count <= sys.maxsize:
        parser.error(f"--count must be at least 1 and at most {sys.maxsize}")
    if not hasattr(socket, "AF_PACKET"):
        sys.exit("cannot sniff here: only Linux has packet sockets")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends as Ctrl-C does
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # "... | head" ends it quietly
    # ETH_P_IP alone would get what this host receives, but not what it sends.
    # With 0 it gets nothing until it is bound: nothing of another interface slips in.
    protocol = socket.htons(ETH_P_ALL) if args.interface is None else 0
    try:
        with socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, protocol) as sock:
            if args.interface is not None:
                sock.bind((args.interface, ETH_P_ALL))
            print(f"listening on {args.interface or 'all interfaces'}", flush=True)
            for line in itertools.islice(lines(sock, protocol_names()), args.count):
                print(line, flush=True)
    except KeyboardInterrupt:
        pass
    except PermissionError:
        sys.exit(f"cannot sniff: {DENIED}")
    except (OSError, UnicodeError) as error:
        sys.exit(f"cannot sniff, check --interface: {error}")


if __name__ == "__main__":
    main()
