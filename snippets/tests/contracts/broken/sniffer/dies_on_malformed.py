"""Ends at the first malformed packet."""

from contracts.broken.sniffer import base
from contracts.broken.sniffer.base import parse

__all__ = ["parse"]


def report(data: bytes) -> str:
    """Return a line about the packet, or raise ValueError."""
    return str(parse(data))


if __name__ == "__main__":
    base.main(lambda args: base.sniff(args, report))
