"""Wires the tests together; the parts are in ``snippets/tests/support``."""

pytest_plugins = ["pytester", "support.items", "support.labels", "support.strict"]
