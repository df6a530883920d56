"""The listings stay short enough to read.

A statement counts as one, however many lines it is wrapped into; docstrings, comments
and empty lines do not count.
"""

import ast
from pathlib import Path

import pytest

from support.requirements import ROOT

SNIPPETS = sorted((ROOT / "snippets").glob("*.py"))
MOST = 99  # statements: of an event loop with all that it must survive
# Where each call may ask for either event; sender, receiver and both in one file.
MORE = {"tls_selectors_server": 110, "sendfile_tcp": 127}


def statements(text: str) -> int:
    """Return how many statements *text* has, docstrings left out."""
    nodes = list(ast.walk(ast.parse(text)))
    documented = [
        node
        for node in nodes
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
        and ast.get_docstring(node) is not None
    ]
    return sum(isinstance(node, ast.stmt) for node in nodes) - len(documented)


@pytest.mark.parametrize("path", SNIPPETS, ids=lambda path: path.stem)
def test_a_listing_is_short_enough(path: Path) -> None:
    """A snippet has no more statements than a reader follows."""
    most = MORE.get(path.stem, MOST)
    assert statements(path.read_text(encoding="utf-8")) <= most


def test_what_counts() -> None:
    """Comments and docstrings do not count; a wrapped statement counts once."""
    text = '"""A\n\ndocstring."""\n\n# comment\nx = 1  # code\ny = (\n    2\n)\n'
    assert 2 == statements(text)
    assert 2 == statements('def f():\n    """Say."""\n    return 1\n')
