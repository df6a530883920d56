"""Takes each header for one of 20 bytes."""

from contracts.broken.sniffer import base


def parse(data: bytes) -> base.Packet:
    """Return the packet, with the fault."""
    _, end = base.check(data)
    return base.packet_of(data, 20, end)


def report(data: bytes) -> str:
    """Return a line about the packet."""
    return base.report(data, parse)


if __name__ == "__main__":
    base.main(lambda args: base.sniff(args, report))
