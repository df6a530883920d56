"""Wires the tests together; the parts are in ``snippets/tests/support``."""

pytest_plugins = [
    "pytester",
    "support.strict",
    "support.doctests",
    "support.items",
    "support.labels",
    "support.on_guest",
]
