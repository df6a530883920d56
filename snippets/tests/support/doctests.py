"""Spares the tests what has neither tests nor doctests (a pytest plugin).

To look for the doctests of a module is to import it, and all that it imports. Each
process of a parallel run would do that, to find nothing in most of them.
"""

from pathlib import Path


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Leave out a module without a doctest; of all else others decide."""
    may_have_tests = collection_path.name.startswith("test_")
    if collection_path.suffix != ".py" or may_have_tests:
        return None
    return None if b">>>" in collection_path.read_bytes() else True
