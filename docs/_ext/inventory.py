"""Makes docs/_inventory/python.inv: where CPython's documentation has which name.

With it the reference links to docs.python.org and the build needs no network. It is
taken from the inventory that comes with that documentation, and reduced to what has
no dot (``OSError``) and to the modules that the snippets import:

    python docs/_ext/inventory.py /usr/share/doc/python3.11/html/objects.inv

Debian has that file in the package python3.11-doc. To be run again when a snippet
imports a module that none did before; a test says so.
"""

import argparse
import ast
import sys
import zlib
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
INVENTORY = ROOT / "docs" / "_inventory" / "python.inv"
HEADER_LINES = 4  # of format version 2; what follows is compressed


def imported(files: Iterable[Path]) -> set[str]:
    """Return the modules of the standard library that *files* import, by first name."""
    found: set[str] = set()
    for path in files:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found.update(alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                found.add(node.module or "")
    return {name.partition(".")[0] for name in found} & sys.stdlib_module_names


def split(content: bytes) -> tuple[list[bytes], list[bytes]]:
    """Return the header and the entries of an inventory; raise ValueError if wrong."""
    *header, packed = content.split(b"\n", HEADER_LINES)
    if header[:1] != [b"# Sphinx inventory version 2"]:
        raise ValueError("not an inventory of Sphinx, version 2")
    return header, zlib.decompress(packed).splitlines()


def reduced(content: bytes, modules: set[str]) -> bytes:
    """Return the inventory *content* with Python's names alone, and of *modules*."""
    header, entries = split(content)
    kept = []
    for entry in entries:
        name, kind = entry.decode().split(" ")[:2]
        first, dot, _ = name.partition(".")
        if kind.startswith("py:") and (not dot or first in modules):
            kept.append(entry + b"\n")
    return b"\n".join([*header, zlib.compress(b"".join(sorted(kept)), 9)])


def main() -> None:
    """Write the reduced inventory."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("whole", type=Path, help="CPython's objects.inv")
    args = parser.parse_args()
    modules = imported((ROOT / "snippets").glob("*.py"))
    try:
        INVENTORY.write_bytes(reduced(args.whole.read_bytes(), modules))
    except (OSError, ValueError, zlib.error) as error:
        sys.exit(f"{args.whole}: {error}")


if __name__ == "__main__":
    main()
