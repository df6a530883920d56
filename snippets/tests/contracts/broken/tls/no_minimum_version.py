"""Speaks whatever OpenSSL can be made to speak."""

import ssl

from contracts.broken.tls import base


def create_context() -> ssl.SSLContext:
    """Allow the oldest version, and the digests that it needs."""
    context = base.good_context()
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    context.set_ciphers("ALL:@SECLEVEL=0")
    return context


if __name__ == "__main__":
    base.main(base.one_by_one, create_context)
