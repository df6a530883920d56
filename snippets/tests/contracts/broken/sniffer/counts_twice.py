"""Shows what passes loopback twice."""

from contracts.broken.sniffer import base
from contracts.broken.sniffer.base import parse

__all__ = ["parse"]


def is_ours(address: tuple[str, int, int, int, bytes]) -> bool:
    """Tell whether it is IPv4, on its way out or in."""
    return address[1] == base.ETH_P_IP


if __name__ == "__main__":
    base.main(lambda args: base.sniff(args, is_ours=is_ours))
