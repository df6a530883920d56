"""Reads what pytest left in build/results: JUnit files in, dataclasses out.

A test that is about a snippet carries properties (snippets/tests/support/labels.py
writes them). One of them, ``source``, names a file and the hash it had: a result of
another version of the file is kept apart, for it says nothing about the file as it
is now. Nothing here knows of Sphinx.
"""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from junitparser import JUnitXml, JUnitXmlError, Properties, Skipped, TestCase

KINDS = ("doctest", "case", "contract", "transcript")
SOURCE = re.compile(r"(?P<path>[^/\s].*) sha256:(?P<digest>[0-9a-f]{16})")
LONGEST_REASON = 300  # characters of a message that the site shows


@dataclass(frozen=True, order=True)
class Environment:
    """On what a test ran."""

    python: str
    kernel: str
    openssl: str

    def __str__(self) -> str:
        return f"{self.python}, {self.kernel}, {self.openssl}"


@dataclass(frozen=True, order=True)
class Result:
    """What became of one test in one environment.

    *changed* are the files that are no longer as the test saw them: the result
    counts only where there are none.
    """

    snippet: str
    kind: str
    contract: str
    check: str
    test: str
    environment: Environment
    outcome: str  # passed, failed or skipped
    reason: str  # why it failed or was skipped, in one line
    emulated: str
    date: str
    changed: tuple[str, ...]
    checks: int = 0  # how many the contract has; 0 if this one may be left out
    run: str = ""  # of which it is a result: some of a run may need another kernel


@dataclass(frozen=True)
class Damage:
    """A file that cannot be used."""

    path: Path
    reason: str


@dataclass(frozen=True)
class Results:
    """All that the files say."""

    of_snippets: tuple[Result, ...] = ()
    #: Failures of tests that are about no snippet: name and reason.
    other_failures: tuple[tuple[str, str], ...] = ()
    damaged: tuple[Damage, ...] = ()


@dataclass
class Reader:
    """Reads files against the project at *root*."""

    root: Path
    of_snippets: list[Result] = field(default_factory=list)
    other_failures: list[tuple[str, str]] = field(default_factory=list)
    looked_at: dict[str, str] = field(default_factory=dict)

    def read(self, path: Path) -> None:
        """Add all that *path* says; raise ValueError, and add nothing, if damaged."""
        try:
            suites = list(JUnitXml.fromfile(str(path)))
        except SyntaxError as error:  # what every XML parser raises
            raise ValueError(f"it is not XML, or only a part of it ({error})") from None
        except JUnitXmlError:
            raise ValueError("it is not a JUnit file") from None
        new, other = [], []
        for suite in suites:
            date = date_of(suite.timestamp)
            for case in suite:
                result = self.result(case, date, path.stem)
                if result:
                    new.append(result)
                elif outcome_of(case)[0] == "failed":
                    other.append((name_of(case), outcome_of(case)[1]))
        self.of_snippets += new
        self.other_failures += other

    def result(self, case: TestCase, date: str, run: str) -> Result | None:
        """Return the result of *case* in *run*, or None if it is about no snippet."""
        properties = list(properties_of(case))
        value = dict(properties)
        if "kind" not in value or "snippet" not in value:
            return None
        name = name_of(case)
        if value["kind"] not in KINDS:
            raise ValueError(f"{name} is of an unknown kind, {value['kind']}")
        needed = ["source", "python", "kernel", "openssl"]
        if value["kind"] == "contract":
            needed += ["contract", "check"]
        for key in needed:
            if not value.get(key):
                raise ValueError(f"{name} has no property {key}")
        if not value.get("checks", "0").isdecimal():
            raise ValueError(f"{name} has checks {value['checks']}, which is no number")
        sources = [text for key, text in properties if key == "source"]
        outcome, reason = outcome_of(case)
        return Result(
            snippet=value["snippet"],
            kind=value["kind"],
            contract=value.get("contract", ""),
            check=value.get("check", ""),
            test=name,
            environment=Environment(value["python"], value["kernel"], value["openssl"]),
            outcome=outcome,
            reason=reason,
            emulated=value.get("emulated", ""),
            date=date,
            changed=tuple(sorted(set(filter(None, map(self.changed, sources))))),
            checks=int(value.get("checks", 0)),
            run=run,
        )

    def changed(self, source: str) -> str:
        """Return the file that *source* names if it is not as it was, or nothing.

        Each file has many results: it is looked at once.
        """
        if source not in self.looked_at:
            match = SOURCE.fullmatch(source)
            if not match:
                raise ValueError(f"{source!r} does not name a file and its hash")
            same = digest(self.root / match["path"]) == match["digest"]
            self.looked_at[source] = "" if same else match["path"]
        return self.looked_at[source]


def read(folder: Path, root: Path) -> Results:
    """Return what the files in *folder* say about the project at *root*."""
    reader = Reader(root)
    damaged = []
    for path in sorted(folder.glob("*.xml")):
        try:
            reader.read(path)
        except (ValueError, OSError) as error:
            damaged.append(Damage(path, str(error)))
    return Results(
        tuple(sorted(reader.of_snippets)),
        tuple(sorted(reader.other_failures)),
        tuple(damaged),
    )


def digest(path: Path) -> str | None:
    """Return how a property ``source`` names the content of *path*."""
    if not path.is_file():
        return None
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def date_of(timestamp: str | None) -> str:
    """Return the day of *timestamp*, as JUnit writes it."""
    try:
        return datetime.fromisoformat(timestamp or "").date().isoformat()
    except ValueError:
        raise ValueError(f"{timestamp!r} is not a time") from None


def name_of(case: TestCase) -> str:
    """Return the full name of *case*."""
    return f"{case.classname}::{case.name}" if case.classname else str(case.name)


def properties_of(case: TestCase) -> Iterator[tuple[str, str]]:
    """Yield the properties of *case*, a name more than once if it is there so."""
    children = case.iterchildren(Properties)  # type: ignore[no-untyped-call]
    for properties in children:
        for item in properties:
            yield str(item.name), str(item.value)


def outcome_of(case: TestCase) -> tuple[str, str]:
    """Return what became of *case*, and why if it did not pass."""
    for wanted, outcome in ((False, "failed"), (True, "skipped")):
        for entry in case.result:
            if isinstance(entry, Skipped) == wanted:
                return outcome, first_line(entry.message or entry.text or "")
    return "passed", ""


def first_line(message: str) -> str:
    """Return the first line of *message*, cut where it is very long."""
    line = next(iter(message.strip().splitlines()), "no reason given").strip()
    short = len(line) <= LONGEST_REASON
    return line if short else line[:LONGEST_REASON] + " ..."
