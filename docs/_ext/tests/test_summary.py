"""Results are summed up without making them better than they are."""

from dataclasses import replace

import pytest

from results import Environment, Result
from sections import Section
from summary import cell, environments_of, listing, place, remarks, summarise, telling

OLD = Environment("CPython 3.9.1", "Linux 6.1", "OpenSSL 3.0")
NEW = Environment("CPython 3.13.0", "Linux 6.1", "OpenSSL 3.0")
GUEST = replace(NEW, kernel="Linux 5.0 (guest)")
OLD_GUEST = replace(OLD, kernel="Linux 5.0 (guest)")
SECTION = Section("Echo", "tcp", "echo")
SERVER = Section("Echo", "tcp", "echo", contract=("stream",))
TLS_SERVER = Section("Echo", "tcp", "echo", contract=("stream", "tls"))


def result(
    outcome: str = "passed",
    kind: str = "case",
    *,
    environment: Environment = NEW,
    emulated: str = "",
    changed: tuple[str, ...] = (),
    snippet: str = "echo",
    test: str = "m::test_it",
) -> Result:
    """Return a result of which the rest does not matter; each Python has its run."""
    reason = "" if outcome == "passed" else "why"
    return Result(
        *(snippet, kind, "", "", test, environment),
        *(outcome, reason, emulated, "2026-11-21", changed),
        run=environment.python,
    )


CASE, TRANSCRIPT = result(), result(kind="transcript")


@pytest.mark.parametrize(
    ("found", "section", "word"),
    [
        ([], SECTION, "not run"),
        ([CASE, TRANSCRIPT], SECTION, "passed"),
        ([CASE, TRANSCRIPT], SERVER, "passed in part"),
        ([CASE], SECTION, "passed in part"),
        ([CASE, TRANSCRIPT, result("skipped")], SECTION, "passed in part"),
        ([CASE, TRANSCRIPT, result(changed=("a",))], SECTION, "passed in part"),
        ([CASE, TRANSCRIPT, result("failed")], SECTION, "failed"),
        ([result("skipped")], SECTION, "skipped"),
        ([result(changed=("a",))], SECTION, "not run"),
        ([result("failed", changed=("a",))], SECTION, "not run"),
        ([result(snippet="other")], SECTION, "not run"),
    ],
)
def test_verdict(found: list[Result], section: Section, word: str) -> None:
    """A section passed only if all it must have was run, counts and passed."""
    assert word == summarise(found, section).word


def check(name: str, checks: int, environment: Environment = NEW) -> Result:
    """Return the result of a check of the contract "stream", which has *checks*."""
    found = result(kind="contract", environment=environment, test=f"m::{name}")
    return replace(found, contract="stream", check=name, checks=checks)


A, B, SLOW = check("a", 2), check("b", 2), check("slow", 0)
OLD_A = check("a", 2, OLD)


@pytest.mark.parametrize(
    ("found", "section", "expected"),
    [
        ([A, B], SERVER, ()),
        ([A, B, SLOW], SERVER, ()),
        ([A, B, check("a", 2)], SERVER, ()),  # a check that has parameters
        ([A], SERVER, ('1 check of contract "stream" not run',)),
        ([A, SLOW], SERVER, ('1 check of contract "stream" not run',)),
        ([check("a", 3)], SERVER, ('2 checks of contract "stream" not run',)),
        ([A, B, OLD_A], SERVER, ('1 check of contract "stream" not run',)),
        ([A, check("b", 2, GUEST)], SERVER, ()),  # of one run, on two kernels
        ([A, B], TLS_SERVER, ('contract "tls" not run',)),
        ([], SERVER, ()),  # which is said by the kind that is missing
        ([A], SECTION, ()),
    ],
)
def test_a_run_that_was_cut_short(
    found: list[Result], section: Section, expected: tuple[str, ...]
) -> None:
    """Where not all checks of a contract were run, it passed in part and says so."""
    summary = summarise([CASE, TRANSCRIPT, *found], section)
    assert expected == summary.cut_short
    assert all(text in summary.counts for text in expected)
    whole = not (summary.cut_short or summary.missing)
    assert ("passed" if whole else "passed in part") == summary.word


def test_counts() -> None:
    """A test counts once for all environments, by its worst outcome."""
    found = [
        result(environment=OLD),
        result("failed", environment=NEW),
        result("skipped", test="m::test_other"),
        result(test="m::test_third"),
        TRANSCRIPT,
    ]
    expected = "3 cases (1 failed, 1 skipped), contract checks not run, 1 transcript"
    assert expected == summarise(found, SERVER).counts


