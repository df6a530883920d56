"""Shows one packet more than --count."""

import argparse

from contracts.broken.sniffer import base
from contracts.broken.sniffer.base import parse

__all__ = ["parse"]


def sniff(args: argparse.Namespace) -> None:
    """Sniff a little longer."""
    args.count += 1 if args.count else 0
    base.sniff(args)


if __name__ == "__main__":
    base.main(sniff)
