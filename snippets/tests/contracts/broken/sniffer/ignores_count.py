"""Goes on after --count packets."""

import argparse

from contracts.broken.sniffer import base
from contracts.broken.sniffer.base import parse

__all__ = ["parse"]


def sniff(args: argparse.Namespace) -> None:
    """Sniff for ever."""
    args.count = 0
    base.sniff(args)


if __name__ == "__main__":
    base.main(sniff)
