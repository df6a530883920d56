"""Says that it is not permitted, and no more."""

from contracts.broken.sniffer import base
from contracts.broken.sniffer.base import parse

__all__ = ["parse"]


if __name__ == "__main__":
    base.main(advice="Operation not permitted")
