"""Judges results: what a section, or a cell of the grid, may say. Data in, data out."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter

from results import KINDS, Environment, Result
from sections import Section

NOUNS = {
    "doctest": "doctest",
    "case": "case",
    "contract": "contract check",
    "transcript": "transcript",
}
OUTCOMES = ("failed", "skipped", "passed")  # the worst first
NOT_RUN = "not run"


@dataclass(frozen=True)
class Summary:
    """What was run for one section, and what came of it.

    *counted* were obtained from the files as they are, *outdated* from others;
    *missing* are the kinds of test that the section must have and that did not run;
    *cut_short* says so of its contracts of which a part did not run.
    """

    counted: tuple[Result, ...]
    outdated: tuple[Result, ...]
    missing: tuple[str, ...]
    cut_short: tuple[str, ...] = ()

    @property
    def word(self) -> str:
        """The verdict: the best word only if nothing is left to say."""
        outcomes = {result.outcome for result in self.counted}
        if not outcomes:
            return NOT_RUN
        if "failed" in outcomes:
            return "failed"
        if "passed" not in outcomes:
            return "skipped"
        not_run = self.outdated or self.missing or self.cut_short
        incomplete = "skipped" in outcomes or not_run
        return "passed in part" if incomplete else "passed"

    @property
    def counts(self) -> str:
        """How many tests of each kind there are, and how many did not pass."""
        parts = []
        for kind in KINDS:
            results = [result for result in self.counted if result.kind == kind]
            if results:
                parts.append(count(kind, results))
            elif kind in self.missing:
                parts.append(f"{NOUNS[kind]}s not run")
        return ", ".join([*parts, *self.cut_short])

    @property
    def outdated_note(self) -> str:
        """Which results were left out since a file has changed, or nothing."""
        if not self.outdated:
            return ""
        files = sorted({path for result in self.outdated for path in result.changed})
        dates = sorted({result.date for result in self.outdated})
        have = "has" if len(files) == 1 else "have"
        taken = f"the results of {listing(dates)} were taken"
        return f"{listing(files)} {have} changed since {taken}"


def summarise(results: Iterable[Result], section: Section) -> Summary:
    """Return what *results* say about *section*."""
    own = [result for result in results if result.snippet == section.snippet]
    counted = tuple(result for result in own if not result.changed)
    needed = {"case", "transcript"} | ({"contract"} if section.contract else set())
    needed -= {result.kind for result in counted}
    parts = () if "contract" in needed else section.contract
    return Summary(
        counted,
        tuple(result for result in own if result.changed),
        tuple(kind for kind in KINDS if kind in needed),
        tuple(text for contract in parts for text in cut_short(counted, contract)),
    )


def cut_short(results: Sequence[Result], contract: str) -> Iterator[str]:
    """Yield a phrase if not all checks of *contract* are among a server's *results*.

    In each run each check must be there that may not be left out.
    """
    own = [result for result in results if result.contract == contract]
    if not own:
        yield f'contract "{contract}" not run'
    lacking = 0
    for run in {result.run for result in own}:
        here = [result for result in own if result.run == run]
        checks = {result.check for result in here if result.checks}
        lacking = max(lacking, max(result.checks for result in here) - len(checks))
    if lacking:
        noun = "check" if lacking == 1 else "checks"
        yield f'{lacking} {noun} of contract "{contract}" not run'


def count(kind: str, results: Sequence[Result]) -> str:
    """Return a phrase such as "8 cases (1 failed)"; environments count once."""
    worst = {
        test: verdict(result for result in results if result.test == test)
        for test in {result.test for result in results}
    }
    number = Counter(worst.values())
    plural = "" if len(worst) == 1 else "s"
    phrase = f"{len(worst)} {NOUNS[kind]}{plural}"
    flaws = [f"{number[word]} {word}" for word in OUTCOMES[:2] if number[word]]
    return f"{phrase} ({', '.join(flaws)})" if flaws else phrase


def verdict(results: Iterable[Result]) -> str:
    """Return the worst outcome of *results*."""
    outcomes = {result.outcome for result in results}
    return next((word for word in OUTCOMES if word in outcomes), NOT_RUN)


def tally(results: Sequence[Result]) -> str:
    """Return how many of *results* had which outcome, and how many were emulated."""
    number = Counter(result.outcome for result in results)
    words = [f"{number[word]} {word}" for word in reversed(OUTCOMES) if number[word]]
    emulated = sum(bool(result.emulated) for result in results)
    text = ", ".join(words) or NOT_RUN
    return f"{text} ({emulated} emulated)" if emulated else text


def cell(
    results: Sequence[Result], runs: Mapping[str, Sequence[Environment]]
) -> tuple[str, str]:
    """Return the verdict on one check of one server, and what the grid says of it."""
    outcomes = set()
    where: dict[str, list[Environment]] = {}
    for run, environments in runs.items():
        here = [result for result in results if result.run == run]
        outcome = verdict(here)
        outcomes.add(outcome)
        emulated = here and all(result.emulated for result in here)
        text = f"{outcome} (emulated)" if emulated else outcome
        where.setdefault(text, []).extend(environments)
    word = min(outcomes, default=NOT_RUN)  # "failed", of several
    if len(outcomes) > 1 and word != "failed":
        word = "passed in part"
    if len(where) <= 1:
        return word, next(iter(where), NOT_RUN)
    name = telling(list(where.values()))
    parts = [
        f"{text}: {listing(list(dict.fromkeys(map(name, where[text]))))}"
        for text in sorted(where)
    ]
    return word, "; ".join(parts)


def telling(groups: Sequence[Sequence[Environment]]) -> Callable[[Environment], str]:
    """Return what names an environment so that one of another group is named else.

    That is its Python, its kernel or its OpenSSL, if one of them is enough.
    """
    for name in map(attrgetter, ("python", "kernel", "openssl")):
        names = [set(map(name, group)) for group in groups]
        if sum(map(len, names)) == len(set().union(*names)):
            return name
    return str


def runs_of(results: Iterable[Result]) -> dict[str, list[Environment]]:
    """Return the runs of *results*, each with the environments that it had."""
    of_run: dict[str, list[Result]] = {}
    for result in results:
        of_run.setdefault(result.run, []).append(result)
    return {run: environments_of(own) for run, own in of_run.items()}


def environments_of(results: Iterable[Result]) -> list[Environment]:
    """Return the environments of *results*, the older Python first."""
    return sorted({result.environment for result in results}, key=by_version)


def by_version(environment: Environment) -> list[tuple[int, str]]:
    """Return a key that sorts 3.9 before 3.11."""
    parts = re.split(r"(\d+)", str(environment))
    return [(int(part) if part.isdigit() else 0, part) for part in parts]


def place(results: Sequence[Result]) -> str:
    """Return on what and when *results* were obtained, and what was emulated.

    A kernel that ran for what was emulated alone is named as what was emulated.
    """
    environments = environments_of(results)
    own = environments_of(result for result in results if not result.emulated)
    parts = [
        versions(environment.python for environment in environments),
        versions(environment.kernel for environment in own or environments),
        versions(environment.openssl for environment in environments),
        listing(sorted({result.date for result in results})),
    ]
    emulated = sorted({result.emulated for result in results} - {""})
    return ", ".join(parts) + (f"; emulated: {listing(emulated)}" if emulated else "")


def versions(names: Iterable[str]) -> str:
    """Return *names* in one phrase, which has a first word that all have once.

    >>> versions(["CPython 3.11.7", "CPython 3.13.0", "CPython 3.11.7"])
    'CPython 3.11.7 and 3.13.0'
    >>> versions(["CPython 3.11.7", "PyPy 7.3"])
    'CPython 3.11.7 and PyPy 7.3'
    """
    found = list(dict.fromkeys(names))
    if len({name.partition(" ")[0] for name in found}) == 1:
        found[1:] = [name.partition(" ")[2] for name in found[1:]]
    return listing(found)


def remarks(results: Sequence[Result]) -> list[tuple[str, str]]:
    """Return an outcome and a sentence for all that did not pass, failures first."""
    where: dict[tuple[str, str, str], list[Environment]] = {}
    for result in results:
        if result.outcome != "passed":
            key = (result.outcome, title(result), result.reason)
            where.setdefault(key, []).append(result.environment)
    return [
        (outcome, f"{what}: {reason} ({places(environments)})")
        for (outcome, what, reason), environments in sorted(where.items())
    ]


def places(environments: Iterable[Environment]) -> str:
    """Return *environments* in one line."""
    ordered = sorted(set(environments), key=by_version)
    return "; ".join(str(environment) for environment in ordered)


def title(result: Result) -> str:
    """Return what the reader would call the test."""
    if result.kind == "contract":
        return f"{result.snippet}, {result.contract}: {result.check.rstrip('.')}"
    return f"{result.kind} {result.test.partition('::')[2] or result.test}"


def listing(words: Sequence[str]) -> str:
    """Return "a", "a and b" or "a, b and c"."""
    if len(words) <= 1:
        return "".join(words)
    return f"{', '.join(words[:-1])} and {words[-1]}"
