"""Takes each frame for one without a VLAN tag, although the kernel kept the tag."""

import argparse

from contracts.broken.sniffer import base
from contracts.broken.sniffer.base import parse

__all__ = ["parse"]


def report(data: bytes) -> str:
    """Return a line about the packet behind what is taken for an Ethernet header."""
    return base.report(data[4:] if data.endswith(bytes(8)) else data)


def sniff(args: argparse.Namespace) -> None:
    """Sniff."""
    base.sniff(args, report)


if __name__ == "__main__":
    base.main(sniff)
