"""Lets clients renegotiate."""

import ssl

from contracts.broken.tls import base


def create_context() -> ssl.SSLContext:
    """Allow what OpenSSL 3 forbids by default: SSL_OP_ALLOW_CLIENT_RENEGOTIATION."""
    context = base.good_context()
    context.options &= ~ssl.OP_NO_RENEGOTIATION
    context.options |= 1 << 8
    return context


if __name__ == "__main__":
    base.main(base.one_by_one, create_context)
