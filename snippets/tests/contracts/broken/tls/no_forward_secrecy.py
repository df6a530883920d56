"""Also encrypts with a key that the certificate's key gives away."""

import ssl

from contracts.broken.tls import base


def create_context() -> ssl.SSLContext:
    """Allow the key exchange by RSA."""
    context = base.good_context()
    context.set_ciphers("ECDHE+AESGCM:AES128-GCM-SHA256")
    return context


if __name__ == "__main__":
    base.main(base.one_by_one, create_context)
