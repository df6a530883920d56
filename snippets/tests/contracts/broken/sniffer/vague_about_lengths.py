"""Does not say what is short."""

from contracts.broken.sniffer import base


def parse(data: bytes) -> base.Packet:
    """Return the packet, with the fault."""
    try:
        return base.parse(data)
    except ValueError:
        raise ValueError("bad packet") from None


def report(data: bytes) -> str:
    """Return a line about the packet."""
    return base.report(data, parse)


if __name__ == "__main__":
    base.main(lambda args: base.sniff(args, report))
