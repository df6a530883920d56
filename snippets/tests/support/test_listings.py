"""The listings stay short enough to read."""

import ast
from pathlib import Path

import pytest

from support.requirements import ROOT

SNIPPETS = sorted((ROOT / "snippets").glob("*.py"))
MOST = 106  # lines of code: of an event loop with all that it must survive
# Where each call may ask for either event; sender, receiver and both in one file.
MORE = {"tls_selectors_server": 124, "sendfile_tcp": 136}


def lines_of_code(text: str) -> int:
    """Return how many lines of *text* are neither empty, comment nor docstring."""
    told: set[int] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            first = node.body[0]
            if ast.get_docstring(node) is not None:
                told.update(range(first.lineno, (first.end_lineno or 0) + 1))
    return sum(
        bool(line.strip()) and not line.strip().startswith("#") and number not in told
        for number, line in enumerate(text.splitlines(), 1)
    )


@pytest.mark.parametrize("path", SNIPPETS, ids=lambda path: path.stem)
def test_a_listing_is_short_enough(path: Path) -> None:
    """A snippet has no more lines of code than a reader follows."""
    most = MORE.get(path.stem, MOST)
    assert lines_of_code(path.read_text(encoding="utf-8")) <= most


def test_what_counts() -> None:
    """Empty lines, comments and docstrings do not count; strings that are used do."""
    text = '"""A\n\ndocstring."""\n\n# comment\nx = 1  # code\ny = """a\nb"""\n'
    assert 3 == lines_of_code(text)
    assert 2 == lines_of_code('def f():\n    """Say."""\n    return 1\n')
