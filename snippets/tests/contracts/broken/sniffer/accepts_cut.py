"""Takes a part of a packet for the whole."""

from contracts.broken.sniffer import base


def parse(data: bytes) -> base.Packet:
    """Return the packet, with the fault."""
    if len(data) < 20:
        raise ValueError(f"{len(data)} of 20 bytes")
    return base.packet_of(data, (data[0] & 15) * 4, len(data))


def report(data: bytes) -> str:
    """Return a line about the packet."""
    return base.report(data, parse)


if __name__ == "__main__":
    base.main(lambda args: base.sniff(args, report))
