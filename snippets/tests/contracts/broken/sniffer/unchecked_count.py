"""Takes any count, or none at all."""

import argparse

from contracts.broken.sniffer import base
from contracts.broken.sniffer.base import parse

__all__ = ["parse"]


def arguments() -> argparse.Namespace:
    """Return what --count says."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--interface")
    parser.add_argument("--count", default="0")
    args = parser.parse_args()
    args.count = int(args.count)
    return args


if __name__ == "__main__":
    base.sniff(arguments())
