"""Asks again and again whether there is a packet."""

import argparse
import socket

from contracts.broken.sniffer import base
from contracts.broken.sniffer.base import parse

__all__ = ["parse"]


def sniff(args: argparse.Namespace) -> None:
    """Sniff without waiting."""
    protocol = socket.htons(base.ETH_P_ALL)
    with socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, protocol) as sock:
        sock.setblocking(False)
        print(f"listening on {args.interface}", flush=True)
        while True:
            try:
                data, address = sock.recvfrom(65_535)
            except BlockingIOError:
                continue
            if base.is_ours(address):
                print(address[0], base.report(data), flush=True)


if __name__ == "__main__":
    base.main(sniff)
