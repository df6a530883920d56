"""Stops at TLS 1.2."""

import ssl

from contracts.broken.tls import base


def create_context() -> ssl.SSLContext:
    """Forbid what is newer."""
    context = base.good_context()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    return context


if __name__ == "__main__":
    base.main(base.one_by_one, create_context)