@pytest.mark.parametrize(
    ("found", "environments", "word", "text"),
    [
        ([], [], "not run", "not run"),
        ([], [NEW], "not run", "not run"),
        ([result()], [NEW], "passed", "passed"),
        ([result("skipped")], [NEW], "skipped", "skipped"),
        ([result(), result("failed")], [NEW], "failed", "failed"),
        ([result(emulated="by hand")], [NEW], "passed", "passed (emulated)"),
        ([result(), result(environment=OLD)], [OLD, NEW], "passed", "passed"),
        (
            [result("failed"), result(environment=OLD)],
            [OLD, NEW],
            "failed",
            "failed: CPython 3.13.0; passed: CPython 3.9.1",
        ),
        (
            [result()],
            [OLD, NEW],
            "passed in part",
            "not run: CPython 3.9.1; passed: CPython 3.13.0",
        ),
        (
            [result(), result(environment=OLD, emulated="by hand")],
            [OLD, NEW],
            "passed",
            "passed: CPython 3.13.0; passed (emulated): CPython 3.9.1",
        ),
        (
            [result(environment=GUEST, emulated="the kernel"), result()],
            [NEW, GUEST],
            "passed",
            "passed",
        ),
        (
            [result(environment=GUEST, emulated="the kernel")],
            [NEW, GUEST],
            "passed",
            "passed (emulated)",
        ),
        (
            [result(environment=GUEST, emulated="the kernel")],
            [OLD, OLD_GUEST, NEW, GUEST],
            "passed in part",
            "not run: CPython 3.9.1; passed (emulated): CPython 3.13.0",
        ),
    ],
)
def test_cell(
    found: list[Result], environments: list[Environment], word: str, text: str
) -> None:
    """A cell names the environments only where they differ."""
    runs: dict[str, list[Environment]] = {}
    for environment in environments:
        runs.setdefault(environment.python, []).append(environment)
    assert (word, text) == cell(found, runs)


@pytest.mark.parametrize(
    ("groups", "names"),
    [
        ([[OLD], [NEW]], [OLD.python, NEW.python]),
        ([[OLD, NEW], [OLD_GUEST, GUEST]], [NEW.kernel, GUEST.kernel]),
        (
            [[OLD], [replace(OLD, openssl="OpenSSL 3.5")]],
            ["OpenSSL 3.0", "OpenSSL 3.5"],
        ),
        ([[OLD, GUEST], [NEW, OLD_GUEST]], [str(GUEST), str(OLD_GUEST)]),
    ],
)
def test_what_tells_environments(
    groups: list[list[Environment]], names: list[str]
) -> None:
    """One of Python, kernel and OpenSSL is named, if that tells the groups apart."""
    name = telling(groups)
    assert names == [name(group[-1]) for group in groups]


def test_environments_are_in_order() -> None:
    """CPython 3.9 comes before 3.13."""
    assert [OLD, NEW] == environments_of([result(), result(environment=OLD)])


def test_place() -> None:
    """It names each version once, and what stood in for a part of the system."""
    found = [result(), result(environment=OLD), result(environment=GUEST, emulated="a")]
    expected = "CPython 3.9.1 and 3.13.0, Linux 6.1, OpenSSL 3.0, 2026-11-21"
    assert f"{expected}; emulated: a" == place(found)
    assert expected == place(found[:2])
    assert (
        "CPython 3.13.0, Linux 5.0 (guest), OpenSSL 3.0, 2026-11-21; emulated: a"
        == place(found[2:])
    )


def test_remarks_merge_environments() -> None:
    """What went wrong alike in two environments is told once, failures first."""
    found = [
        result("skipped"),
        result("failed", environment=NEW, test="m::test_a[::1]"),
        result("failed", environment=OLD, test="m::test_a[::1]"),
    ]
    assert [
        ("failed", f"case test_a[::1]: why ({OLD}; {NEW})"),
        ("skipped", f"case test_it: why ({NEW})"),
    ] == remarks(found)


@pytest.mark.parametrize(
    ("words", "expected"),
    [([], ""), (["a"], "a"), (["a", "b"], "a and b"), (list("abc"), "a, b and c")],
)
def test_listing(words: list[str], expected: str) -> None:
    """Words are listed as in a sentence."""
    assert expected == listing(words)
