"""Sniffs on all interfaces."""

import argparse

from contracts.broken.sniffer import base
from contracts.broken.sniffer.base import parse

__all__ = ["parse"]


def sniff(args: argparse.Namespace) -> None:
    """Sniff everywhere."""
    args.interface = None
    base.sniff(args)


if __name__ == "__main__":
    base.main(sniff)
