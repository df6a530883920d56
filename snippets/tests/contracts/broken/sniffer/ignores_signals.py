"""Cannot be interrupted."""

import argparse
import signal

from contracts.broken.sniffer import base
from contracts.broken.sniffer.base import parse

__all__ = ["parse"]


def sniff(args: argparse.Namespace) -> None:
    """Sniff and ignore signals."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    base.sniff(args)


if __name__ == "__main__":
    base.main(sniff)
