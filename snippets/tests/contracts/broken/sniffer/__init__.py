"""Sniffers with one fault each: the contract must notice it.

They run as snippets do, with the tests' folder on ``PYTHONPATH``, and take all that
is right from ``base.py``, which sniffs IPv4 packets.
"""
