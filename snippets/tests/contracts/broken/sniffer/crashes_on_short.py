"""Unpacks before it looks how much there is."""

from contracts.broken.sniffer import base


def parse(data: bytes) -> base.Packet:
    """Return the packet, with the fault."""
    start, end = (data[0] & 15) * 4, int.from_bytes(data[2:4])
    return base.packet_of(data, start, end)


def report(data: bytes) -> str:
    """Return a line about the packet."""
    return base.report(data, parse)


if __name__ == "__main__":
    base.main(lambda args: base.sniff(args, report))
