"""Leaves the suites of TLS 1.2 as Python has them, CBC included."""

import ssl

from contracts.broken.tls import base


def create_context() -> ssl.SSLContext:
    """Return a context with Python's own choice."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


if __name__ == "__main__":
    base.main(base.one_by_one, create_context)
