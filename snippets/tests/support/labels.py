"""Tells the JUnit file what each test was about (a pytest plugin).

The site reads these properties: what kind of test it was, of which snippet, in which
environment, and from which version of the files. See docs/_ext/results.py.
"""

import hashlib
import platform
import ssl
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from support import guest
from support.pages import Section
from support.requirements import ROOT

SNIPPETS = ROOT / "snippets"


@cache
def environment() -> tuple[tuple[str, str], ...]:
    """Return on what the tests run."""
    python = f"{platform.python_implementation()} {platform.python_version()}"
    kernel = f"{platform.system()} {platform.release()}"
    if guest.is_here():
        kernel += " (User Mode Linux)"
    openssl = " ".join(ssl.OPENSSL_VERSION.split()[:2])
    return (
        ("environment", f"{python}, {kernel}, {openssl}"),
        ("python", python),
        ("kernel", kernel),
        ("openssl", openssl),
    )


@cache
def source(path: Path) -> tuple[str, str]:
    """Return the property that names the version of a file."""
    digest = hashlib.sha256(path.read_bytes()).hexdigest()[:16]
    return "source", f"{path.relative_to(ROOT).as_posix()} sha256:{digest}"


def labels(item: pytest.Item) -> Iterator[tuple[str, str]]:
    """Yield the properties of *item*; none for tests of the harness itself."""
    example = getattr(item, "example", None)
    section = getattr(example, "parsed", None)
    if isinstance(section, Section):
        kind, snippet = "transcript", next(iter(section.snippets), "")
    elif isinstance(item, pytest.DoctestItem):
        kind, snippet = "doctest", item.path.stem
    else:
        kind, snippet = "case", item.path.stem.removeprefix("test_")
    file = SNIPPETS / f"{snippet}.py"
    if not snippet or not file.is_file():
        return
    contract = getattr(getattr(item, "cls", None), "contract", None)
    if contract:
        kind = "contract"
        if not item.get_closest_marker("slow"):
            yield "checks", str(number_of_checks(item))
        yield "contract", contract
        yield "check", check_name(item)
    emulated = getattr(getattr(item, "cls", None), "emulated", None)
    if guest.is_here():
        emulated = f"{platform.system()} {platform.release()} in User Mode Linux"
    if emulated:
        yield "emulated", emulated
    yield "kind", kind
    yield "snippet", snippet
    yield source(file)
    yield from map(source, sorted(modules_of_class(item)))
    if kind != "doctest":  # which stands in the snippet itself
        yield source(item.path)
    yield from environment()


def modules_of_class(item: pytest.Item) -> set[Path]:
    """Return where the class of *item* has its tests from: the contract's modules."""
    bases = getattr(getattr(item, "cls", None), "__mro__", ())
    files = {getattr(sys.modules[base.__module__], "__file__", None) for base in bases}
    paths = {Path(file) for file in files if file} - {item.path}
    return {path for path in paths if path.is_relative_to(SNIPPETS)}  # no library's


def number_of_checks(item: pytest.Item) -> int:
    """Return how many checks of its contract a run must have: the slow ones may lack.

    It is told with each check, so that a run that was cut short can be seen as one.
    """
    contract = getattr(item, "cls", None)
    names = [name for name in dir(contract) if name.startswith("test")]
    checks = [check for name in names if callable(check := getattr(contract, name))]
    return len(
        {
            str(check.__doc__ or check.__name__).strip().split("\n")[0]
            for check in checks
            if "slow" not in {mark.name for mark in getattr(check, "pytestmark", ())}
        }
    )


def check_name(item: pytest.Item) -> str:
    """Return the first line of the docstring of the test function of *item*."""
    doc = getattr(getattr(item, "obj", None), "__doc__", None) or item.name
    return str(doc).strip().split("\n")[0]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Label all items; ``-k NAME`` then selects all that is about a snippet."""
    for item in items:
        properties = list(labels(item))
        item.user_properties += properties
        item.extra_keyword_matches.update(
            value for name, value in properties if name == "snippet"
        )
