r"""Show each TCP segment over IPv4 that this host receives or sends, and its payload.

Two headers stand before the payload, and both vary in length: IHL (IPv4) and the data
offset (TCP) count words of four bytes, options included. The IPv4 packet's total
length says where the payload ends; a short Ethernet frame has padding behind it.

>>> packet = bytes.fromhex(
...     "4500003a549d40004006621dc0000201c0000202c93e1f40de9cd821a2668084"
...     "8018003f842a00000101080aa695b6492f520e214869210d0a00"
... )
>>> segment = parse(packet)
>>> segment.source, segment.destination, segment.payload
(('192.0.2.1', 51518), ('192.0.2.2', 8000), b'Hi!\r\n\x00')
>>> segment.seq, segment.ack, segment.window, describe_options(segment.options)
(3734820897, 2724626564, 63, 'nop, nop, TS 2794829385 793906721')
>>> parse(packet[:-1])
Traceback (most recent call last):
ValueError: IPv4: header 20, total 58, here 57

Linux only, and only with the capability CAP_NET_RAW. Each segment is shown as it
passes: a stream is not put together, and a checksum not verified. IPv6 is passed over.

Sources: RFC 9293 (section 3.1), RFC 7323, RFC 2018, RFC 791, ``man 7 packet``,
``man 7 capabilities``
"""

import argparse
import itertools
import signal
import socket
import struct
import sys
from collections.abc import Iterator
from socket import inet_ntoa
from typing import NamedTuple

IPV4 = struct.Struct("!BxHxxHxBxx4s4s")  # what of its 20 bytes is needed here
TCP = struct.Struct("!HHIIHHxxxx")  # 20 bytes, without checksum and urgent pointer
FLAGS = ("FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR", "AE")
OPTIONS = {0: "end", 1: "nop", 2: "mss", 3: "wscale", 4: "sackOK", 5: "sack", 8: "TS"}
# From <linux/if_ether.h> and <linux/if_arp.h>; Python has ETH_P_ALL since 3.12.
ETH_P_ALL, ETH_P_IP, ARPHRD_LOOPBACK = 0x0003, 0x0800, 772
# Every program that such a copy runs may sniff.
DENIED = "CAP_NET_RAW is missing: use sudo, or setcap cap_net_raw+ep COPY-OF-PYTHON"


class Segment(NamedTuple):
    """A TCP segment; an option is its kind and its value.

    A named tuple, since a frozen dataclass takes four times as long to make.
    """

    source: tuple[str, int]
    destination: tuple[str, int]
    seq: int
    ack: int
    flags: int
    window: int
    options: tuple[tuple[int, bytes], ...]
    payload: bytes


def parse(data: bytes) -> Segment | None:
    """Return the TCP segment in the IPv4 packet at the beginning of *data*.

    None where the packet has no TCP header: it is of another protocol, or a fragment
    other than the first. Raises ValueError where it is not IPv4, or shorter than its
    headers say.
    """
    if len(data) < 20:
        raise ValueError(f"IPv4 header is short: {len(data)} of 20 bytes")
    first, end, fragment, protocol, source, destination = IPV4.unpack_from(data)
    version, start = first >> 4, (first & 0x0F) * 4  # IHL counts words of 4 bytes
    if version != 4 or not 20 <= start <= end <= len(data):
        raise ValueError(f"IPv{version}: header {start}, total {end}, here {len(data)}")
    if protocol != 6 or fragment & 0x1FFF:
        return None
    if end - start < 20:
        raise ValueError(f"TCP header is short: {end - start} of 20 bytes")
    from_port, to_port, seq, ack, bits, window = TCP.unpack_from(data, start)
    payload = start + (bits >> 12) * 4  # the data offset counts such words, too
    if not start + 20 <= payload <= end:
        raise ValueError(f"TCP header {payload - start}, here {end - start} bytes")
    ends = (inet_ntoa(source), from_port), (inet_ntoa(destination), to_port)
    options = parse_options(data[start + 20 : payload])
    return Segment(*ends, seq, ack, bits & 0x1FF, window, options, data[payload:end])


def parse_options(data: bytes) -> tuple[tuple[int, bytes], ...]:
    """Return kind and value of each TCP option in *data*.

    Raises ValueError where an option's length cannot be.
    """
    options = []
    while data:
        kind = data[0]  # end (0) and nop (1) are one byte, the others say their length
        length = data[1] if kind > 1 and len(data) > 1 else 1
        if length > len(data) or (kind > 1 and length < 2):
            raise ValueError(f"TCP option {kind}: {length} bytes, here {len(data)}")
        options.append((kind, data[2:length]))
        data = data[length:] if kind else b""
    return tuple(options)


def describe_options(options: tuple[tuple[int, bytes], ...]) -> str:
    """Return the names of options, and the numbers of at most 4 bytes in them.

    >>> describe_options(((2, bytes([5, 180])), (253, bytes(8))))
    'mss 1460, option 253 0 0'
    """
    texts = []
    for kind, value in options:
        words = [int.from_bytes(value[at : at + 4]) for at in range(0, len(value), 4)]
        texts.append(" ".join(map(str, (OPTIONS.get(kind, f"option {kind}"), *words))))
    return ", ".join(texts)


def describe(segment: Segment) -> str:
    """Return the segment as a line, and a second one if it has a payload.

    Of that, at most 100 bytes are shown, as Python writes bytes: nobody on the network
    should get to send control characters to the reader's terminal.
    """
    source, destination = (f"{host}:{port}" for host, port in segment[:2])
    flags = "+".join(n for bit, n in enumerate(FLAGS) if segment.flags >> bit & 1)
    payload = f"\n    {segment.payload[:100]!r}" if segment.payload else ""
    return (
        f"{source} -> {destination} {flags or 'none'}, seq {segment.seq}, "
        f"ack {segment.ack}, window {segment.window}, {len(segment.payload)} bytes, "
        f"options [{describe_options(segment.options)}]{payload}"
    )


def lines(sock: socket.socket) -> Iterator[str]:
    """Yield what to print about each TCP segment, until interrupted."""
    while True:
        data, (interface, protocol, direction, link, *_) = sock.recvfrom(65_535)
        # On loopback each packet passes twice: on its way out, and as it comes in.
        twice = link == ARPHRD_LOOPBACK and direction == socket.PACKET_OUTGOING
        if protocol == ETH_P_IP and not twice:
            try:
                if segment := parse(data):
                    yield f"{interface} {describe(segment)}"
            except ValueError as error:
                yield f"{interface} malformed: {error}"


def main() -> None:
    """Read the command line and show segments until Ctrl-C or SIGTERM."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--interface", help="such as eth0, default: all of them")
    parser.add_argument("--count", type=int, help="segments, default: until Ctrl-C")
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
            for line in itertools.islice(lines(sock), args.count):
                print(line, flush=True)
    except KeyboardInterrupt:
        pass
    except PermissionError:
        sys.exit(f"cannot sniff: {DENIED}")
    except (OSError, UnicodeError) as error:
        sys.exit(f"cannot sniff, check --interface: {error}")


if __name__ == "__main__":
    main()
