"""Takes the padding for payload."""

from contracts.broken.sniffer import base


def parse(data: bytes) -> base.Packet:
    """Return the packet, with the fault."""
    start, _ = base.check(data)
    return base.packet_of(data, start, len(data))


def report(data: bytes) -> str:
    """Return a line about the packet."""
    return base.report(data, parse)


if __name__ == "__main__":
    base.main(lambda args: base.sniff(args, report))
