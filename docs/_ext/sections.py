"""Reads docs/sections.toml: the sections of the sheet, in the order of the page.

Files in, dataclasses out; nothing here knows of Sphinx.
"""

import tomllib
from collections import Counter
from dataclasses import dataclass, fields
from pathlib import Path

from docutils.nodes import make_id

# Where a snippet runs; "everywhere" is what CPython has on Windows, too.
PLATFORMS = ("everywhere", "POSIX", "BSD, macOS", "Linux")


class SectionsError(ValueError):
    """The file cannot be used; the message says why and what to do."""


@dataclass(frozen=True)
class Section:
    """A row of the file; its head explains the fields."""

    title: str
    page: str
    snippet: str
    clients: tuple[str, ...] = ()
    contract: tuple[str, ...] = ()
    platform: str = PLATFORMS[0]
    to_come: bool = False

    @property
    def docname(self) -> str:
        """The page as Sphinx names it."""
        return f"cheatsheet/{self.page}"

    @property
    def anchor(self) -> str:
        """The part of the section's address after the ``#``."""
        return make_id(self.title)


def read(path: Path) -> tuple[Section, ...]:
    """Return the sections that *path* lists; raise SectionsError if it is wrong."""
    try:
        rows = tomllib.loads(path.read_text(encoding="utf-8")).get("section")
    except (OSError, UnicodeError, tomllib.TOMLDecodeError) as error:
        raise SectionsError(f"{path}: {error}: mend it") from None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise SectionsError(f"{path}: no [[section]]: write one for each section")
    sections = []
    for number, row in enumerate(rows, 1):
        try:
            sections.append(section_of(row))
        except SectionsError as error:
            name = row.get("title", "no title")
            raise SectionsError(f"{path}: section {number} ({name}): {error}") from None
    anchors = Counter(section.anchor for section in sections)
    snippets = Counter(section.snippet for section in sections)
    for name, times in (anchors + snippets).items():
        if times > 1:
            raise SectionsError(f"{path}: {name} is there twice: take one out")
    return tuple(sections)


def section_of(row: dict[str, object]) -> Section:
    """Return *row* as a section; raise SectionsError if a field is wrong."""
    known = {field.name for field in fields(Section)}
    if unknown := sorted(row.keys() - known):
        raise SectionsError(f"no field is called {unknown[0]}: see the file's head")
    values: dict[str, object] = dict(row)
    for name in ("title", "page", "snippet"):
        if not isinstance(row.get(name), str) or not row[name]:
            raise SectionsError(f'{name} must be a string: write {name} = "..."')
    for name in ("clients", "contract"):
        value = row.get(name, [])
        if not isinstance(value, list) or not all(isinstance(v, str) for v in value):
            raise SectionsError(f'{name} must be a list: write {name} = ["..."]')
        values[name] = tuple(value)
    if row.get("platform", PLATFORMS[0]) not in PLATFORMS:
        names = ", ".join(f'"{name}"' for name in PLATFORMS)
        raise SectionsError(f"platform must be one of {names}, or left out")
    if not isinstance(row.get("to_come", False), bool):
        raise SectionsError("to_come must be true or left out")
    return Section(**values)  # type: ignore[arg-type]  # each was checked above
