"""Show each ARP message that this host receives: who asks, and who answers.

ARP finds the hardware address (MAC) of an IPv4 address on the local network. A message
stands in an Ethernet frame, behind addresses and a type, and perhaps a VLAN tag:

>>> reply = bytes.fromhex(
...     "020000000001020000000002 8100 0005 0806"
...     "0001080006040002 020000000002c0000202 020000000001c0000201"
... )
>>> print(describe(parse(reply)))
02:00:00:00:00:02 -> 02:00:00:00:00:01 vlan 5 reply: 192.0.2.2 is at 02:00:00:00:00:02
>>> parse(reply[:20])
Traceback (most recent call last):
ValueError: ARP message is short: 2 of 28 bytes

Linux only, and only with the capability CAP_NET_RAW. What this host itself sends is
not shown. Nothing proves an answer: any host of the network can claim any address.

Sources: RFC 826, RFC 5227 (probe, announcement), IEEE 802.1Q, ``man 7 packet``,
``man 7 capabilities``
"""

import argparse
import itertools
import signal
import socket
import struct
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

ETHERNET = struct.Struct("!6s6sH")  # destination, source, type
TAG = struct.Struct("!HH")  # VLAN (its lower 12 bits), type of what follows
ARP = struct.Struct("!HHBBH6s4s6s4s")
ETHERNET_AND_IPV4 = [1, 0x0800, 6, 4]  # kinds and lengths of the addresses
OPERATIONS = {1: "request", 2: "reply"}
ETH_P_ARP = 0x0806  # <linux/if_ether.h>; Python: ETHERTYPE_ARP, since 3.12
VLAN_TAGS = (0x8100, 0x88A8)
# Every program that such a copy runs may sniff.
DENIED = "CAP_NET_RAW is missing: use sudo, or setcap cap_net_raw+ep COPY-OF-PYTHON"


@dataclass(frozen=True, slots=True)
class Message:
    """An ARP message, with the addresses of its frame and the VLANs of its tags."""

    frame_source: str
    frame_destination: str
    vlans: tuple[int, ...]
    operation: int
    sender_mac: str
    sender_ip: str
    target_mac: str
    target_ip: str


def take(layout: struct.Struct, frame: bytes, at: int, name: str) -> list[Any]:
    """Return what is at byte *at*. Raises ValueError where *frame* ends before it."""
    if len(frame) < at + layout.size:
        here = max(0, len(frame) - at)
        raise ValueError(f"{name} is short: {here} of {layout.size} bytes")
    return list(layout.unpack_from(frame, at))


def parse(frame: bytes) -> Message:
    """Return the ARP message in an Ethernet frame; padding may follow it.

    Raises ValueError where *frame* is short, of another type, or its addresses are
    not those of Ethernet and IPv4.
    """
    destination, source, kind = take(ETHERNET, frame, 0, "Ethernet header")
    at = ETHERNET.size
    vlans: list[int] = []
    while kind in VLAN_TAGS:
        tag, kind = take(TAG, frame, at, "VLAN tag")
        at += TAG.size
        vlans.append(tag & 0x0FFF)
    if kind != ETH_P_ARP:
        raise ValueError(f"Ethernet type is {kind:#06x}, not ARP")
    *kinds, operation, sender, sender_ip, target, target_ip = take(
        ARP, frame, at, "ARP message"
    )
    if kinds != ETHERNET_AND_IPV4:
        raise ValueError(f"ARP for {kinds}, not for Ethernet and IPv4")
    source, destination, sender, target = (
        mac.hex(":") for mac in (source, destination, sender, target)
    )
    sender_ip, target_ip = socket.inet_ntoa(sender_ip), socket.inet_ntoa(target_ip)
    who = sender, sender_ip, target, target_ip
    return Message(source, destination, tuple(vlans), operation, *who)


def describe(message: Message) -> str:
    """Return the message as a line; in a gratuitous one a host names itself."""
    name = OPERATIONS.get(message.operation, f"operation {message.operation}")
    if message.sender_ip == message.target_ip:
        name = f"gratuitous {name}"
    said = f"{message.sender_ip} is at {message.sender_mac}"
    if message.operation == 1:
        asker = f"{message.sender_ip} at {message.sender_mac}"
        said = f"who has {message.target_ip}? tell {asker}"
    tags = "".join(f" vlan {vlan}" for vlan in message.vlans)
    ends = f"{message.frame_source} -> {message.frame_destination}"
    return f"{ends}{tags} {name}: {said}"


def lines(sock: socket.socket) -> Iterator[str]:
    """Yield a line for each ARP message, until interrupted."""
    while True:
        frame, (interface, *_) = sock.recvfrom(65_535)
        try:
            yield f"{interface} {describe(parse(frame))}"
        except ValueError as error:
            yield f"{interface} malformed: {error}"


def main() -> None:
    """Read the command line and show messages until Ctrl-C or SIGTERM."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--interface", help="such as eth0, default: all of them")
    parser.add_argument("--count", type=int, help="messages, default: until Ctrl-C")
    args = parser.parse_args()
    if args.count is not None and not 1 <= args.count <= sys.maxsize:
        parser.error(f"--count must be at least 1 and at most {sys.maxsize}")
    if not hasattr(socket, "AF_PACKET"):
        sys.exit("cannot sniff here: only Linux has packet sockets")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends as Ctrl-C does
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # "... | head" ends it quietly
    # With 0 it gets nothing until it is bound: nothing of another interface slips in.
    protocol = socket.htons(ETH_P_ARP) if args.interface is None else 0
    try:
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, protocol) as sock:
            if args.interface is not None:
                sock.bind((args.interface, ETH_P_ARP))
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
