"""Passes on what OpenSSL says of a certificate."""

from contracts.broken.tls import base

if __name__ == "__main__":
    base.main(base.one_by_one, fault="{error}")
