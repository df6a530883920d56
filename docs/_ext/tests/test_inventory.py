"""docs/_inventory/python.inv knows what the snippets import."""

import zlib

import pytest

import inventory


def names() -> set[str]:
    """Return the names in the project's inventory."""
    _, entries = inventory.split(inventory.INVENTORY.read_bytes())
    return {entry.decode().split(" ")[0] for entry in entries}


def test_it_knows_what_the_snippets_import() -> None:
    """Each module is in it; docs/_ext/inventory.py says how to make it anew."""
    modules = inventory.imported((inventory.ROOT / "snippets").glob("*.py"))
    assert {"socket", "ssl", "collections"} <= modules
    undocumented = {"__future__"} & modules  # its names are no names of a module
    assert set() == modules - undocumented - {n.partition(".")[0] for n in names()}
    assert {"OSError", "socket.socket", "ssl.SSLContext"} <= names()


def test_it_is_reduced() -> None:
    """Of a whole inventory what Python has built in is kept, and the modules named."""
    head = b"# Sphinx inventory version 2\n# Project: P\n# Version: 1\n# zlib\n"
    lines = [
        b"socket.socket py:class 1 library/socket.html#$ -\n",
        b"OSError py:exception 1 library/exceptions.html#$ -\n",
        b"tkinter.Tk py:class 1 library/tkinter.html#$ -\n",
        b"socket-objects std:label 1 library/socket.html#$ Socket Objects\n",
    ]
    content = inventory.reduced(head + zlib.compress(b"".join(lines)), {"socket"})
    header, entries = inventory.split(content)
    assert head.splitlines() == header
    assert [lines[1].rstrip(), lines[0].rstrip()] == entries


def test_another_file_is_refused() -> None:
    """What is no inventory of this form is refused in one line."""
    with pytest.raises(ValueError, match="not an inventory"):
        inventory.split(b"a\nb\nc\nd\ne")
