"""Measurements, apart from the tests: ``nox -s bench`` runs all of them.

Each module here with a function ``measure(quick: bool) -> list[Figure]`` is one; to add
one is to add its file. Nothing is asserted: what is measured is written down.
"""
