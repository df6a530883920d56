"""Prints the payload as it came."""

from contracts.broken.sniffer import base
from contracts.broken.sniffer.base import parse

__all__ = ["parse"]


def report(data: bytes) -> str:
    """Return a line about the packet and what is in it."""
    return f"{base.report(data)}\n {data[20:].decode('latin-1')}"


if __name__ == "__main__":
    base.main(lambda args: base.sniff(args, report))
